"""SQL from people who mean harm: refused, or bounded in time, memory and rows; nothing written, nothing told."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from store import sandbox, sandbox_child
from store.connection import reading
from store.errors import SqlRefused
from tests.torture import statements

ONE_OF_EACH = (
    "SELECT * FROM (DELETE FROM image RETURNING *)",
    "SELECT * FROM '{file}'",
    "DESCRIBE '{file}'",
    'FROM "{other}"',
    "SELECT list(n) FROM range(10000000000) t(n)",
    "SELECT error(repeat('x', 3000000))",
    "SELECT " + "[" * 5000 + "1" + "]" * 5000,
    "SELECT levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
    "*SELECT * FROM range(1000000000)",
)


@pytest.fixture
def room(tmp_path) -> Path:
    made = tmp_path / "room"
    made.mkdir()
    statements.lay_out(made)
    return made


@pytest.fixture
def untouched(db, room):
    """Whatever happens in between: the files stay as they are, no other appears, no process stays behind."""
    before = seen(db, room)
    yield
    assert seen(db, room) == before
    assert sandbox.query(db, "SELECT count(*) AS n FROM images").table["n"].to_pylist()[0] > 0
    assert not children()


def seen(db: Path, room: Path) -> dict[str, str]:
    files = [file for folder in (db.parent, room, Path.cwd()) for file in folder.iterdir() if file.is_file()]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.name != ".coverage"}


def children() -> list[str]:
    """The sandboxes that this process has started and that are still there."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = status.read_text().rpartition(") ")
            words = (status.parent / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if rest.split()[1] == str(os.getpid()) and "sandbox_child" in words:
            found.append(words)
    return found


def test_there_are_enough_of_each_kind(db, room):
    kinds = Counter(kind for kind, _ in statements.attacks(db, room))
    assert set(kinds) == set(statements.ATTACKS) and sum(kinds.values()) >= 140 and min(kinds.values()) >= 5


def test_what_writes_reads_files_attaches_or_sets_is_refused_or_names_a_table_that_is_not_there(db, room, untouched):
    """What the examination lets through must fail for want of such a table, view or sequence."""
    passed = []
    with reading(db) as con:
        for kind, sql in statements.attacks(db, room):
            if kind in ("memory", "time", "rows") or sql.startswith("*"):
                continue
            try:
                sandbox_child.examine(con, sql)
                passed.append(sql)
            except SqlRefused as error:
                assert str(error).endswith("."), sql
            except duckdb.Error:
                continue  # it is no SQL at all
        assert len(passed) < 15
        for sql in passed:
            with pytest.raises(duckdb.Error, match="does not exist|disabled|not allowed"):
                con.execute(sql).fetchall()


@pytest.mark.parametrize("sql", ONE_OF_EACH)
def test_one_of_each_kind_through_the_process(db, room, untouched, sql):
    sql = statements.filled(sql, db, room)
    outcome = statements.attack(db, "", sql)
    assert not outcome.fault, outcome


@pytest.mark.slow
def test_all_of_them_through_the_process(db, room, untouched):
    outcomes = [statements.attack(db, kind, sql) for kind, sql in statements.attacks(db, room)]
    assert not [outcome for outcome in outcomes if outcome.fault]
    assert max(outcome.seconds for outcome in outcomes) < statements.SECONDS + sandbox.STARTING + 5
