"""How much a long command does in one call."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

UNITS = {
    "minutes": ("minutes", "minute", "min", "m", ""),
    "boxes": ("boxes", "box"),
    "pictures": ("pictures", "picture"),
}


@dataclass(frozen=True)
class Budget:
    """How much is searched in one call, in whole pictures: so many `minutes`, `boxes` or `pictures`."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit if self.amount != 1 else UNITS[self.unit][1]}"


def parse_budget(text: str) -> Budget | None:
    """A budget as people write it: `20 minutes`, `20m`, `20`, `500 boxes`, `12 pictures`. None for what is none."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", text.lower())
    unit = next((unit for unit, words in UNITS.items() if found and found[2] in words), None)
    if not found or unit is None:
        return None
    amount = float(found[1])
    return Budget(amount, unit) if 0 < amount < math.inf and (unit == "minutes" or amount >= 1) else None
