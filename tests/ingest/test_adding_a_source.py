"""What it takes to add a kind of source: one class, in the list of all. It is then in the command line, with its own
options, in the database, and read again from there."""

import json
from functools import partial
from pathlib import Path

import click
import duckdb
import pytest

from ingest.sources import registry
from ingest.sources.listing import list_tasks
from ingest.sources.registry import list_collection
from ingest.sources.source import Source
from ingest.task import Task
from ingest.vision.loader import decode
from tests.support import ROOT


class TextList(Source):
    """Pictures whose paths stand in a text file, one a line."""

    noun = "a list"
    options = (click.Option(["--skip"], type=int, default=0, help="Of a list: leave out its first lines."),)
    misplaced = "--skip is for lists of pictures, and {address} is none"
    columns = ("line",)
    one_machine = True

    def recognises(self, address):
        return address.endswith(".list")

    def list_pictures(self, db, request, report):
        path = Path(request.address)
        lines = list(enumerate(path.read_text().splitlines(), start=1))[request.options.get("skip", 0) :]
        tasks = [_task(path.parent, name, {"line": number}) for number, name in lines[: request.limit]]
        return list_tasks(db, request, report, tasks, path.stem, path.parent)

    def read_again(self, stored):
        return [
            _task(Path(stored.source), name, held.metadata)
            for name, held in stored.known.items()
            if "line" in held.metadata
        ]


def _task(folder: Path, name: str, metadata: dict) -> Task:
    path = folder / name
    found = path.stat()
    return Task(path, name, found.st_size, found.st_mtime, metadata, read=partial(decode, path))


@pytest.fixture
def listed(folder, monkeypatch) -> Path:
    """A list of three of the pictures of a folder."""
    monkeypatch.setattr(registry, "SOURCES", [TextList(), *registry.SOURCES])
    path = folder / "plates.list"
    path.write_text("p2.jpg\ninner/p1.png\np4.jpg\n")
    return path


def ask(db: Path, query: str) -> list[tuple]:
    with duckdb.connect(db, read_only=True) as con:
        return con.execute(query).fetchall()


def test_the_lines_in_the_documents_are_enough(folder, command, monkeypatch):
    names = {"Source": Source, "Task": Task, "list_tasks": list_tasks, "Path": Path}
    names |= {"Request": None, "Report": None, "Listing": None}  # in annotations alone
    text = (ROOT / "docs" / "adding.md").read_text()
    exec(text.split("```python")[1].split("```")[0], names)
    monkeypatch.setattr(registry, "SOURCES", [names["TextList"](), *registry.SOURCES])
    (folder / "plates.list").write_text("p2.jpg\ninner/p1.png\np4.jpg\n")
    assert command("scan", folder / "plates.list", "--limit", 2, "--json").counts["new"] == 2
    assert command("embed", "--model", "tiny:vit", "--json").counts["new"] == 2
    assert ask(command.db, "SELECT collection, path FROM images ORDER BY path") == [
        ("plates", "inner/p1.png"),
        ("plates", "p2.jpg"),
    ]


def test_its_pictures_are_read_with_its_options(listed, command):
    result = command("scan", listed, "--skip", 1, "--json")
    assert result.code == 0 and (result.counts["collection"], result.counts["new"]) == ("plates", 2)
    assert command("scan", listed, "--json").counts["new"] == 1
    assert command("scan", listed, "--json").counts["new"] == 0  # the files are the same
    assert ask(command.db, 'SELECT path, "line" FROM catalogue ORDER BY "line"') == [
        ("p2.jpg", 1),
        ("inner/p1.png", 2),
        ("p4.jpg", 3),
    ]


def test_it_is_told_what_it_is_called_and_refuses_what_is_not_its_own(listed, folder, command):
    assert "--skip INTEGER" in command("scan", "--help", db=None).out
    result = command("scan", folder, "--skip", 1)
    assert result.code == 2 and f"--skip is for lists of pictures, and {folder} is none" in result.err
    result = command("scan", listed, "--every", 2)
    assert result.code == 2 and f"--every is for films, and {listed} is not a film" in result.err
    result = command("run", listed, "--model", "tiny:vit", "--engine", "ray")
    assert result.code == 2 and "a list; leave --engine out" in result.err
    assert not command.db.exists()


def test_a_table_describes_its_pictures_and_leaves_what_it_says_itself(listed, folder, command):
    table = folder / "metadata.csv"
    assert command("scan", listed, "--metadata", table, "--json").counts["metadata"]["described"] == 3
    titles = ask(command.db, 'SELECT title, "line" FROM catalogue ORDER BY "line"')
    assert titles == [("Picture 2", 1), ("Picture 1", 2), ("Picture 4", 3)]
    table.write_text("file,title\np2.jpg,Another\n")
    assert command("metadata", table, "--replace").code == 0
    ((texts,),) = ask(command.db, "SELECT metadata FROM images WHERE path = 'p2.jpg'")
    assert json.loads(texts) == {"line": 1, "title": "Another"}


def test_its_pictures_are_read_again_by_itself_and_others_as_files(listed, folder, command):
    command("scan", listed)
    assert command("scan", folder / "p6.jpg", "--collection", "plates").code == 0
    tasks = {task.name: task for task in list_collection(command.db, "plates").tasks}
    assert {name: task.read is not None for name, task in tasks.items()} == {
        "p2.jpg": True,
        "inner/p1.png": True,
        "p4.jpg": True,
        "p6.jpg": False,
    }
    result = command("embed", "--collection", "plates", "--model", "tiny:vit", "--json")
    assert result.code == 0 and result.counts["new"] == 4
