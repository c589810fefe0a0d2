"""When a self-supervised training has collapsed, in words. Without torch, for pages too."""

from __future__ import annotations

import math

SAME = 0.02  # feature_std below which all pictures count as one
CLOSE = 0.005  # of ln K: how near the teacher's entropy is to an end of its range


def collapse(spread: float, teacher_entropy: float | None, outputs: int) -> str:
    """A sentence where a training has collapsed, '' where not: `spread` is `feature_std`, `teacher_entropy` DINO's
    (None for another loss) over so many outputs."""
    if spread < SAME:
        return (
            f"the network has collapsed: the features of all pictures are nearly the same (spread {spread:.3f}, where "
            "1 is evenly spread)"
        )
    if teacher_entropy is None:
        return ""
    most = math.log(outputs)
    if teacher_entropy < CLOSE * most:
        return (
            f"the teacher has collapsed: its distribution is a single output (entropy {teacher_entropy:.3f} of at most "
            f"{most:.3f})"
        )
    if teacher_entropy > (1 - CLOSE) * most:
        return (
            f"the teacher says nothing yet, or has collapsed: its distribution is even (entropy {teacher_entropy:.3f}, "
            f"and ln {outputs} is {most:.3f})"
        )
    return ""
