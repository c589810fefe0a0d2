"""The commands that read pictures and pass them through a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ingest.cli.options import (
    Engine,
    allow_host_option,
    collection_option,
    db_option,
    engine_options,
    explained_option,
    images_option,
    json_option,
    layouts_option,
    machine_options,
    methods_option,
    model_options,
    source_options,
    where_option,
)
from ingest.cli.plain import PlainCommand, SourceCommand, exit_with, finish
from ingest.report import Report


@click.command(cls=SourceCommand)
@source_options
@db_option
@model_options
@methods_option
@layouts_option("--project")
@machine_options
@engine_options
@click.option("--patches", is_flag=True, help="Add the patches that details are searched in, as `details` does.")
@click.option("--prune", "prunes", is_flag=True, help="Forget the pictures whose files are gone, as `prune` does.")
@json_option
def run(
    source: Any,
    db: Path,
    as_json: bool,
    layouts: tuple[str, ...],
    patches: bool,
    prunes: bool,
    engine: Engine,
    **settings: Any,
) -> None:
    """Read a folder of pictures, a film, the address of a IIIF manifest or of a store (s3://…) into a database:
    thumbnails, features, attention, layouts.

    Again on the same source: only what is new is computed.
    """
    from ingest.changes import prune
    from ingest.metadata import report_lists
    from ingest.projections import check_layouts, project
    from ingest.runs import Settings
    from ingest.sources.registry import list_source
    from ingest.workflow import observe_collection

    report = Report(as_json)
    check_layouts(layouts)
    engine.refuse_source(source.address)
    with engine.opened(settings) as cluster:
        listing = list_source(db, source, report)
        pruned = {"pruned": prune(db, listing.collection, sure=True)["pruned"], "gone": []} if prunes else {}
        counts = observe_collection(db, listing, Settings(**settings, engine=cluster), "run", report)
    counts |= pruned
    counts |= {"lists": report_lists(db, listing.collection, report), "projections": [], "projections_failed": {}}
    if counts["run_id"] is not None:  # else no picture has been through the network
        done = project(db, counts["run_id"], list(layouts), report.log)
        counts |= {"projections": done.made, "projections_failed": done.failed}
        if patches:
            counts["details"] = _add_patches(db, counts, source, settings, report)
    finish(report, counts)


def _add_patches(
    db: Path, counts: dict[str, Any], source: Any, settings: dict[str, Any], report: Report
) -> dict[str, Any]:
    """The patches of a run that has just been made or gone on with."""
    from ingest.details.storing import PatchSettings, add_details
    from ingest.runs import newest_run
    from ingest.sources.registry import list_collection

    own = {name: settings[name] for name in ("device", "batch_size", "workers")}
    listing = list_collection(db, counts["collection"], source.options.get("allow_hosts", ()))
    return add_details(db, listing, newest_run(db, counts["run_id"]), PatchSettings(**own), report)


@click.command(cls=SourceCommand)
@source_options
@db_option
@click.option("--workers", type=click.IntRange(1), help="Threads that read pictures.  [default: chosen here]")
@json_option
def scan(source: Any, db: Path, as_json: bool, workers: int | None) -> None:
    """Only list the pictures of a folder, a film or a IIIF manifest, with thumbnails and metadata."""
    from ingest import workflow
    from ingest.metadata import report_lists
    from ingest.sources.registry import list_source

    report = Report(as_json)
    listing = list_source(db, source, report)
    counts = workflow.scan(db, listing, workers, report)
    workflow.describe_assumed(counts, report)
    already = len(listing.tasks) - counts.done - counts.failed
    found = {
        "db": str(db),
        "collection": listing.collection,
        "new": counts.done,
        "already": already,
        "failed": counts.failed,
        "lists": report_lists(db, listing.collection, report),
        "assumed": dict(counts.assumed),
        **listing.notes(),
    }
    line = f"{listing.collection}: {counts.done} new, {already} already there, {counts.failed} failed → {db}"
    report.finish(line, found)
    exit_with(counts.done + already, counts.failed)


@click.command(cls=PlainCommand)
@collection_option
@db_option
@model_options
@machine_options
@engine_options
@allow_host_option
@json_option
def embed(
    db: Path, as_json: bool, collection: str | None, allow_hosts: tuple[str, ...], engine: Engine, **settings: Any
) -> None:
    """Compute features alone, of a collection that the database already holds."""
    from ingest.runs import Settings
    from ingest.sources.registry import list_collection
    from ingest.workflow import observe_collection

    report = Report(as_json)
    listing = list_collection(db, collection, allow_hosts)
    engine.refuse(listing.tasks)
    with engine.opened(settings) as cluster:
        counts = observe_collection(db, listing, Settings(**settings, methods=(), engine=cluster), "embed", report)
    finish(report, counts)


@click.command(cls=PlainCommand)
@click.option("--run", "run_id", type=int, help="The run to add to.  [default: the newest]")
@explained_option
@click.option(
    "--target",
    help="What is explained: class:predicted, class:NAME, neighbours:20, image:ID, label:COLUMN=VALUE, vote:COLUMN, "
    'words:"a boat".',
)
@images_option
@where_option
@db_option
@machine_options
@engine_options
@allow_host_option
@json_option
def explain(
    db: Path,
    as_json: bool,
    run_id: int | None,
    images: str | None,
    where: str | None,
    allow_hosts: tuple[str, ...],
    engine: Engine,
    **settings: Any,
) -> None:
    """Add maps to the images of a run: more methods, or maps that explain a target.

    Again with the same words: only what is missing is computed.
    """
    from ingest.explain import narrow
    from ingest.runs import Settings, settings_for_run
    from ingest.sources.registry import list_collection
    from ingest.workflow import observe_collection

    report = Report(as_json)
    settings["methods"] = settings["methods"] or (("daam",) if settings["target"] else ("cls", "rollout"))
    collection, continued = settings_for_run(db, run_id, Settings(**settings))
    listing = narrow(db, list_collection(db, collection, allow_hosts), images, where)
    engine.refuse(listing.tasks, settings["target"])
    with engine.opened(settings) as cluster:
        counts = observe_collection(db, listing, replace(continued, engine=cluster), "explain", report)
    finish(report, counts)
