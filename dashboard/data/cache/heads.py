"""Heads over many images: ids (n,) int64, None all of the run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.data.cache.memory import annotating, ask, ask_cached, whole_numbers
from store import heads
from store.maps import AttentionMaps


def head_statistics(run_id: int) -> list[str]:
    """The statistics of heads that this run has, `importance` among them."""
    return list(ask_cached(heads.statistics, run_id=run_id))


def head_targets(run_id: int) -> list[str]:
    """What the importances of this run's heads are importances for."""
    return list(ask_cached(heads.targets, run_id=run_id))


def head_means(run_id: int, statistic: str, target: str = "", ids: np.ndarray | None = None) -> pd.DataFrame:
    """layer, head, mean, spread (standard deviation over the images), images (how many)."""
    return ask_cached(heads.means, run_id=run_id, statistic=statistic, target=target, ids=ids)


def head_peaks(run_id: int, layer: int, head: int, k: int, ids: np.ndarray | None = None) -> pd.DataFrame:
    """The k images in which a head gives one patch most: image_id, peak, x0, y0, x1, y1, rows, cols of the frame."""
    return ask_cached(heads.peaks, run_id=run_id, layer=layer, head=head, k=k, ids=ids)


def head_methods(run_id: int) -> pd.DataFrame:
    """method, target, images: the stored maps that belong to single heads."""
    return ask_cached(heads.methods, run_id=run_id)


def head_maps(head: heads.Head, ids: Sequence[int]) -> dict[int, np.ndarray]:
    """One head's maps of some images: {image_id: weights (rows, cols)}. Read-only."""
    return ask_cached(heads.maps, head=head, ids=whole_numbers(ids))


def head_mean_map(head: heads.Head, ids: np.ndarray | None = None) -> AttentionMaps | None:
    """The mean of one head's maps. Read-only."""
    return ask_cached(heads.mean_map, head=head, ids=ids)


def head_similarity(run_id: int, method: str, ids: np.ndarray | None = None) -> heads.HeadSimilarity | None:
    """How alike all heads of a run look. Read-only."""
    return ask_cached(heads.similarity, run_id=run_id, method=method, ids=ids)


def head_names(run_id: int) -> pd.DataFrame:
    """layer, head, name, note, created_at: what people called the heads."""
    return ask(heads.names, run_id=run_id)


def name_head(run_id: int, layer: int, head: int, name: str, note: str) -> None:
    """Store a head's name and note; forget it if both are empty."""
    with annotating() as con:
        heads.set_name(con, run_id, layer, head, name, note)
