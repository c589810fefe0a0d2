"""What a cosine similarity means in a collection: of how many percent of all pairs of its pictures two are nearer."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from dashboard.compute import neighbours
from dashboard.data import cache
from store.records import RunRecord

MOST = 99.9  # percent that a sample of this size can tell


def words(run: RunRecord, similarities: Iterable[float]) -> list[str]:
    """ "nearer than 99.2 %" for each cosine of two pictures of a run, rounded down; "" where there are no pairs."""
    from ingest.vision.words import scores

    pairs = cache.pair_similarities(run.run_id)
    values = np.asarray(list(similarities), np.float32)
    if not len(pairs):
        return [""] * len(values)
    return [f"nearer than {math.floor(min(each, MOST) * 10) / 10:g} %" for each in scores.percentile(values, pairs)]


def among_pictures(cosines: np.ndarray, found: Iterable[float], word: str = "nearer") -> list[str]:
    """ "nearer than 99.2 %" of all pictures, or "farther", rounded down, for each that is `found`; `cosines` (n,) are
    those of all of them with what they are compared with."""
    from ingest.vision.words import scores

    below = scores.percentile(np.asarray(list(found), np.float32), np.asarray(cosines, np.float32))
    shares = below if word == "nearer" else 100 - below
    return [f"{word} than {math.floor(min(each, MOST) * 10) / 10:g} %" for each in shares]


def explained(run: RunRecord) -> str:
    """What these words say, and by how many pairs; nothing where there are none."""
    pairs = len(cache.pair_similarities(run.run_id))
    if not pairs:
        return ""
    counted = f"{pairs:,} random pairs" if pairs == neighbours.PAIRS else f"all {pairs:,} pairs"
    return f"“Nearer than 99 %”: of 100 pairs of pictures of this collection, 99 are less alike, by {counted}."
