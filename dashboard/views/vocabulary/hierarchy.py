"""Terms with broader terms as a tree."""

from __future__ import annotations

from collections.abc import Mapping


def paths(parents: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """{term: its broader terms, the broadest first} of {term: parent}, in the order of a tree read from the top:
    terms of one parent stay in their order. Parents that are no terms themselves are among the keys; where terms are
    each other's parents, the first of them begins."""
    above = {parent: None for parent in parents.values() if parent} | dict(parents)
    below: dict[str | None, list[str]] = {}
    for term in (*parents, *(term for term in above if term not in parents)):
        parent = above[term]
        below.setdefault(None if parent == term else parent, []).append(term)
    found: dict[str, tuple[str, ...]] = {}
    _walk(below.get(None, []), below, found)
    for term in parents:  # those of circles, which no top leads to
        if term not in found:
            _walk([term], below, found)
    return found


def _walk(tops: list[str], below: Mapping[str | None, list[str]], found: dict[str, tuple[str, ...]]) -> None:
    waiting = [(term, ()) for term in reversed(tops)]
    while waiting:
        term, above = waiting.pop()
        if term not in found:
            found[term] = above
            waiting += [(each, (*above, term)) for each in reversed(below.get(term, []))]
