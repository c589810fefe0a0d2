"""The example queries of the SQL page: one .sql file each, its title in the first line, in the order of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Example:
    """A query that runs as it is, and what it answers."""

    key: str
    title: str
    sql: str


def examples(run: int, image: int, layer: int, head: int, method: str, group: str | None) -> list[Example]:
    """The examples for a run, an image, a layer and head of a method, and `group`, a column of the catalogue; without
    one there is none that counts by it."""
    values = {"run": int(run), "image": int(image), "layer": int(layer), "head": int(head)}
    values |= {"method": method.replace("'", "''"), "group": quoted(group or ""), "group_name": group or ""}
    return [_filled(name, values) for name in _names() if group or "$group" not in _text(name)]


def quoted(name: str) -> str:
    """A column's name as SQL needs it: plain where that is enough."""
    return name if name.isascii() and name.isidentifier() and name.islower() else '"' + name.replace('"', '""') + '"'


def _filled(name: str, values: Mapping[str, Any]) -> Example:
    title, sql = Template(_text(name)).substitute(values).split("\n", 1)
    return Example(name.removesuffix(".sql"), title.removeprefix("--").strip(), sql.strip())


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in _HERE.glob("*.sql")))


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
