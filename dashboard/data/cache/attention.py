"""Stored attention maps, of one image and of many, what is known of an image's tokens, and heads over many images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.data.cache.annotations.edits import editing
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask, ask_cached, cache_token, whole_numbers
from store import aggregate, connection, read
from store import heads as head_store
from store.maps import AttentionMaps


def methods(run_id: int) -> pd.DataFrame:
    """method, target, maps (how many are stored)."""
    return ask_cached(read.methods, run_id=run_id)


def maps(
    run_id: int,
    image_id: int,
    method: str,
    target: str = "",
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
) -> AttentionMaps | None:
    """The stored maps of one image, weights (m, rows, cols) float32; None if there are none. Read-only."""
    chosen = (whole_numbers(layers), whole_numbers(heads))
    return _maps(str(db()), cache_token(db()), run_id, image_id, method, target, *chosen)


def head_stats(run_id: int, image_id: int | None = None) -> pd.DataFrame:
    """The view `head_stats` of a run, or of one image in it."""
    return ask_cached(read.head_stats, run_id=run_id, image_id=image_id)


def outliers(run_id: int, image_id: int) -> float | None:
    """The share of an image's patch tokens with an abnormal norm, where it is known."""
    return ask_cached(read.outliers, run_id=run_id, image_id=image_id)


def predicted_class(run_id: int, image_id: int) -> int | None:
    """The class that a run's classifier thinks likeliest for an image, where it has been asked."""
    return ask_cached(read.predicted_class, run_id=run_id, image_id=image_id)


def map_levels(run_id: int, method: str) -> tuple[list[int], list[int]]:
    """The layers and the heads of which this method has maps; no heads where its maps belong to none."""
    return ask_cached(aggregate.levels, run_id=run_id, method=method)


def group_maps(
    run_id: int,
    ids: np.ndarray,
    method: str,
    target: str | None,
    layer: int,
    head: aggregate.Head,
    accumulate: bool = False,
) -> AttentionMaps:
    """One map of each of these images (ids (n,) int64), as `store.aggregate.group_maps` gives them. Read-only."""
    return _group_maps(str(db()), cache_token(db()), run_id, ids.tobytes(), method, target, layer, head, accumulate)


# ---- heads over many images: ids (n,) int64, None for all of the run ------------------------------------------------


def head_statistics(run_id: int) -> list[str]:
    """The statistics of heads that this run has, `importance` among them."""
    return list(ask_cached(head_store.statistics, run_id=run_id))


def head_targets(run_id: int) -> list[str]:
    """What the importances of this run's heads are importances for."""
    return list(ask_cached(head_store.targets, run_id=run_id))


def head_means(run_id: int, statistic: str, target: str = "", ids: np.ndarray | None = None) -> pd.DataFrame:
    """layer, head, mean, spread (standard deviation over the images), images (how many)."""
    return ask_cached(head_store.means, run_id=run_id, statistic=statistic, target=target, ids=ids)


def head_peaks(run_id: int, layer: int, head: int, k: int, ids: np.ndarray | None = None) -> pd.DataFrame:
    """The k images in which a head gives one patch most: image_id, peak, x0, y0, x1, y1, rows, cols of the frame."""
    return ask_cached(head_store.peaks, run_id=run_id, layer=layer, head=head, k=k, ids=ids)


def head_methods(run_id: int) -> pd.DataFrame:
    """method, target, images: the stored maps that belong to single heads."""
    return ask_cached(head_store.methods, run_id=run_id)


def head_maps(head: head_store.Head, ids: Sequence[int]) -> dict[int, np.ndarray]:
    """One head's maps of some images: {image_id: weights (rows, cols)}. Read-only."""
    return ask_cached(head_store.maps, head=head, ids=whole_numbers(ids))


def head_mean_map(head: head_store.Head, ids: np.ndarray | None = None) -> AttentionMaps | None:
    """The mean of one head's maps. Read-only."""
    return ask_cached(head_store.mean_map, head=head, ids=ids)


def head_similarity(run_id: int, method: str, ids: np.ndarray | None = None) -> head_store.HeadSimilarity | None:
    """How alike all heads of a run look. Read-only."""
    return ask_cached(head_store.similarity, run_id=run_id, method=method, ids=ids)


def head_names(run_id: int) -> pd.DataFrame:
    """layer, head, name, note, created_at: what people called the heads."""
    return ask(head_store.names, run_id=run_id)


def name_head(run_id: int, layer: int, head: int, name: str, note: str) -> None:
    """Store a head's name and note; forget it if both are empty."""
    which = f"layer {layer}, head {head}"
    with editing(f"{which} named “{name.strip()}”" if name.strip() else f"name of {which}", "head_name") as con:
        head_store.set_name(con, run_id, layer, head, name, note)


@st.cache_resource(max_entries=64, show_spinner=False)
def _maps(
    path: str, token: str, run_id: int, image_id: int, method: str, target: str, layers: Any, heads: Any
) -> AttentionMaps | None:
    with connection.reading(path) as con:
        stack = read.maps(con, run_id, image_id, method, target, layers, heads)
    if stack is not None:
        stack.weights.flags.writeable = False  # shared by every session
    return stack


@st.cache_resource(max_entries=2, show_spinner="Reading the maps …")
def _group_maps(path: str, token: str, run_id: int, ids: bytes, *which: Any) -> AttentionMaps:
    with connection.reading(path) as con:
        found = aggregate.group_maps(con, run_id, np.frombuffer(ids, np.int64), *which)
    found.weights.flags.writeable = False
    return found
