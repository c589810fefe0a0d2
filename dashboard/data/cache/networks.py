"""Runs, the networks behind them, and the features that these found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.compute import neighbours
from dashboard.data.cache.file import db
from dashboard.data.cache.memory import ask_cached, cache_token, noted
from store import aggregate, connection, patch_features, read, recurring, vectors
from store.errors import StoreError
from store.records import FrameRecord, Run, RunRecord

if TYPE_CHECKING:
    from ingest.vision.backbones import Backbone

NETWORKS = 2  # that are loaded at a time


def runs(collection: str | None = None) -> list[RunRecord]:
    """The runs, the oldest first."""
    return list(ask_cached(read.runs, collection=collection))


def run(run_id: int) -> RunRecord:
    """One run. StoreError if there is no such run."""
    found = ask_cached(read.run, run_id=run_id)
    if found is None:
        raise StoreError(f"There is no run {run_id} in this database.")
    return found


def current_run() -> RunRecord | None:
    """The run in view, or None."""
    run_id = st.session_state.get("run")
    return None if run_id is None else ask_cached(read.run, run_id=int(run_id))


def run_in_view() -> RunRecord:
    """The run in view, for pages that are shown only where there is one. StoreError if it is gone."""
    found = current_run()
    if found is None:
        raise StoreError("No run is in view. Choose one in the sidebar.")
    return found


def frame(run_id: int, image_id: int) -> FrameRecord | None:
    """What of the image the run's network saw."""
    return ask_cached(read.frame, run_id=run_id, image_id=image_id)


def frames(run_id: int) -> pd.DataFrame:
    """image_id, x0, y0, x1, y1, rows, cols, width, height (of the original) of each image that the run has seen."""
    return ask_cached(aggregate.frames, run_id=run_id)


def backbone(run: Run) -> Backbone:
    """The network of a run, ready to compute: `ingest.vision.backbones.load_for_run`. Loaded once, shared by all."""
    return network(run.settings)


def network(settings: Mapping[str, Any]) -> Backbone:
    """The same from the settings of a run alone."""
    chosen = {key: value for key, value in settings.items() if key not in ("measured", "title")}
    return _backbone(json.dumps(chosen, sort_keys=True))


def features(run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) and their L2-normalised vectors (n, dim) float32. Read-only."""
    return _features(str(db()), cache_token(db()), run_id)


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


def pair_similarities(run_id: int) -> np.ndarray:
    """The cosine similarities (m,), ascending, of pairs of a run's pictures: `neighbours.pair_similarities`."""
    return noted(lambda: neighbours.pair_similarities(features(run_id)[1]), "pairs", run_id)


def runs_with_patches() -> dict[int, int]:
    """{run_id: pictures with patches} of the runs in whose pictures details can be searched."""
    return ask_cached(patch_features.runs_with_patches)


def detail_patches(run_id: int) -> tuple[patch_features.StoredCoding, patch_features.StoredPatches]:
    """The patches of a run's pictures, and how they are coded. StoreError where it has none. Read-only."""
    return _detail_patches(str(db()), cache_token(db()), run_id)


def recurring_details(run_id: int) -> pd.DataFrame:
    """group_id, kind, image_id, x0, y0, x1, y1 (pixels of the original), stage, matches, mirrored, pictures: the places
    of the groups that recur among a run's pictures, the largest group first."""
    return ask_cached(recurring.groups, run_id=run_id)


def recurring_searches(run_id: int) -> list[dict[str, Any]]:
    """The searches for what recurs among a run's pictures, as `store.recurring.searches` gives them."""
    return ask_cached(recurring.searches, run_id=run_id)


@st.cache_resource(max_entries=2, show_spinner="Loading the patches …")
def _detail_patches(
    path: str, token: str, run_id: int
) -> tuple[patch_features.StoredCoding, patch_features.StoredPatches]:
    with connection.reading(path) as con:
        found, coding = patch_features.patches(con, run_id), patch_features.coding(con, run_id)
    if coding is None:
        raise StoreError(f"Run {run_id} does not say how its patches are coded.")
    return coding, found


@st.cache_resource(max_entries=NETWORKS, show_spinner="Loading the network …")
def _backbone(settings: str) -> Backbone:
    from ingest.vision import backbones

    return backbones.load_for_run(json.loads(settings))


@st.cache_resource(max_entries=4, show_spinner=False)
def _features(path: str, token: str, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    return vectors.vectors(path, run_id)


def _scored(ids: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image_id": ids, "similarity": similarity})
