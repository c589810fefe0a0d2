"""One colour for each picture by what the metadata says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from store.counts import counted

# M. A. Petroff, Accessible Color Sequences for Data Visualization, arXiv:2107.02270: ten colours that people with any
# form of colour blindness can tell apart, here without the two greys, which say "other" and "unknown".
NAMED = ("#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#92dadd", "#e76300", "#a96b59", "#b9ac70")
OTHER = "#94a4a2"
UNKNOWN = "#71758166"
# Nine steps of matplotlib's viridis: even for the eye, and even in print without colour.
SCALE = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")


@dataclass(frozen=True)
class Colours:
    """`of`: a CSS colour per picture. Either `legend`, (name, colour, how many) largest first, or `bar`: the values at
    the two ends, with `ticks`, (position, text) on the way."""

    of: list[str]
    legend: list[tuple[str, str, int]]
    bar: tuple[float, float] | None = None
    ticks: tuple[tuple[float, str], ...] = ()


def colour(values: Sequence[Any] | pd.Series, kind: str) -> Colours:
    """Colours for `values`, `kind` being 'number', 'date' or 'text' as `store.read.metadata_columns` says.

    Text: the most frequent values get a colour of their own, the rest one grey. Of a tuple of values each is counted,
    and the first that has a colour of its own gives it. Numbers and dates: from dark to bright.
    """
    if kind in ("number", "date"):
        found = _continuous(values, kind)
        if found is not None:
            return found
    return _categorical(values)


def _categorical(values: Sequence[Any] | pd.Series) -> Colours:
    names = [value if isinstance(value, tuple) else () if _empty(value) else (str(value),) for value in values]
    counts = pd.Series([part for parts in names for part in parts], dtype=object).value_counts()
    # A stable order: by how many, then by name, so that one more picture does not reshuffle the colours of ties.
    order = sorted(counts.index, key=lambda name: (-counts[name], name))
    own = len(NAMED) if len(order) > len(NAMED) else len(order)
    colours = dict(zip(order[:own], NAMED, strict=False))
    legend = [(name, colours[name], int(counts[name])) for name in order[:own]]
    others, unknown = set(order[own:]), names.count(())
    rest = sum(not others.isdisjoint(parts) for parts in names)
    if rest:
        legend.append((f"{counted(len(order) - own, 'other')}", OTHER, rest))
    if unknown:
        legend.append(("not given", UNKNOWN, unknown))
    return Colours([_first(parts, colours) for parts in names], legend)


def _first(parts: Sequence[str], colours: Mapping[str, str]) -> str:
    """The colour of the first part that has one of its own."""
    return next((colours[part] for part in parts if part in colours), OTHER if parts else UNKNOWN)


def _continuous(values: Sequence[Any] | pd.Series, kind: str) -> Colours | None:
    numbers = np.array([_number(value, kind) for value in values], dtype=float)
    known = np.isfinite(numbers)
    if not known.any():
        return None
    low, high = float(numbers[known].min()), float(numbers[known].max())
    span = (high - low) or 1.0
    of = [_at((number - low) / span) if ok else UNKNOWN for number, ok in zip(numbers, known, strict=True)]
    legend = [("not given", UNKNOWN, int((~known).sum()))] if not known.all() else []
    ticks = ()
    if kind == "date":
        places = np.linspace(low, high, 5) if high > low else [low]
        ticks = tuple((float(place), date.fromordinal(round(place)).isoformat()) for place in places)
    return Colours(of, legend, (low, high), ticks)


def _at(share: float) -> str:
    """The colour at 0..1 of the scale."""
    place = min(max(share, 0.0), 1.0) * (len(SCALE) - 1)
    low = min(int(place), len(SCALE) - 2)
    ends = [[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in SCALE[low : low + 2]]
    return "#{:02x}{:02x}{:02x}".format(*(round(a + (b - a) * (place - low)) for a, b in zip(*ends, strict=True)))


def _number(value: Any, kind: str) -> float:
    if _empty(value):
        return np.nan
    if kind == "date":
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        return float(value.toordinal())
    return float(value)


def _empty(value: Any) -> bool:
    return value is None or value is pd.NaT or value == "" or (isinstance(value, float) and np.isnan(value))
