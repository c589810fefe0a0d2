"""The attention methods by their names, as pages call them."""

from __future__ import annotations

import re
from typing import Any


def registry() -> dict[str, Any]:
    """The attention methods. They bring torch with them, so it is not done before somebody asks."""
    from ingest.vision.attention import methods

    return methods()


def entry_of(name: str) -> Any:
    """A method's entry in the registry, by its key or its stored name (`rollout(fusion=max)`); None for one that this
    version does not know."""
    return registry().get(name.partition("(")[0])


def title_of(key: str) -> str:
    """What a method is called."""
    known = registry()
    return known[key].title if key in known else key


def kind_of(method: str) -> str:
    """ "attention" or "attribution"; a method that this version does not know counts as attention."""
    entry = entry_of(method)
    return "attention" if entry is None else entry.kind


def depth_noun(name: str) -> str:
    """What a layer is called by a method: the depth that rollout has come to, or the block of DAAM."""
    entry = entry_of(name)
    return "Depth" if entry is None else entry.depth


def in_words(name: str) -> str:
    """What a method of this stored name shows, to be printed behind its title, without its formula: who described it,
    its options, and a sentence."""
    key, _, chosen = name.removesuffix(")").partition("(")
    method = registry()[key]
    given = dict(part.split("=", 1) for part in chosen.split(",") if "=" in part)
    found = []
    for option in method.options:
        value = given.get(option.key, str(option.default))
        if option.key in given or option.default not in ("", 0):  # a 0 that nobody chose leaves nothing out
            title = option.title[:1].lower() + option.title[1:].removesuffix(" α")
            found.append(f"{title} {value}" if value.isalpha() else f"{title}: {value}")
    if source := re.match(r".*?\b\d{4}\b", method.source):
        found.insert(0, source[0])
    brackets = f" ({'; '.join(found)})" if found else ""
    return f"{brackets}: {method.explanation[:1].lower()}{method.explanation[1:]}"
