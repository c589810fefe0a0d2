"""Runs, the networks behind them, the features that these found and the texts that they read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.data.cache.file import db
from dashboard.data.cache.memory import annotating, ask, ask_cached, cache_token
from store import aggregate, read, texts, vectors
from store.errors import StoreError
from store.records import FrameRecord, Run, RunRecord
from store.texts import StoredText

if TYPE_CHECKING:
    from ingest.vision.backbones import Backbone
    from ingest.vision.words.tower import TextTower


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


def text_vectors(run: RunRecord, wanted: Sequence[str]) -> dict[str, StoredText]:
    """{text: StoredText} of these texts, as they are stored with the run or else as its text tower reads them now; then
    they are stored. Only where one is new is the tower needed: raises its NoTextTower, and TextError."""
    found = stored_texts(run, wanted)
    missing = [text for text in dict.fromkeys(wanted) if text not in found]
    if missing:
        fresh = [StoredText(**row) for row in text_tower(run).described(missing)]
        found |= {each.text: each for each in fresh}
        try:
            with annotating() as con:
                texts.add_texts(con, run.run_id, fresh)
        except StoreError:
            pass  # an ingest is writing, or nobody may: the search goes on, and the next one reads the text again
    return found


def stored_texts(run: RunRecord, wanted: Sequence[str]) -> dict[str, StoredText]:
    """{text: StoredText} of those of these texts that are stored with the run. Needs no network."""
    return dict(ask(texts.texts, run_id=run.run_id, wanted=tuple(dict.fromkeys(wanted))))


def text_tower(run: Run) -> TextTower:
    """The text tower of a run's network. Loaded once, shared by all. NoTextTower."""
    chosen = {key: value for key, value in run.settings.items() if key != "measured"}
    return _text_tower(json.dumps(chosen, sort_keys=True))


@st.cache_resource(max_entries=2, show_spinner="Loading the network …")
def _backbone(settings: str) -> Backbone:
    from ingest.vision import backbones

    return backbones.load_for_run(json.loads(settings))


@st.cache_resource(max_entries=2, show_spinner="Loading the text tower …")
def _text_tower(settings: str) -> TextTower:
    from ingest.vision.words.opening import load_text_tower

    return load_text_tower(json.loads(settings))


@st.cache_resource(max_entries=4, show_spinner=False)
def _features(path: str, token: str, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    return vectors.vectors(path, run_id)


def _scored(ids: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image_id": ids, "similarity": similarity})
