"""How the learning rate changes while a network is trained."""

from __future__ import annotations

import math

LEAST = 0.001  # of the highest learning rate, at the end


def warmup_cosine(step: int, steps: int, warmup: int, highest: float, final: float | None = None) -> float:
    """The learning rate of a step, counted from 1: a straight line up to `highest` over `warmup` steps, then half a
    cosine down to `final`, a thousandth of it unless said, at step `steps` (Loshchilov and Hutter 2017)."""
    if step < warmup:
        return highest * step / warmup
    final = highest * LEAST if final is None else final
    share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    return final + (highest - final) * share
