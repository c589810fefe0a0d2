"""The command that lays a run out on a map."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.options import db_option, json_option, layouts_option
from ingest.cli.plain import PlainCommand, exit_with
from ingest.report import Report


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
@click.option("--run", "run_id", type=int, help="The run whose features are laid out.  [default: the newest]")
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
    from ingest.runs import newest_run

    report = Report(as_json)
    check_layouts(layouts)
    check_changes(layouts, changes)
    run_id = newest_run(db, run_id).run_id
    if extend and changes:
        raise ValueError("--extend places images into a layout as it is; leave --set out, or --extend")
    if extend:
        _extend(report, db, run_id, list(layouts))
        return
    done = lay_out(db, run_id, list(layouts), report.log, changes)
    sentences = [
        f"{what} {', '.join(names)}" for what, names in (("made", done.made), ("failed", done.failed)) if names
    ]
    report.finish(
        f"run {run_id}: {'; '.join(sentences) or 'all layouts are there already'}",
        {"run_id": run_id, "projections": done.made, "projections_failed": done.failed},
    )
    exit_with(0, len(done.failed))


def _extend(report: Report, db: Path, run_id: int, layouts: list[str]) -> None:
    from ingest.extending import extend

    done = extend(db, run_id, layouts, report.log)
    parts = [f"{each.placed} placed into {each.method} by {each.rule}" for each in done.made]
    sentences = [*parts, "no other image has moved"] if parts else []
    if done.failed:
        sentences.append(f"failed: {', '.join(done.failed)}")
    report.finish(
        f"run {run_id}: {'; '.join(sentences) or 'every image has its place already'}",
        {"run_id": run_id, "extended": [vars(each) for each in done.made], "projections_failed": done.failed},
    )
    exit_with(0, len(done.failed))
