"""A term and the pictures that have a score of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dashboard.data import cache
from store.records import RunRecord
from store.vocabularies import Vocabulary


@dataclass(frozen=True, eq=False)
class ScoredTerm:
    """A term of a run's vocabulary: `ids` (n,) int64 of pictures and their `scores` (n,) float32, cosines, the best
    first; its stored `threshold`, if it has one, and how many pictures it labels `now`."""

    run: RunRecord
    vocabulary: Vocabulary
    term: str
    ids: np.ndarray
    scores: np.ndarray
    threshold: float | None
    now: int

    @property
    def key(self) -> tuple[int, str, str]:
        """What the term goes by in the store."""
        return self.run.run_id, self.vocabulary.name, self.term

    def reached(self, threshold: float) -> int:
        """How many pictures score at least that."""
        return int((self.scores >= np.float32(threshold)).sum())

    def threshold_of(self, labelled: int) -> float:
        """The threshold that labels this many of the best pictures, and those that score the same as the last."""
        return float(self.scores[labelled - 1])

    def words(self, ranks: Iterable[int]) -> list[str]:
        """What the scores at these ranks, from 0, say: how many percent of the pictures score less, and SigLIP's own
        probability."""
        from ingest.vision.words.scores import percentile, probability

        chosen = self.scores[np.asarray(list(ranks), dtype=int)]
        texts = [f"{_share(share)} %" for share in percentile(chosen, self.scores)]
        scale, bias = (self.vocabulary.settings.get(key) for key in ("logit_scale", "logit_bias"))
        if scale is None or bias is None:
            return texts
        shares = probability(chosen, scale, bias)
        return [f"{text} · p {_probability(share)}" for text, share in zip(texts, shares, strict=True)]


def scored(run: RunRecord, vocabulary: Vocabulary, term: str) -> ScoredTerm:
    """A term as the database has it."""
    table = cache.term_scores(run.run_id, vocabulary.name, term)
    ids, scores = table["image_id"].to_numpy(np.int64), table["score"].to_numpy(np.float32)
    threshold = cache.thresholds(run.run_id, vocabulary.name).get(term)
    now = cache.own_label_counts(run.run_id, vocabulary.name).get(term, 0)
    return ScoredTerm(run, vocabulary, term, ids, scores, threshold, now)


def _share(percent: float) -> str:
    """A percentile as few digits tell it."""
    return f"{percent:.0f}" if percent < 99 else f"{percent:.4g}"


def _probability(share: float) -> str:
    """A probability, small ones too."""
    return f"{share:.2g}" if share >= 1e-6 else "< 0.000001"
