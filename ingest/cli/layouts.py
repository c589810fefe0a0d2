"""The command that lays a run out on a map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.cli.options import db_option, json_option, layouts_option
from ingest.cli.plain import PlainCommand, exit_with
from ingest.report import Report

if TYPE_CHECKING:
    from ingest.extending import Extended
    from store.records import RunRecord


def _numbers(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not a name and a number, as n_neighbors=5") from None
    return found


@click.command(cls=PlainCommand)
@click.option(
    "--run",
    "run_id",
    type=int,
    help="The run whose features are laid out.  [default: the newest, with --extend that of each collection]",
)
@layouts_option("--methods")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=NUMBER",
    callback=_numbers,
    help="A setting that is not to be the usual one, as n_neighbors=5 or perplexity=5; again for another. The usual "
    "layout stays beside it.",
)
@click.option("--extend", is_flag=True, help="Place the images that have no point yet; move none of the others.")
@db_option
@json_option
def project(
    db: Path, as_json: bool, run_id: int | None, layouts: tuple[str, ...], changes: dict[str, float], extend: bool
) -> None:
    """Lay the images of a run out on a map: UMAP, t-SNE, PCA."""
    from ingest.projections import check_changes, check_layouts
    from ingest.projections import project as lay_out
    from ingest.runs import newest_run, newest_runs

    report = Report(as_json)
    check_layouts(layouts)
    check_changes(layouts, changes)
    run = newest_run(db, run_id)
    if extend and changes:
        raise ValueError("--extend places images into a layout as it is; leave --set out, or --extend")
    if extend:
        _extend(report, db, newest_runs(db) if run_id is None else [run], list(layouts))
        return
    run_id = run.run_id
    done = lay_out(db, run_id, list(layouts), report.log, changes)
    sentences = [
        f"{what} {', '.join(names)}" for what, names in (("made", done.made), ("failed", done.failed)) if names
    ]
    report.finish(
        f"run {run_id}: {'; '.join(sentences) or 'all layouts are there already'}",
        {"run_id": run_id, "projections": done.made, "projections_failed": done.failed},
    )
    exit_with(0, len(done.failed))


def _extend(report: Report, db: Path, runs: Sequence[RunRecord], layouts: list[str]) -> None:
    """Place the new images of runs; of several, those that have no such layout are left out."""
    from ingest.extending import laid_out

    with_layout = laid_out(db, runs, layouts)
    for run in runs if with_layout else ():
        if run not in with_layout:
            report.log(f"run {run.run_id} ({run.collection}) has no layout by {' or '.join(layouts)}: it is left out")
    chosen = with_layout or runs[:1]  # a sentence says what the first lacks
    done = {run.run_id: _extend_run(report, db, run.run_id, layouts, alone=len(chosen) == 1) for run in chosen}
    found = [
        {"run_id": run_id, "extended": [vars(one) for one in each.made], "projections_failed": each.failed}
        for run_id, each in done.items()
    ]
    line = " · ".join(f"run {run_id}: {_sentence(each)}" for run_id, each in done.items())
    report.finish(line, found[0] | ({"runs": found} if len(found) > 1 else {}))
    exit_with(0, sum(len(each.failed) for each in done.values()))


def _extend_run(report: Report, db: Path, run_id: int, layouts: list[str], alone: bool) -> Extended:
    """What became of the layouts of a run; one that cannot be extended ends the command only if it is `alone`."""
    from ingest.extending import Extended, extend

    try:
        return extend(db, run_id, layouts, report.log)
    except ValueError as error:
        if alone:
            raise
        report.log(str(error))
        return Extended(failed={", ".join(layouts): str(error)})


def _sentence(done: Extended) -> str:
    parts = [f"{each.placed} placed into {each.method} by {each.rule}" for each in done.made]
    sentences = [*parts, "no other image has moved"] if parts else []
    if done.failed:
        sentences.append(f"failed: {', '.join(done.failed)}")
    return "; ".join(sentences) or "every image has its place already"
