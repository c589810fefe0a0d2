"""Layouts of a run's features in two dimensions, made and stored with every setting that was really used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ingest import atlas, clusters, layouts, worker
from ingest.copies import Distinct, distinct
from ingest.layouts import check_changes, check_layouts, settings_of
from ingest.report import shares
from ingest.vision import progress
from ingest.vision.projections import projections, title
from store import read, search, write
from store.atlas import collection_of
from store.connection import reading, writing
from store.counts import counted

__all__ = ["Projected", "check_changes", "check_layouts", "note", "project", "settings_of"]

STAGE = "project"  # of `failures`


@dataclass(frozen=True)
class Projected:
    """The layouts that were `made`, by their methods, and those that `failed`, {what: a sentence that says why}."""

    made: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def project(
    db: Path,
    run_id: int,
    methods: list[str],
    log: Callable[[str], None] = lambda line: None,
    changes: Mapping[str, float] | None = None,
) -> Projected:
    """Computes the layouts `methods` of a run's features and stores them; returns those that were not there already.
    `changes` are settings that are not to be the usual ones; the usual layout stays beside such a one.

    What is laid out are the distinct vectors; copies are put at the very place of the first of them. Each layout is
    computed in a process of its own, and one that fails leaves a row in `failures` and the others as they are. A layout
    that holds exactly the run's images with the same settings is left as it is. Clusters are looked for in all layouts
    of the run and the pictures are made small for the map, where that has not been done yet.
    """
    with reading(db) as con:
        ids, vectors = search.features(con, run_id)
        stored = read.projections(con, run_id).to_pylist()
    done = Projected()
    missing = [method for method in methods if not any(_holds(row, method, len(ids), changes) for row in stored)]
    if len(ids) and missing:
        found = distinct(vectors)
        for method in missing:
            settings_of(method, len(found.firsts), changes)  # what is out of range is said before anything is made
        if found.copies:
            log(f"{counted(found.copies, 'image')} of {len(ids)} lie exactly on others: their features are the same")
        for method in missing:
            log(f"laying out {counted(len(found.firsts), 'image')} with {method}")
            _make(db, run_id, method, changes, stored, ids, vectors, found, done, log)
    done.failed.update(clusters.make(db, run_id, ids, vectors, log))
    note(db, run_id, [*methods, *map(clusters.named, projections())], done.failed)
    atlas.make(db, run_id, log)
    return done


def note(db: Path, run_id: int, tried: list[str], failed: dict[str, str]) -> None:
    """Writes into `failures` what failed of a run's layouts and clusters, and takes away what was noted there and has
    been `tried` with success."""
    names = {what: f"{what} of run {run_id}" for what in [*tried, *failed]}
    with reading(db) as con:
        collection = collection_of(con, run_id)
        noted = {row["path"] for row in read.failures(con).to_pylist() if row["stage"] == STAGE}
    past = [name for what, name in names.items() if name in noted and what not in failed]
    if past or failed:
        with writing(db) as con:
            write.clear_failures(con, collection, past)
            write.add_failures(con, collection, [(names[what], STAGE, sentence) for what, sentence in failed.items()])


def _make(
    db: Path,
    run_id: int,
    method: str,
    changes: Mapping[str, float] | None,
    stored: list[dict[str, Any]],
    ids: np.ndarray,
    vectors: np.ndarray,
    found: Distinct,
    done: Projected,
    log: Callable[[str], None],
) -> None:
    """One layout, into the database and into `done`."""
    settings = settings_of(method, len(found.firsts), changes)
    try:
        make = layouts.used(method, settings).lay_out
        with progress.listening(shares(log, method)):
            laid = worker.call(layouts.lay_out, make, vectors[found.firsts], settings)
    except worker.WorkerError as error:
        again = f"python -m ingest project --run {run_id} --methods {method}"
        done.failed[method] = f"{title(method)} was not made: {error}; to try again: {again}"
        log(done.failed[method])
        return
    numbers = {"distinct": len(found.firsts), "copies": found.copies}
    settings |= numbers | laid.notes | {"versions": layouts.versions(method, settings | laid.notes)}
    with writing(db) as con:
        there = np.isin(ids, search.feature_ids(con, run_id))  # an image may have been deleted meanwhile
        # One that lacks images which have come since would be taken for the map of the whole run.
        for row in stored:
            if row["method"] == method and row["points"] != there.sum():
                write.drop_projection(con, row["projection_id"])
        write.add_projection(con, run_id, method, settings, ids[there], laid.points[found.of][there])
    done.made.append(method)


def _holds(row: dict[str, Any], method: str, images: int, changes: Mapping[str, float] | None = None) -> bool:
    """Whether a stored layout is this one, of all images, made as it would be made now."""
    stored = json.loads(row["settings"]) if isinstance(row["settings"], str) else row["settings"]
    if row["method"] != method:
        return False
    # One that was extended has the settings of the images of then; an older one laid copies out as well.
    suits = settings_of(method, stored.get("distinct", stored.get("fitted", images)), changes)
    if "distinct" not in stored:
        suits = {key: value for key, value in suits.items() if key in stored}
    # The start may have failed; a layout of all images is no worse than one of a sample.
    same = all(stored.get(key) == value for key, value in suits.items() if key not in ("init", "sample"))
    return same and row.get("points") == images
