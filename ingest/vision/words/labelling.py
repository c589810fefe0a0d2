"""A vocabulary over a collection: every term's score at every picture, of which the best are kept. Plain NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ALL = 2_000_000  # scores up to which all are kept
BEST = 20  # terms that each picture keeps of a larger vocabulary
SHARE = 0.01  # of the pictures: those that each term keeps beside that
HELD = 2**30  # bytes of scores that are held in memory
CHUNK = 2048  # pictures that are ranked at a time
BLOCK, SAMPLED = 64, 16  # terms whose best pictures are sought at a time, by a sample of every so many pictures


@dataclass(frozen=True)
class Labels:
    """Terms of pictures, one an entry: `pictures` and `terms` (m,) int32 are places in the vectors that were given,
    `scores` (m,) float32 cosines, `ranks` (m,) int32 of the term among all terms of the picture, from 1: one more than
    the number of terms with a higher score."""

    pictures: np.ndarray
    terms: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray


def kept(pictures: int, terms: int) -> str:
    """Which scores `label` keeps of so many pictures and terms, in words."""
    if terms <= BEST or pictures * terms <= ALL:
        return "all scores"
    return f"the {BEST} best terms of each picture and the {SHARE:.0%} best pictures of each term"


def label(vectors: np.ndarray, terms: np.ndarray) -> Labels:
    """The Labels of pictures (n, dim) by terms (t, dim), both float32 and L2-normalised, by picture and then by rank.

    Of many, the BEST terms of each picture, and each term's best SHARE of the pictures. All of their scores are in
    memory at a time if they need no more than HELD bytes; else they are computed twice.
    """
    count = len(vectors)
    held = vectors @ terms.T if 4 * count * len(terms) <= HELD else None
    all_of_them = len(terms) <= BEST or count * len(terms) <= ALL
    least = np.full(len(terms), -np.inf, np.float32) if all_of_them else _least(vectors, terms, held)
    parts = []
    for start in range(0, count, CHUNK):
        here = slice(start, start + CHUNK)
        parts.append(_labels(start, vectors[here] @ terms.T if held is None else held[here], least))
    if not parts:
        return Labels(*(np.empty(0, kind) for kind in (np.int32, np.int32, np.float32, np.int32)))
    return Labels(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _least(vectors: np.ndarray, terms: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    """The score (t,) that a picture needs to be among each term's best SHARE."""
    wanted = math.ceil(SHARE * len(vectors))
    least = np.empty(len(terms), np.float32)
    for start in range(0, len(terms), BLOCK):
        here = slice(start, start + BLOCK)
        block = terms[here] @ vectors.T if held is None else np.ascontiguousarray(held[:, here].T)
        least[here] = [_largest(scores, wanted) for scores in block]
    return least


def _largest(scores: np.ndarray, wanted: int) -> np.float32:
    """The least of so many largest scores (n,). A sample tells which can be left out of the search."""
    sample = scores[::SAMPLED]
    guess = np.sort(sample)[-min(len(sample), 2 * wanted // SAMPLED + 8)]
    likely = scores[scores >= guess]
    return np.partition(likely if len(likely) >= wanted else scores, -wanted)[-wanted]


def _labels(start: int, scores: np.ndarray, least: np.ndarray) -> tuple[np.ndarray, ...]:
    """The labels of the pictures from `start` on with these scores (pictures, terms): the columns of Labels."""
    best = min(BEST, scores.shape[1])
    edge = np.partition(scores, -best, axis=1)[:, -best]
    pictures, terms = np.divmod(np.flatnonzero((scores >= least) | (scores >= edge[:, None])), scores.shape[1])
    values = scores[pictures, terms]
    order = np.lexsort((terms, -values, pictures))
    pictures, terms, values = pictures[order], terms[order], values[order]
    ranks = _ranks(pictures, values)
    below = values < edge[pictures]  # between those that are kept there lie others
    ranks[below] = 1 + (scores[pictures[below]] > values[below, None]).sum(axis=1)
    return (pictures + start).astype(np.int32), terms.astype(np.int32), values, ranks.astype(np.int32)


def _ranks(pictures: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The ranks (m,) of values in the order of their pictures and falling: 1 more than the number of greater ones."""
    place = np.arange(len(pictures))
    first = np.ones(len(pictures), bool)
    first[1:] = (pictures[1:] != pictures[:-1]) | (values[1:] != values[:-1])
    return np.maximum.accumulate(np.where(first, place, 0)) - np.searchsorted(pictures, pictures) + 1
