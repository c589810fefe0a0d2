"""The text tower of a run, and the vectors of texts that it has read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.data.cache.memory import annotating, ask
from store import texts
from store.errors import StoreError
from store.records import Run, RunRecord
from store.texts import StoredText

if TYPE_CHECKING:
    from ingest.vision.words.tower import TextTower


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


@st.cache_resource(max_entries=2, show_spinner="Loading the text tower …")
def _text_tower(settings: str) -> TextTower:
    from ingest.vision.words.opening import load_text_tower

    return load_text_tower(json.loads(settings))
