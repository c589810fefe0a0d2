"""The commands that find details: parts of pictures, wherever they occur."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import (
    allow_host_option,
    db_option,
    device_option,
    images_option,
    json_option,
    machine_options,
    where_option,
)
from ingest.cli.plain import PlainCommand, exit_with
from ingest.report import Report
from store.counts import counted


def _box(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        box = tuple(float(part) for part in value.split(","))
    except ValueError:
        box = ()
    if len(box) != 4:
        raise click.BadParameter(
            f"four numbers are expected, x,y,width,height in pixels, such as 120,40,200,150; got {value!r}"
        )
    return box


@click.command(cls=PlainCommand)
@click.option("--run", "run_id", type=int, help="The run to add to.  [default: the newest]")
@click.option("--layer", type=click.IntRange(0), help="The block to take patches from (from 0).  [default: measured]")
@click.option("--size", type=click.IntRange(1), help="Side of the network's input in pixels.  [default: measured]")
@images_option
@where_option
@db_option
@machine_options
@allow_host_option
@json_option
def details(
    run_id: int | None,
    images: str | None,
    where: str | None,
    db: Path,
    allow_hosts: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> None:
    """Add to a run the patches that details are searched in.

    Which block of the network finds details best is measured first, on random parts of the collection's own pictures.
    Again: only what is missing is computed.
    """
    from ingest.details.storing import PatchSettings, add_details
    from ingest.explain import narrow
    from ingest.runs import newest_run
    from ingest.sources.registry import list_collection

    report = Report(as_json)
    run = newest_run(db, run_id)
    listing = narrow(db, list_collection(db, run.collection, allow_hosts), images, where)
    finish_details(report, add_details(db, listing, run, PatchSettings(**settings), report))


def finish_details(report: Report, counts: dict[str, Any]) -> None:
    """The last line of `details`."""
    line = (
        f"{counts['collection']}: patches of {counts['new']} new, {counts['already']} already there, "
        f"{counts['failed']} failed · run {counts['run_id']}, block {counts['layer']}, {counts['size']}² pixels, "
        f"{counts['dim']} components → {counts['db']}"
    )
    report.finish(line, counts)
    exit_with(counts["new"] + counts["already"], counts["failed"])


def _budget(context: click.Context, parameter: click.Parameter, value: str) -> Any:
    from ingest.details.budget import Budget, parse_budget

    found: Budget | None = parse_budget(value)
    if found is None:
        raise click.BadParameter(
            f"minutes, boxes or pictures are expected, as '20 minutes', '500 boxes' or '12 pictures'; got {value!r}"
        )
    return found


@click.command(cls=PlainCommand)
@click.option(
    "--budget",
    default="10 minutes",
    show_default=True,
    callback=_budget,
    help="How much is searched now, in whole pictures: minutes, boxes or pictures ('500 boxes'). Again: the next ones.",
)
@where_option
@click.option("--mirrored", is_flag=True, help="Find mirror images too, as in prints from copied plates.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another one searches other boxes.")
@click.option("--run", "run_id", type=int, help="The run to search.  [default: the newest that has patches]")
@db_option
@device_option
@json_option
def recurring(db: Path, as_json: bool, **settings: Any) -> None:
    """Find details that occur in several pictures, without asking for any: parts of each picture are searched for in
    all others, and places that lead to each other make groups (views recurring_details and recurring_links).

    Again: the search goes on where it was.
    """
    from ingest.details.recurring import RecurringSettings, find_recurring

    report = Report(as_json)
    counts = find_recurring(db, RecurringSettings(**settings), report)
    votes = f", {counts['groups_by_votes']} more by patches alone" if counts["groups_by_votes"] else ""
    same = f", {counts['same_pictures']} of pictures that are the same" if counts["same_pictures"] else ""
    line = (
        f"run {counts['run_id']}: searched {counts['boxes_searched']:,} of {counts['boxes']:,} boxes in "
        f"{counts['pictures_searched']:,} of {counts['pictures']:,} pictures "
        f"({counts['boxes_plain']:,} boxes too plain to be known again) · "
        f"all searches found {counted(counts['groups'], 'group')} of recurring details{votes}{same} → {counts['db']}"
    )
    report.finish(line, counts)


@click.command(cls=PlainCommand)
@click.argument("what", metavar="FILE|IMAGE")
@click.option("--box", callback=_box, help="The part to search for: x,y,width,height in pixels.  [default: all of it]")
@click.option("--k", type=click.IntRange(1), default=10, show_default=True, help="How many pictures.")
@where_option
@click.option("--mirrored", is_flag=True, help="Search for it in mirror image too, as in prints from copied plates.")
@click.option("--run", "run_id", type=int, help="The run to search.  [default: the newest that has patches]")
@db_option
@device_option
@json_option
def detail(
    what: str,
    box: tuple[float, ...] | None,
    k: int,
    where: str | None,
    mirrored: bool,
    run_id: int | None,
    db: Path,
    device: str,
    as_json: bool,
) -> None:
    """The pictures in which a picture, or a part of it, occurs: where, and how sure that is.

    FILE|IMAGE is a picture's file, or the id of an image of the database. The stage says what decided on the box: key
    points that agree on it (as many as matches says), or, where there are none, the votes of similar patches.
    """
    from ingest.details.searching import find_detail
    from ingest.status import as_table

    report = Report(as_json)
    found = find_detail(db, what, box, k, where, run_id, mirrored, device, report)
    names = [
        "rank",
        "image_id",
        "score",
        "stage",
        "matches",
        *(["mirrored"] if mirrored else []),
        "box",
        "path",
        "title",
    ]
    rows = [{**row, "box": ",".join(f"{edge:g}" for edge in row["box"])} for row in found["images"]]
    line = (
        as_table(rows, dict(zip(names, names, strict=True)))
        if rows
        else "no picture to search: the condition holds for none"
    )
    report.finish(line, found)
