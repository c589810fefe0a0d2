"""Runs, the networks behind them, and the features that these found."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask_settled, settled
from store import aggregate, read, vectors
from store.records import FrameRecord


def runs(collection: str | None = None) -> pd.DataFrame:
    """The view `runs` and images, how many have a feature."""
    return ask_settled(read.runs, collection=collection)


def run(run_id: int) -> dict[str, Any] | None:
    """One run as a dict, settings and versions as dicts; None if there is no such run."""
    found = ask_settled(read.run, run_id=run_id)
    return found and {**found, "title": found["settings"].get("title") or found["backbone"]}


def current_run() -> dict[str, Any] | None:
    """The run in view as `store.read.run` gives it (settings and versions as dicts), or None."""
    run_id = st.session_state.get("run")
    return None if run_id is None else run(int(run_id))


def frame(run_id: int, image_id: int) -> FrameRecord | None:
    """What of the image the run's network saw."""
    return ask_settled(read.frame, run_id=run_id, image_id=image_id)


def frames(run_id: int) -> pd.DataFrame:
    """image_id, x0, y0, x1, y1, rows, cols, width, height (of the original) of each image that the run has seen."""
    return ask_settled(aggregate.frames, run_id=run_id)


def backbone(run: Mapping[str, Any]) -> Any:
    """The network of a run, ready to compute: `ingest.vision.backbones.load_for_run`. Loaded once, shared by all."""
    chosen = {key: value for key, value in run["settings"].items() if key != "measured"}
    return _backbone(json.dumps(chosen, sort_keys=True))


def features(run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) and their L2-normalised vectors (n, dim) float32. Read-only."""
    return _features(str(db()), settled(db()), run_id)


def nearest(run_id: int, image_id: int, k: int, among: np.ndarray | None = None) -> pd.DataFrame:
    """image_id, similarity (cosine, best first, the image itself left out); no rows for an image without a feature.
    `among` (n,) bool leaves only some of `features` in question."""
    ids, matrix = features(run_id)
    place = int(np.searchsorted(ids, image_id))
    if place == len(ids) or ids[place] != image_id:
        return _scored(ids[:0], np.empty(0, np.float32))
    others = ids != image_id
    return nearest_to(run_id, matrix[place], k, others if among is None else others & among)


def nearest_to(run_id: int, vector: np.ndarray, k: int, among: np.ndarray | None = None) -> pd.DataFrame:
    """The images most like a vector (dim,): image_id, similarity (cosine, best first). `among` (n,) bool leaves only
    some of `features` in question. Remembers nothing."""
    return _scored(*vectors.nearest(*features(run_id), vector, k, among))


@st.cache_resource(max_entries=2, show_spinner="Loading the network …")
def _backbone(settings: str) -> Any:
    from ingest.vision import backbones

    return backbones.load_for_run(json.loads(settings))


@st.cache_resource(max_entries=4, show_spinner=False)
def _features(path: str, token: str, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    return vectors.vectors(path, run_id)


def _scored(ids: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image_id": ids, "similarity": similarity})
