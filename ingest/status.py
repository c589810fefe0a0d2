"""What a database holds, for the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ingest import changes
from ingest.metadata import some
from ingest.vision.projections import differing
from store import read
from store.connection import reading
from store.counts import counted
from store.records import RunRecord
from store.rows import to_json


def gather(db: Path) -> dict[str, Any]:
    """Collections with the state of their files, runs with their stored methods, layouts and failures of a database,
    as plain data."""
    megabytes = round(db.stat().st_size / 1e6, 1) if db.exists() else 0.0
    with reading(db) as con:
        collections = read.collections(con).to_pylist()
        known = {row["name"]: read.known(con, row["collection_id"]) for row in collections}
        failed = {row["name"]: read.failures(con, row["name"])["path"].to_pylist() for row in collections}
        runs = read.runs(con)
        found = {
            "db": str(db),
            "megabytes": megabytes,
            "runs": [{**_row(run), "methods": read.methods(con, run.run_id).to_pylist()} for run in runs],
            "projections": read.projections(con).to_pylist(),
            "failures": read.failures(con).to_pylist(),
        }
    # The files are looked at only now: nobody keeps a database open for as long as a slow disk takes.
    states = [changes.compare(row["source"], known[row["name"]], failed[row["name"]]) for row in collections]
    files = [{**row, "files": vars(state)} for row, state in zip(collections, states, strict=True)]
    return {**found, "collections": files}


def describe(found: dict[str, Any]) -> str:
    """The same as lines to read."""
    lines = [f"{found['db']} · {found['megabytes']} MB"]
    for row in found["collections"]:
        lines.append(
            f"collection {row['name']}: {counted(row['images'], 'image')}, {counted(row['failures'], 'failure')}, "
            f"from {row['source']}"
        )
        lines += _files(row["files"], row["name"])
    for run in found["runs"]:
        methods = ", ".join(f"{m['method']} ({counted(m['maps'], 'map')})" for m in run["methods"]) or "features alone"
        layouts = _layouts([each for each in found["projections"] if each["run_id"] == run["run_id"]])
        lines.append(
            f"run {run['run_id']}: {run['backbone']} over {run['collection']}, {counted(run['images'], 'image')}, "
            f"fit {run['fit']} {run['size']} px · {methods} · {', '.join(layouts) or 'no layout'}"
        )
    for row in found["failures"][:20]:
        lines.append(f"failed: {row['path']}: {row['error']}")
    if len(found["failures"]) > 20:
        lines.append(f"… and {counted(len(found['failures']) - 20, 'more failure')} (SELECT * FROM failures)")
    return "\n".join(lines)


def _row(run: RunRecord) -> dict[str, Any]:
    """A run as `--json` writes it: settings and versions as text, as the view `runs` has them."""
    return vars(run) | {"settings": to_json(run.settings), "versions": to_json(run.versions)}


def _layouts(rows: list[dict[str, Any]]) -> list[str]:
    """What a run's layouts are called; where there are several of a method, with the settings that tell them apart, or
    else their numbers."""
    named = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        same = [row for row in rows if row["method"] == method]
        settings = differing(method, [json.loads(row["settings"] or "{}") for row in same])
        for row, own in zip(same, settings, strict=True):
            apart = ", ".join(f"{key}={value}" for key, value in own.items()) or f"layout {row['projection_id']}"
            named[row["projection_id"]] = f"{method} ({apart})" if len(same) > 1 else method
    return [named[row["projection_id"]] for row in rows]


def _files(state: dict[str, Any], collection: str) -> list[str]:
    """Lines on what has become of a collection's files; none where nothing has."""
    if not state["here"]:
        return ["  its folder is not there: thumbnails take the place of its pictures"]
    meanings = {
        "new": "`python -m ingest run` adds them",
        "changed": "`python -m ingest run` reads them again",
        "gone": f"`python -m ingest prune --collection {collection!r}` removes them",
    }
    if state["new"] and state["gone"]:
        meanings["new"] = "`python -m ingest run` adds them, and knows again those that were only moved: do this first"
    lines = [f"  {len(state[key])} {key} ({some(state[key])}): {what}" for key, what in meanings.items() if state[key]]
    if twice := state["duplicates"]:
        lines.append(f"  {counted(len(twice), 'picture')} more than once (such as {' = '.join(twice[0][:3])})")
    return lines


def as_table(rows: list[dict[str, Any]], columns: dict[str, str]) -> str:
    """Rows as aligned text; `columns` maps a key to its heading."""

    def text(value: Any) -> str:
        return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)

    cells = [list(columns.values())] + [[text(row[key]) for key in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in cells)
