"""Clusters of the map for its readers: an outline, a name from the metadata or by words, a picture. No Streamlit, no
database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
import pandas as pd

from dashboard.compute.arrangements.years import range_column
from dashboard.compute.typical import LEVEL, TypicalTerm, has_lists, typical

PARTS = 2  # values in a name
SHARE = 0.4  # of a cluster's pictures have a value in its name, at least, if so many are no chance
MOST = 0.75  # of them have one that may be chance
TIMES = 2.0  # so many times oftener than the others, then
LONGEST = 32  # letters of a value in a name
WIDE = 0.018  # how far an outline keeps from its pictures, as a share of the map
FINE = 4  # steps of the grid in that distance
NEAR = 0.96  # the share of a cluster's pictures that its outline holds


@dataclass(frozen=True)
class Group:
    """A cluster: its number, name, how many pictures it has, the id of the most central one, and its outline as rings
    of points [x, y] of the layout, the largest first, the first point of each not repeated at its end. Where the name
    is a term, its `vocabulary`; the `colour` that somebody gave it, #rrggbb."""

    number: int
    name: str
    count: int
    image: int
    rings: list[list[list[float]]]
    vocabulary: str = ""
    colour: str = ""


def groups(
    xy: np.ndarray,
    of: np.ndarray,
    centres: Mapping[int, int],
    table: pd.DataFrame,
    kinds: Mapping[str, str],
    find_terms: Callable[[], Mapping[int, TypicalTerm]] = dict,
    titles: Mapping[int, str] | None = None,
) -> list[Group]:
    """The clusters of points (n, 2) by their numbers, the largest first; of (n,) these numbers, 0 for none; `table` the
    n rows of the catalogue, indexed by image id, and kinds {column: 'number', 'date' or 'text'}. `find_terms` gives the
    clusters' typical terms, and is asked if the metadata of one sets it apart in nothing; where that does not name it
    either, the title of its central picture does, of `titles` {image id: title}."""
    xy = np.asarray(xy, dtype=np.float64)
    table = _coded(table, kinds)
    ids, extent = table.index.to_numpy(), float(np.ptp(xy, axis=0).max()) if len(xy) else 0.0
    found: list[Group] = []
    names = {number: name_of(table, of == number, kinds) for number in np.unique(of[of > 0]).tolist()}
    terms = {} if all(names.values()) else find_terms()
    for number, name in names.items():
        inside, term = of == number, None if name else terms.get(number)
        middle = ids[inside][((xy[inside] - xy[inside].mean(axis=0)) ** 2).sum(axis=1).argmin()]
        image = centres.get(number, middle)
        image = int(image if image in table.index else middle)  # the picture may have been taken away
        title = (titles or {}).get(image)
        around = f"around “{_short(title)}”" if title else f"Cluster {number}"
        name = _unlike(name or (_short(term.term) if term else around), [group.name for group in found])
        vocabulary = term.vocabulary if term else ""
        found.append(Group(number, name, int(inside.sum()), image, outline(xy[inside], extent), vocabulary))
    return found


def name_of(table: pd.DataFrame, inside: np.ndarray, kinds: Mapping[str, str]) -> str:
    """The values that most set some pictures apart, of PARTS columns at most, '' if none does: values that many of them
    have, and oftener than the others by more than chance would have it, or that nearly all of them have."""
    parts: dict[str, str] = {}
    size = inside.sum()
    for one in typical(table, inside, kinds):
        share = one.inside / size
        telling = (one.p <= LEVEL and share >= SHARE) or (one.ratio >= TIMES and share >= MOST)
        if telling and len(parts) < PARTS:
            column = _spoken(one.column, kinds)
            text = one.value if kinds[one.column] == "text" else f"{column} {one.value}"
            parts.setdefault(column, _short(text))  # both ends of a date say about the same
    return " · ".join(parts.values())


def _spoken(column: str, kinds: Mapping[str, str]) -> str:
    """A column's name for readers: that of the date whose range of years it is an end of, and words with spaces."""
    return (range_column(column, kinds) or column).replace("_", " ")


def outline(xy: np.ndarray, extent: float) -> list[list[list[float]]]:
    """Closed rings around points (n, 2) of a layout of this extent: where their density, taken as the same wherever
    there are any, falls below what nearly all of them have."""
    from contourpy import contour_generator
    from scipy.ndimage import gaussian_filter

    reach = max(WIDE * extent, 0.75 * _apart(xy)) or 1.0
    low, size = xy.min(axis=0) - 4 * reach, np.ptp(xy, axis=0) + 8 * reach
    step = max(reach / FINE, float(size.max()) / 320)
    shape = np.ceil(size / step).astype(int) + 1
    column, row = np.clip(np.round((xy - low) / step).astype(int), 0, shape - 1).T
    there = np.zeros(shape[::-1])
    there[row, column] = 1
    density = gaussian_filter(there, reach / step, mode="constant")
    level = 0.6 * np.quantile(density[row, column], 1 - NEAR)
    x, y = (low[axis] + step * np.arange(shape[axis]) for axis in (0, 1))
    rings = [np.asarray(line) for line in contour_generator(x, y, density).lines(level)]
    areas = np.array([_area(ring) for ring in rings])
    sign = np.sign(areas[np.abs(areas).argmax()])  # the largest is no hole
    kept = [i for i in np.argsort(-np.abs(areas)) if areas[i] * sign > 0.02 * np.abs(areas).max()]
    return [np.round(rings[i][:-1], _digits(step)).tolist() for i in kept]


def _coded(table: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Texts as categories: they are sorted out once, and not once for each cluster."""
    texts = {
        column: table[column].astype("category")
        for column in kinds
        if kinds[column] == "text" and column in table and not has_lists(table[column])
    }
    return table.assign(**texts)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _unlike(name: str, others: Sequence[str]) -> str:
    """The name, with a number if others have it."""
    numbers = (f"{name} ({number})" for number in count(2))
    return next(one for one in chain([name], numbers) if one not in others)


def _apart(xy: np.ndarray) -> float:
    """How far points usually lie from the second nearest other one."""
    from scipy.spatial import KDTree

    if len(xy) < 2:
        return 0.0
    k = min(3, len(xy))
    distance, _ = KDTree(xy).query(xy, k)
    return float(np.median(distance[:, k - 1]))


def _area(ring: np.ndarray) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def _digits(step: float) -> int:
    return int(np.ceil(-np.log10(step))) + 1
