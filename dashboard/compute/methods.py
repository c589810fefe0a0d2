"""The attention methods by their names, as pages call them."""

from __future__ import annotations

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
