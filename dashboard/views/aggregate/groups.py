"""Two groups of pictures, told by their metadata."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from store.counts import counted

OTHERS = "all other pictures"
NAMED = 5  # values of a column that are named; a link has them all


@dataclass(frozen=True)
class Condition:
    """What a column must say: one of `values` if it holds text, or tuples of texts; from `values[0]` to `values[1]`,
    both included, if it holds numbers or dates."""

    column: str
    kind: str
    values: tuple[Any, ...]

    def hits(self, values: pd.Series) -> np.ndarray:
        """bool (n,): which values of the column it holds for; never for a missing one."""
        if self.kind == "text":
            several = values.dtype == object and any(isinstance(value, tuple) for value in values)
            parts = values.explode() if several else values
            hits = parts.isin(self.values)
            return (hits if parts is values else hits.groupby(level=0, sort=False).any()).to_numpy(bool)
        low, high = self.values
        comparable = pd.to_datetime(values) if self.kind == "date" else values
        if self.kind == "date":
            low, high = pd.Timestamp(low), pd.Timestamp(high)
        return comparable.between(low, high).fillna(False).to_numpy(bool)

    def words(self) -> str:
        """As in "year 1600 to 1700"."""
        if self.kind == "text":
            named, more = self.values[:NAMED], len(self.values) - NAMED
            return f"{self.column} {' or '.join(named)}{f' or {more} others' if more > 0 else ''}"
        low, high = (value.isoformat() if isinstance(value, date) else f"{value:.10g}" for value in self.values)
        return f"{self.column} {low}" if low == high else f"{self.column} {low} to {high}"


@dataclass(frozen=True)
class Group:
    """The pictures for which all conditions hold; without any, all pictures that are not in the other group."""

    conditions: tuple[Condition, ...] = ()

    def words(self) -> str:
        """What its pictures have in common."""
        return ", ".join(condition.words() for condition in self.conditions) or OTHERS


@dataclass(frozen=True)
class Pair:
    """Image ids (n,) int64 of the two groups, ascending; how many fit both, and so are in the first alone, and how many
    are in neither since the metadata does not tell whether they fit the first."""

    a: np.ndarray
    b: np.ndarray
    both: int
    unknown: int

    @property
    def digest(self) -> str:
        """A short word for the pictures of both."""
        return hashlib.sha256(self.a.tobytes() + b"|" + self.b.tobytes()).hexdigest()


def divide(catalogue: pd.DataFrame, a: Group, b: Group) -> Pair:
    """The pictures of both groups. `catalogue` has image_id and the columns of the conditions; `a` has a condition.

    Where `b` is all others, a picture is one only if some condition is known not to hold for it: one without a year is
    not taken for one of another year.
    """
    ids = catalogue["image_id"].to_numpy(np.int64)
    in_a, not_a = _matches(catalogue, a)
    in_b = _matches(catalogue, b)[0] if b.conditions else not_a
    unknown = 0 if b.conditions else int((~in_a & ~not_a).sum())
    both = in_a & in_b
    return Pair(np.sort(ids[in_a]), np.sort(ids[in_b & ~both]), int(both.sum()), unknown)


def pictures(count: int) -> str:
    """How many, as in "1 picture"."""
    return counted(count, "picture")


def _matches(catalogue: pd.DataFrame, group: Group) -> tuple[np.ndarray, np.ndarray]:
    """bool (n,) each: which pictures the conditions hold for, and for which one of them is known not to."""
    holds = np.ones(len(catalogue), bool)
    fails = np.zeros(len(catalogue), bool)
    for condition in group.conditions:
        values = catalogue[condition.column]
        hits = condition.hits(values)
        holds &= hits
        fails |= values.notna().to_numpy(bool) & ~hits
    return holds, fails
