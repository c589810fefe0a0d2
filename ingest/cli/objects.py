"""The command that finds objects in pictures without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import (
    db_option,
    device_option,
    images_option,
    json_option,
    model_option,
    size_option,
    source_options,
    weights_option,
    where_option,
)
from ingest.cli.plain import SourceCommand, finish
from ingest.report import Report


@click.command(cls=SourceCommand)
@source_options
@db_option
@click.option(
    "--method",
    default="tokencut",
    show_default=True,
    help="tokencut: the patches cut in two where they are least alike; lost: the patch that is like the fewest others, "
    "and those that are like it.",
)
@click.option("--objects", type=int, default=1, show_default=True, help="How many of a picture, at most.")
@model_option
@weights_option
@click.option(
    "--fit",
    type=click.Choice(["auto", "model", "crop", "stretch", "pad", "aspect"]),
    default="auto",
    show_default=True,
    help="auto: the whole picture, in its own shape where the network takes any; the others as of `run`.",
)
@size_option
@click.option("--tau", type=float, help="Of tokencut: the cosine above which two patches are alike.  [default: 0.2]")
@click.option("--k-patches", type=int, help="Of lost: from how many patches the object grows.  [default: 100]")
@click.option(
    "--centre/--no-centre",
    default=True,
    show_default=True,
    help="Take what all keys of a picture have in common from them, as networks such as DINOv2 need; the papers, on "
    "DINO, do not.",
)
@click.option(
    "--as-collection",
    help="Make the objects pictures of a collection of this name too, for `embed`, `project` and the pages.",
)
@click.option("--run", "run_id", type=int, help="Continue this run of the view object_runs, with its settings.")
@images_option
@where_option
@device_option
@json_option
def objects(
    source: Any,
    db: Path,
    as_json: bool,
    images: str | None,
    where: str | None,
    run_id: int | None,
    device: str,
    tau: float | None,
    k_patches: int | None,
    as_collection: str | None,
    **options: Any,
) -> None:
    """Find what stands out in each picture, without training: boxes, with scores and thumbnails (view objects).

    A box is a suggestion. Again on the same source: only what is new is searched.
    """
    from ingest.explain import narrow
    from ingest.objects.finding import find_objects
    from ingest.objects.settings import ObjectSettings, checked, stored_run
    from ingest.sources.registry import list_source

    report = Report(as_json)
    if run_id is not None:
        _refuse_typed(run_id)
    own = {name: value for name, value in {"tau": tau, "k_patches": k_patches}.items() if value is not None}
    settings = checked(ObjectSettings(**options, options=own))
    if run_id is not None:
        stored_run(db, run_id)
    listing = narrow(db, list_source(db, source, report), images, where)
    counts = find_objects(db, listing, settings, report, run_id, device)
    if as_collection and counts["run_id"] is not None:
        counts["derived"] = _derive(db, counts["run_id"], as_collection, report)
    finish(report, counts)


def _refuse_typed(run_id: int) -> None:
    """UsageError for settings that are typed beside --run, which has its own."""
    context = click.get_current_context()
    settings = ("method", "objects", "model", "weights", "fit", "size", "tau", "k_patches", "centre")
    typed = [f"--{name.replace('_', '-')}" for name in settings if _is_typed(context, name)]
    if typed:
        raise click.UsageError(
            f"--run {run_id} goes on with the settings of run {run_id}; leave out {', '.join(typed)}"
        )


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _derive(db: Path, run_id: int, name: str, report: Report) -> dict[str, Any]:
    """The objects of a run as the pictures of a collection: what became of them."""
    from ingest import workflow
    from ingest.sources.registry import list_source
    from ingest.sources.request import Request

    listing = list_source(db, Request(f"objects:{run_id}", name), report)
    found = workflow.scan(db, listing, None, report)
    already = len(listing.tasks) - found.done - found.failed
    return {"collection": listing.collection, "new": found.done, "already": already, "failed": found.failed}
