"""How the learning rate changes while a network is trained."""

from __future__ import annotations

import math

LEAST = 0.001  # of the highest learning rate, at the end


def warmup_cosine(step: int, steps: int, warmup: int, highest: float) -> float:
    """The learning rate of a step, counted from 1: a straight line up to `highest` over `warmup` steps, then half a
    cosine down to a thousandth of it at step `steps` (Loshchilov and Hutter 2017)."""
    if step < warmup:
        return highest * step / warmup
    share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    return highest * (share + LEAST * (1 - share))
