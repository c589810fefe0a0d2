"""New images in an old layout: they find their places, and the others stay where they are.

No fitted model is stored. The points that are there, exactly as they are stored, stand for it: each projection of
`ingest.vision` says how new points find their places among them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ingest import atlas, clusters, worker
from ingest.copies import distinct
from ingest.layouts import placing
from ingest.projections import note
from ingest.vision.projections import Layout, title
from store import read, search, write
from store.connection import reading, writing
from store.counts import counted
from store.records import RunRecord

ON_COPIES = "copies at the place of the first"


@dataclass(frozen=True)
class Extension:
    """What became of a layout: how many images were placed into it, and by which rule."""

    projection_id: int
    method: str
    placed: int
    rule: str


@dataclass(frozen=True)
class Extended:
    """The layouts that were `made` longer, and those that `failed`, {what: a sentence that says why}."""

    made: list[Extension] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """New points (m, 2) float64, the rule they follow, and how many of them are copies."""

    points: np.ndarray
    rule: str
    copies: int


def laid_out(db: Path, runs: Sequence[RunRecord], methods: Collection[str]) -> list[RunRecord]:
    """Those of the runs that have a layout of one of these methods."""
    with reading(db) as con:
        found = {row["run_id"] for row in read.projections(con).to_pylist() if row["method"] in methods}
    return [run for run in runs if run.run_id in found]


def extend(db: Path, run_id: int, methods: list[str], log: Callable[[str], None] = lambda line: None) -> Extended:
    """Places the images of a run that have no point yet into its layouts of these methods; returns what changed.

    The stored points keep their every bit; a new image that is a copy of a placed one gets the very point of that. The
    layout's settings then say how many images it was `fitted` to, how many were `placed_later`, and by which rule.
    Raises ValueError if the run has no layout of these methods.
    """
    with reading(db) as con:
        ids, vectors = search.features(con, run_id)
        stored = [row for row in read.projections(con, run_id).to_pylist() if row["method"] in methods]
        points = {row["projection_id"]: read.points(con, row["projection_id"]) for row in stored}
    if not stored:
        raise ValueError(
            f"run {run_id} has no layout by {' or '.join(methods)} to extend; make one with: "
            f"python -m ingest project --run {run_id} --methods {','.join(methods)}"
        )
    done = Extended()
    for row in stored:
        number, method, settings = row["projection_id"], row["method"], json.loads(row["settings"])
        table = points[number]
        old = np.isin(ids, table["image_id"].to_numpy())
        if old.all():
            continue
        if not old.any():
            raise ValueError(
                f"the layout {number} ({method}) of run {run_id} has no images left to go by; make it anew with: "
                f"python -m ingest project --run {run_id} --methods {method}"
            )
        count = int((~old).sum())
        log(f"placing {counted(count, 'image')} into {method}")
        kept = np.isin(table["image_id"].to_numpy(), ids)
        there = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)[kept]
        try:
            placed = place_distinct(Layout(method, vectors[old], there, settings), vectors[~old])
        except worker.WorkerError as error:
            again = f"python -m ingest project --extend --run {run_id} --methods {method}"
            done.failed[method] = f"nothing was placed into {title(method)}: {error}; to try again: {again}"
            log(done.failed[method])
            continue
        added = _add(db, run_id, number, ids[~old], placed)
        if added:
            done.made.append(Extension(number, method, added, placed.rule))
    note(db, run_id, [each.method for each in done.made], done.failed)
    atlas.make(db, run_id, log)
    return done


def _add(db: Path, run_id: int, number: int, ids: np.ndarray, placed: Placed) -> int:
    """Stores the points of those images that are still there and have none yet: while they were computed, another may
    have extended the layout, or deleted images. Returns how many these are."""
    with writing(db) as con:
        row = next((row for row in read.projections(con, run_id).to_pylist() if row["projection_id"] == number), None)
        if row is None:
            return 0
        there = read.points(con, number)["image_id"].to_numpy()
        lacking = np.isin(ids, search.feature_ids(con, run_id)) & ~np.isin(ids, there)
        ids, placed = ids[lacking], replace(placed, points=placed.points[lacking])
        if len(ids):
            clusters.extend(con, number, ids, placed.points)
            noted = _noted(json.loads(row["settings"]), len(there), placed)
            write.extend_projection(con, number, noted, ids, placed.points)
    return len(ids)


def place_distinct(layout: Layout, vectors: np.ndarray) -> Placed:
    """Places new vectors (m, dim) as `placing` says, in the worker: distinct ones go by the distinct old ones, and
    copies lie where the first of them does, be that an old or a new one. Raises WorkerError."""
    placed = len(layout.vectors)
    found = distinct(np.concatenate([layout.vectors, vectors]))
    old, new = found.firsts[found.firsts < placed], found.firsts[found.firsts >= placed]
    points, rule = layout.points[old], ON_COPIES
    if len(new):
        base = Layout(layout.method, layout.vectors[old], points, layout.settings)
        rule, function = placing(base)
        more = worker.call(function, base, vectors[new - placed])
        points = np.concatenate([points, np.asarray(more, dtype=np.float64)])
    return Placed(points[found.of[placed:]], rule, len(vectors) - len(new))


def _noted(settings: dict[str, Any], points: int, placed: Placed) -> dict[str, Any]:
    later = settings.get("placed_later", 0) + len(placed.points)
    noted = {"fitted": settings.get("fitted", points), "placed_later": later, "placed_by": placed.rule}
    copies = settings.get("copies_placed", 0) + placed.copies
    return settings | noted | ({"copies_placed": copies} if copies else {})
