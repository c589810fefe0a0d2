"""The maps of a figure: stored ones and those that the network makes now, one picture after the other; what cannot be
had says why in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from dashboard.data import cache
from dashboard.drawing import map_values
from dashboard.drawing.figure.plan import Cell
from dashboard.drawing.panels import Scene
from dashboard.selection.maps import columns as naming
from dashboard.selection.maps import lookup
from dashboard.selection.maps.columns import Column
from dashboard.selection.maps.lookup import WORDS, NoMaps, Subject
from ingest.vision.geometry import Frame
from store.maps import AttentionMaps

UNITS = {
    "uniform": "× uniform",
    "weight": "weight",
    "patches": "weight over patches",
}


@dataclass(frozen=True)
class Found:
    """One map as its method gives it, and what the network saw of the picture; or the `problem`."""

    maps: AttentionMaps | None = None
    frame: Frame | None = None
    problem: str = ""


def subjects(ids: Sequence[int]) -> list[tuple[int, Subject | str]]:
    """The pictures to draw on; a sentence of each that there is not."""
    found: list[tuple[int, Subject | str]] = []
    for image_id in ids:
        try:
            found.append((image_id, lookup.subject_of(cache.run_in_view(), image_id)))
        except NoMaps as reason:
            found.append((image_id, str(reason)))
    return found


def find(
    pictures: Sequence[tuple[int, Subject]],
    columns: Sequence[Column],
    attempt: int,
    show: Callable[[list[list[Found]]], None] = lambda rows: None,
) -> list[list[Found]]:
    """For each picture one map a column. What is made now is a row at a time, and `show` draws those that are ready.
    They are remembered until the database or the `attempt` is another."""
    for column in columns:  # to store a text changes the database, and with it what is remembered
        if column.target.startswith(WORDS):
            try:
                lookup.vector_of(cache.run(column.run_id), column.target.removeprefix(WORDS))
            except NoMaps:
                continue  # said in the panel
    texts = tuple(replace(column, title="").text for column in columns)
    place, rows = st.empty(), []
    if (
        len({column.run_id for column in columns}) > cache.NETWORKS
    ):  # so many at hand: row by row all would be loaded anew
        _load_in_turn(pictures, columns, place)
    for number, (image_id, subject) in enumerate(pictures):
        begun = f"Picture {number + 1} of {len(pictures)}, {subject.title[:60]}"
        made: list[int] = []
        key = ("figure", image_id, texts, attempt)
        rows.append(cache.computed(partial(_row, subject, columns, place, begun, number / len(pictures), made), *key))
        if made and len(rows) < len(pictures):
            show(rows)
    place.empty()
    return rows


def _row(
    subject: Subject, columns: Sequence[Column], place: Any, begun: str, share: float, made: list[int]
) -> list[Found]:
    """One picture's maps; `made` gets an entry for each."""
    found = []
    for column in columns:
        run = cache.run(column.run_id)
        place.progress(share, text=f"{begun}: {naming.named(column)} by {run.title}")
        found.append(_one(subject, column))
        made.append(1)
    return found


def _load_in_turn(pictures: Sequence[tuple[int, Subject]], columns: Sequence[Column], place: Any) -> None:
    """Let one network after the other make its maps of all pictures, which are remembered."""
    for column in sorted(columns, key=lambda each: each.run_id):
        for _, subject in pictures:
            place.progress(0.0, text=f"{cache.run(column.run_id).title}: {subject.title[:60]}")
            _one(subject, column)


def _one(subject: Subject, column: Column) -> Found:
    try:
        own = replace(subject, run=cache.run(column.run_id))
        question = column.question()
        if question.entry is not None and question.entry.needs_target and not question.target:
            return Found(problem="Nothing to explain: type a text.")
        found = lookup.find(own, question)
        return Found(map_values.single(found.maps, 0), found.frame)
    except NoMaps as reason:
        return Found(problem=str(reason))
    except Exception as error:  # one map that fails is no reason to lose the others
        return Found(problem=f"This map could not be made: {error}")


def unit_of(asked: str, scale: str, grid: Sequence[Sequence[Found]]) -> str:
    """The unit that the maps can be drawn in: what shares a scale has to be counted alike."""
    if scale == "absolute":
        return "uniform"
    kinds = [[one.maps.unit for one in line if one.maps is not None] for line in grid]
    mixed = any(len(set(line)) > 1 for line in kinds)
    return "uniform" if asked == "weight" and scale in ("figure", "row") and mixed else asked


def cells(subject: Subject, line: Sequence[Found], unit: str) -> tuple[Cell, ...]:
    """One picture's maps in a unit, a key of UNITS, with their scenes."""
    found = []
    for one in line:
        if one.maps is None or one.frame is None:
            found.append(Cell(problem=one.problem))
            continue
        scene = Scene(subject.picture, subject.size, one.frame, subject.title)
        change = {"uniform": map_values.uniform, "patches": map_values.renormalised}.get(unit)
        found.append(Cell(one.maps if change is None else change(one.maps, scene.cells()), scene))
    return tuple(found)
