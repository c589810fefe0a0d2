"""Commands on what a database holds: metadata, deleted files, state, version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import collection_option, db_option, json_option, table_reading_options
from ingest.cli.plain import PlainCommand
from ingest.report import Report
from store.counts import counted


@click.command(cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@collection_option
@click.option("--file-column", help="The column that names the files.  [default: the one that fits best]")
@table_reading_options
@click.option("--replace", is_flag=True, help="Drop the columns that the table lacks.")
@db_option
@json_option
def metadata(
    file: Path,
    db: Path,
    as_json: bool,
    collection: str | None,
    file_column: str | None,
    options: Any,
    replace: bool,
) -> None:
    """Add or correct metadata from the table FILE: CSV, TSV, XLSX, ODS, JSON, JSON Lines, Parquet.

    Columns of the table replace those of the same name, and what it said when it was read before is gone where it no
    longer says so; features and maps stay as they are.
    """
    from ingest.describe import describe_collection
    from ingest.metadata import report_lists

    report = Report(as_json)
    found = describe_collection(db, file.expanduser(), collection, file_column, replace, options)
    for line in found.pop("notes"):
        report.note(line)
    found["lists"] = report_lists(db, found["collection"], report)
    changed = found["changed"]
    report.finish(f"{found['collection']}: the metadata of {counted(changed, 'picture')} changed → {db}", found)


@click.command(cls=PlainCommand)
@collection_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@db_option
@json_option
def prune(db: Path, as_json: bool, collection: str | None, yes: bool) -> None:
    """Forget pictures whose files are gone, with their thumbnails, features, maps, points and tags; and of pictures
    that were removed on a page of the dashboard all but their names and thumbnails.

    A file that was only moved is found again by `run`: do that first.
    """
    from ingest import changes

    report = Report(as_json)
    row, _, gone = changes.prunable(db, collection)
    for name in gone[:20]:
        report.log(name)
    if len(gone) > 20:
        report.log(f"… and {len(gone) - 20} more")
    if gone and not yes:
        click.confirm(f"Forget {counted(len(gone), 'picture')} of {row['name']}?", abort=True, err=True)
    found = changes.prune(db, row["name"])
    removed = f", of {len(found['removed'])} removed ones what was known" if found["removed"] else ""
    line = f"{found['collection']}: {len(found['pruned'])} forgotten{removed}, {found['left']} left → {db}"
    report.finish(line, found)


@click.command(cls=PlainCommand)
@db_option
@json_option
def status(db: Path, as_json: bool) -> None:
    """What the database holds, and what has become of the files."""
    from ingest.status import describe, gather

    found = gather(db)
    Report(as_json).finish(describe(found), found)


@click.command(cls=PlainCommand)
@db_option
def migrate(db: Path) -> None:
    """Bring a database made by an older Bilderatlas up to date, or put right one whose writing was interrupted."""
    from store.connection import reading, writing
    from store.errors import DatabaseOlder, InterruptedCheckpoint

    if not db.exists():
        raise ValueError(f"there is no database {db}")
    done = "was up to date already"
    try:
        with reading(db):
            pass
    except DatabaseOlder:
        done = "is up to date now"
    except InterruptedCheckpoint:
        done = "is in order again: nothing is lost"
    with writing(db):
        pass
    click.echo(f"{db} {done}")
