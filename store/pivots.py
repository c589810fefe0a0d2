"""A PIVOT whose columns come from the data, held to reading.

DuckDB runs such a statement as several, and has no syntax tree of it to walk. So its words are looked at, all of them
and wherever they stand: that refuses a little more than it must (a column called `load` has to be written "load"), and
lets nothing pass that is hidden in a corner of the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb

from store.errors import SqlRefused
from store.rows import fetch

READING = frozenset(
    ["pivot", "pivot_wider", "unpivot", "from", "select", "with", "describe", "desc", "summarize", "explain"]
)
CHANGING = frozenset(
    [
        "alter",
        "analyze",
        "attach",
        "begin",
        "call",
        "checkpoint",
        "comment",
        "commit",
        "copy",
        "create",
        "deallocate",
        "delete",
        "detach",
        "drop",
        "execute",
        "export",
        "import",
        "insert",
        "install",
        "load",
        "merge",
        "pragma",
        "prepare",
        "refresh",
        "reset",
        "returning",
        "rollback",
        "set",
        "transaction",
        "truncate",
        "update",
        "use",
        "vacuum",
    ]
)


@dataclass(frozen=True)
class Word:
    """A word of a statement: its text without quotes in small letters, what it is, whether a bracket follows."""

    text: str
    kind: str
    quoted: bool
    called: bool


def examine(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    tables_refused: re.Pattern,
    functions: Collection[str],
    more: Collection[str],
) -> None:
    """Raises SqlRefused unless every word of a statement with a PIVOT is one of a reading statement.

    `functions` are those that may stand in FROM, `more` those that may stand nowhere.
    """
    found = list(words(sql))
    first = next((word for word in found if word.text != "("), None)
    if first is None or first.quoted or first.text not in READING:
        raise SqlRefused("A statement with a PIVOT cannot change anything here, where the database is only read.")
    explained = first.text == "explain"
    refused = _table_functions(con) - set(functions) | set(more)
    for word in found:
        if word.kind in ("identifier", "keyword") and not word.quoted and word.text in CHANGING:
            if explained and word.text == "analyze":
                continue
            raise SqlRefused(
                f"The database can only be read here, and {word.text.upper()} changes something. "
                f'If it is the name of a column, write "{word.text}".'
            )
        if word.called and word.text in refused:
            raise SqlRefused(f"The function {word.text} cannot be used here beside a PIVOT.")
        if word.kind in ("identifier", "keyword", "string_const") and tables_refused.match(word.text):
            raise SqlRefused(f"The system table {word.text} cannot be read here. SHOW TABLES lists what can.")


def words(sql: str) -> Iterator[Word]:
    """The words of a statement in their order, without comments."""
    text = sql.encode()  # DuckDB counts bytes
    marks = [(start, kind.name) for start, kind in duckdb.tokenize(sql)]
    ends = [start for start, _ in marks[1:]] + [len(text)]
    parts = [
        (text[start:end].decode(errors="replace").strip(), kind)
        for (start, kind), end in zip(marks, ends, strict=True)
        if kind != "comment"
    ]
    for place, (part, kind) in enumerate(parts):
        called = place + 1 < len(parts) and parts[place + 1][0].startswith("(")
        quoted = part.startswith('"')
        if quoted:
            part = part[1:-1].replace('""', '"')
        elif kind == "string_const":
            part = re.sub(r"^[A-Za-z&]*['$]+|['$]+$", "", part)
        yield Word(part.lower(), kind, quoted, called)


def _table_functions(con: duckdb.DuckDBPyConnection) -> set[str]:
    query = (
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
        "WHERE function_type IN ('table', 'pragma') OR (function_type = 'table_macro' AND internal)"
    )
    return {name for (name,) in fetch(con, query)}
