"""What is typical of some pictures: the metadata values that they have oftener than the rest, and the terms of
vocabularies that suit them better. No Streamlit.

Each value is tested with the upper tail of the hypergeometric distribution (Fisher's exact test, one-sided): how often
would as many pictures, picked at random, have it at least as often? Many values are tested at once, so the p are
adjusted for that by Benjamini and Hochberg's step-up procedure (J. R. Stat. Soc. B 57, 1995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

LEVEL = 0.05  # what counts as surprising
CHUNK = 8192  # pictures whose vectors are compared at a time
EVEN = 1e-6  # a term whose scores vary less says the same of all pictures
FEW = 16  # so many different numbers stay what they are; more of them are put into at most about as many ranges


@dataclass(frozen=True)
class Typical:
    """A value of a column, in `inside` of the `total_inside` chosen pictures of which the column says anything, and in
    `outside` of the `total_outside` others. `ratio`: how many times larger its share is inside, inf where no other
    picture has it. `p`: adjusted for how many values were tested."""

    column: str
    value: str
    inside: int
    total_inside: int
    outside: int
    total_outside: int
    ratio: float
    p: float


@dataclass(frozen=True)
class Middle:
    """The median of a column of numbers or dates among the chosen pictures and among the others."""

    column: str
    inside: Any
    outside: Any


@dataclass(frozen=True)
class TypicalTerm:
    """A term of a vocabulary, and how many standard errors its mean score in some pictures lies above that of all."""

    term: str
    vocabulary: str
    errors: float


def typical(table: pd.DataFrame, inside: np.ndarray, kinds: Mapping[str, str]) -> list[Typical]:
    """The values that are commoner inside than outside, the least likely first, at equal p the larger ratio first.

    `table`: the rows of the catalogue; `inside` (rows,) bool; `kinds` {column: 'number', 'date' or 'text'}. Numbers and
    dates are taken by ranges. Left out are columns of text in which nearly every picture has a value of its own, and
    values so rare, or so common, that no choice of as many pictures could be surprising: that depends on nothing that
    was chosen, so it leaves the p right. What is surprising has p ≤ LEVEL; the rest is told for small collections.
    ValueError if `inside` is not as long as the table.
    """
    inside = np.asarray(inside, dtype=bool)
    if inside.shape != (len(table),):
        raise ValueError(f"expected a mask of {len(table)} rows, got {inside.shape}")
    counts = [_counted(table[column], column, kinds[column], inside) for column in kinds if column in table]
    counts = [count for count in counts if count is not None]
    if not counts:
        return []
    from scipy.stats import false_discovery_control  # half a second to import: not before it is needed

    p = false_discovery_control(np.concatenate([count.p for count in counts]))
    parts = np.split(p, np.cumsum([len(count.p) for count in counts])[:-1])
    found = [one for count, part in zip(counts, parts, strict=True) for one in count.findings(part)]
    return sorted(found, key=lambda one: (one.p, -one.ratio, one.column, one.value))


def middles(table: pd.DataFrame, inside: np.ndarray, kinds: Mapping[str, str]) -> list[Middle]:
    """The medians of the columns of numbers and dates that say something inside and outside; of an even number of
    values the lower middle one, so that a year stays a year."""
    found = []
    for column in kinds:
        if kinds[column] == "text" or column not in table:
            continue
        both = [sorted(table.loc[chosen, column].dropna().tolist()) for chosen in (inside, ~np.asarray(inside))]
        if all(both):
            found.append(Middle(column, *(values[(len(values) - 1) // 2] for values in both)))
    return found


def typical_terms(
    vectors: np.ndarray, of: np.ndarray, vocabularies: Mapping[str, tuple[Sequence[str], np.ndarray]]
) -> dict[int, TypicalTerm]:
    """Of each group of pictures the term whose mean score lies highest above that of all pictures, in standard errors
    of the mean of as many pictures drawn without replacement. None for a group whose best term might be best by chance.

    `vectors` (n, dim) float32, L2-normalised; `of` (n,) the pictures' groups, 0 for none; `vocabularies` {name: (terms,
    vectors (t, dim))}. A score is the cosine of the two vectors. p is one-sided, of a normal distribution, times the
    number of terms (Bonferroni). Equal terms: the first.
    """
    named = [(term, name) for name, (terms, _) in vocabularies.items() for term in terms]
    total = len(vectors)
    if not named or total < 2:
        return {}
    from scipy.stats import norm

    terms = np.concatenate([rows for _, rows in vocabularies.values()]).astype(np.float64)
    mean = vectors.mean(axis=0, dtype=np.float64)
    # No score is computed: a mean of scores is the score of the mean vector, and their variance is tᵀ Σ t.
    scatter = sum(_scatter(vectors[start : start + CHUNK] - mean) for start in range(0, total, CHUNK)) / (total - 1)
    deviation = np.sqrt(np.maximum(np.einsum("td,td->t", terms @ scatter, terms), 0))
    found = {}
    for group in np.unique(of[of > 0]).tolist():
        inside = of == group
        size = int(inside.sum())
        error = deviation * np.sqrt((1 - size / total) / size)
        above = terms @ (vectors[inside].mean(axis=0, dtype=np.float64) - mean)
        errors = np.divide(above, error, out=np.zeros_like(above), where=(deviation > EVEN) & (error > 0))
        best = int(errors.argmax())
        if norm.sf(errors[best]) * len(named) <= LEVEL:
            found[group] = TypicalTerm(*named[best], float(errors[best]))
    return found


def _scatter(centred: np.ndarray) -> np.ndarray:
    """Σ x xᵀ (dim, dim) float64 of vectors (n, dim)."""
    centred = centred.astype(np.float32)  # the product is the slow part
    return (centred.T @ centred).astype(np.float64)


def upper_tail(inside: np.ndarray, having: np.ndarray, drawn: int, total: int) -> np.ndarray:
    """P(X ≥ inside) (n,) where `drawn` of `total` pictures are picked at random and `having` of all have a value;
    `inside`, `having` (n,) int."""
    from scipy.stats import hypergeom

    pairs, back = np.unique(np.stack([inside, having], axis=1), axis=0, return_inverse=True)  # many values are alike
    return hypergeom.sf(pairs[:, 0] - 1, total, pairs[:, 1], drawn)[back.reshape(-1)]


# ---- counting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Counts:
    """A column's tested values, all arrays (values,)."""

    column: str
    names: list[str]
    inside: np.ndarray
    having: np.ndarray
    drawn: int
    total: int
    p: np.ndarray

    def findings(self, p: np.ndarray) -> list[Typical]:
        outside, others = self.having - self.inside, self.total - self.drawn
        with np.errstate(divide="ignore"):
            ratio = (self.inside / self.drawn) / (outside / others)
        return [
            Typical(
                self.column,
                self.names[i],
                int(self.inside[i]),
                self.drawn,
                int(outside[i]),
                others,
                float(ratio[i]),
                float(p[i]),
            )
            for i in np.flatnonzero((self.inside > 0) & (ratio > 1))
        ]


def has_lists(values: pd.Series) -> bool:
    """Whether cells hold tuples of values."""
    return values.dtype == object and any(isinstance(value, tuple) for value in values)


def _counted(values: pd.Series, column: str, kind: str, inside: np.ndarray) -> _Counts | None:
    """The values of a column; of cells that are tuples each value counts for its picture."""
    if kind != "text" or not has_lists(values):
        return _count(column, *_coded(values, kind), inside)
    rows, parts = zip(
        *((row, part) for row, cell in enumerate(values) if cell is not None for part in cell), strict=True
    )
    codes, names = pd.factorize(np.array(parts, dtype=object))
    some = np.unique(rows)
    if len(names) > max(8, 0.6 * len(some)):
        return None
    return _count(column, codes, list(names), inside[np.array(rows)], len(some), int(inside[some].sum()))


def _count(
    column: str,
    codes: np.ndarray,
    names: list[str],
    inside: np.ndarray,
    total: int | None = None,
    drawn: int | None = None,
) -> _Counts | None:
    """`codes` (n,): the place of a value in `names`, -1 where there is none; `inside` (n,) whether its picture is
    inside. `total` pictures have a value, `drawn` of them inside: n, unless a picture can have several."""
    known = codes >= 0
    if total is None or drawn is None:
        total, drawn = int(known.sum()), int((known & inside).sum())
    if not names or drawn in (0, total):
        return None
    having = np.bincount(codes[known], minlength=len(names))
    best = upper_tail(np.minimum(having, drawn), having, drawn, total)
    tested = np.flatnonzero(best <= LEVEL * (1 + 1e-9))  # 1 in 20 is 0.05 in whole numbers
    if not len(tested):
        return None
    hits = np.bincount(codes[known & inside], minlength=len(names))[tested]
    having = having[tested]
    p = upper_tail(hits, having, drawn, total)
    return _Counts(column, [names[i] for i in tested], hits, having, drawn, total, p)


# ---- values as categories -------------------------------------------------------------------------------------------


def _coded(values: pd.Series, kind: str) -> tuple[np.ndarray, list[str]]:
    """Codes (rows,), -1 for none, and what they mean; no names for a column that has nothing to tell."""
    if kind == "text":
        codes, names = pd.factorize(values)
        apart = len(names) > max(8, 0.6 * int((codes >= 0).sum()))
        return (codes, []) if apart else (codes, [str(name) for name in names])
    if kind == "date":
        return _dates(values)
    return _ranges(pd.to_numeric(values).astype("Float64").to_numpy(float, na_value=np.nan))


def _dates(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """By years, or ranges of years; by months where all lie within two years."""
    known = values.notna().to_numpy()
    days = [date.fromisoformat(str(value)[:10]) for value in values[known]]
    years, months = np.full(len(values), np.nan), np.full(len(values), np.nan)
    years[known] = [day.year for day in days]
    months[known] = [day.year * 12 + day.month - 1 for day in days]
    if days and np.nanmax(years) - np.nanmin(years) < 2:
        codes, which = pd.factorize(months)
        return codes, [f"{int(month) // 12}-{int(month) % 12 + 1:02d}" for month in which]
    return _ranges(years)


def _ranges(numbers: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Few numbers stay themselves; others are put into ranges of a round width, or where that heaps them up in one
    range (as sizes and prices do) into quarters."""
    finite = numbers[np.isfinite(numbers)]
    distinct = np.unique(finite)
    if len(distinct) <= FEW:
        codes = np.searchsorted(distinct, numbers)
        return np.where(np.isfinite(numbers), codes, -1), [_plain(number) for number in distinct]
    low, high = np.percentile(finite, [1, 99])
    whole = bool((finite == np.round(finite)).all())
    step = round_step((high - low) / FEW, whole)
    edges = np.arange(np.floor(low / step) + 1, np.floor(high / step) + 1) * step
    if not len(edges) or np.bincount(np.searchsorted(edges, finite, "right")).max() > 0.6 * len(finite):
        edges = np.unique(np.percentile(finite, [25, 50, 75], method="closest_observation"))
        edges = edges[edges > distinct[0]]
    codes = np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, "right"), -1)
    return codes, _range_names(edges, whole)


def round_step(width: float, whole: bool) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is as wide; of whole numbers, a whole one."""
    width = max(width, 1.0) if whole else width
    if width <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(width))
    steps = (factor * power for factor in (1, 2, 2.5, 5, 10))
    return next(step for step in steps if step >= width * (1 - 1e-9) and (not whole or step % 1 == 0))


def _range_names(edges: np.ndarray, whole: bool) -> list[str]:
    """What lies below the first edge, between each two, and from the last one on."""
    if not len(edges):
        return []
    last = edges - 1 if whole else edges
    dash = "–" if whole and edges[0] >= 0 else " to "
    between = [
        _plain(a) if whole and a == b else f"{_plain(a)}{dash}{_plain(b)}"
        for a, b in zip(edges[:-1], last[1:], strict=True)
    ]
    below = f"up to {_plain(last[0])}" if whole else f"below {_plain(edges[0])}"
    return [below, *between, f"from {_plain(edges[-1])}"]


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == round(number) and abs(number) < 1e15 else f"{number:.6g}"
