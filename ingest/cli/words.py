"""The commands that search by words."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.options import db_option, device_option, json_option, where_option
from ingest.cli.plain import PlainCommand
from ingest.report import Report
from store.counts import counted

run_option = click.option(
    "--run", "run_id", type=int, help="The run to search.  [default: the newest that can be searched by words]"
)
file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command(cls=PlainCommand)
@click.argument("words")
@click.option("--minus", multiple=True, help="Words that the pictures shall be unlike; can be given several times.")
@click.option("--k", type=click.IntRange(1), default=10, show_default=True, help="How many pictures.")
@where_option
@run_option
@db_option
@device_option
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV.")
@json_option
def search(
    words: str,
    minus: tuple[str, ...],
    k: int,
    where: str | None,
    run_id: int | None,
    db: Path,
    device: str,
    as_csv: bool,
    as_json: bool,
) -> None:
    """The pictures that are most like WORDS, by the network's own measure.

    The score is a cosine. SigLIP says beside it how probable it is that the words are true of a picture; of CLIP you
    see how many pictures score lower (percentile), and the words against others that are true of every picture.
    """
    from ingest.status import as_table
    from ingest.words import READINGS
    from ingest.words import search as find
    from store.spreadsheets import csv_of_rows

    if as_csv and as_json:
        raise click.UsageError("--csv and --json do not go together")
    found = find(db, words, minus, k, where, run_id, device, Report(as_json))
    rows = found["images"]
    names = ["rank", "image_id", "score", *(name for name in READINGS if rows and name in rows[0]), "path", "title"]
    if as_csv:
        click.echo(csv_of_rows(names, ([row[name] for name in names] for row in rows)), nl=False)
        return
    line = (
        as_table(rows, dict(zip(names, names, strict=True)))
        if rows
        else "no picture to search: the condition holds for none"
    )
    Report(as_json).finish(line, found)


@click.command(cls=PlainCommand)
@file_argument
@run_option
@db_option
@device_option
@json_option
def words(file: Path, run_id: int | None, db: Path, device: str, as_json: bool) -> None:
    """Store the vectors of the texts in FILE, one a line, or the column text of a table.

    They can then be searched for in SQL (nearest_text), and where the network is not.
    """
    from ingest.words import store_texts

    report = Report(as_json)
    found = store_texts(db, file, run_id, device, report)
    line = f"{counted(found['texts'], 'text')}, {found['new']} new · run {found['run_id']} → {db}"
    report.finish(line, found)


@click.command(cls=PlainCommand)
@file_argument
@click.option("--name", help="What the vocabulary is called.  [default: the file's name]")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    help='How a term becomes a text; of several the mean counts.  [default: "a picture of {}"]',
)
@run_option
@db_option
@device_option
@json_option
def vocabulary(
    file: Path, name: str | None, prompts: tuple[str, ...], run_id: int | None, db: Path, device: str, as_json: bool
) -> None:
    """Score the terms in FILE over all pictures of a run and store them as labels.

    FILE is a table with a column term and, if you like, prompt (the text that stands for it) and parent; or one term a
    line. No picture is read again.
    """
    from ingest.vocabularies import add_vocabulary

    report = Report(as_json)
    found = add_vocabulary(db, file, name, prompts, run_id, device, report)
    line = (
        f"{found['vocabulary']}: {counted(found['terms'], 'term')} over {counted(found['pictures'], 'picture')} of run "
        f"{found['run_id']} · {counted(found['labels'], 'label')}, {found['kept']} → {db}"
    )
    report.finish(line, found)
