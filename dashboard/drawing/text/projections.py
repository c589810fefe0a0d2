"""What a projection is called and how it was made, for readers: from its method and the settings stored with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ingest.vision import projections

ELSEWHERE = {"made_by", "reason", "versions"}  # told in words of their own


def name(method: str) -> str:
    """What a method is called."""
    return projections.title(method)


def place(method: str) -> int:
    """Where a method stands among all; those that are not known here come last."""
    known = list(projections.projections())
    return known.index(method) if method in known else len(known)


def settings_of(projection: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a row of `projections`."""
    return json.loads(projection["settings"] or "{}")


def title(projection: Mapping[str, Any]) -> str:
    """What made the points: UMAP, or what stood in for it."""
    method, made_by = projection["method"], settings_of(projection).get("made_by")
    own = name(method)
    return own if made_by is None else f"{name(made_by)} in place of {own}"


def meaning(projection: Mapping[str, Any]) -> str:
    """How to read the distances."""
    found = projections.projections().get(settings_of(projection).get("made_by", projection["method"]))
    return found.meaning if found else ""


def settings(projection: Mapping[str, Any]) -> str:
    """The settings in one line, with the libraries that used them."""
    known = settings_of(projection)
    parts = [f"{key} {value}" for key, value in known.items() if key not in ELSEWHERE]
    parts += [f"{name} {version}" for name, version in known.get("versions", {}).items()]
    return ", ".join(parts) or "no settings recorded"


def notes(projection: Mapping[str, Any]) -> list[str]:
    """Sentences on what is not as one would expect: another method, and pictures that lie exactly on others."""
    known = settings_of(projection)
    found = [f"Made otherwise because {known['reason']}."] if "reason" in known else []
    copies = known.get("copies", 0) + known.get("copies_placed", 0)
    if copies:
        found.append(
            f"{copies:,} of the pictures {'has' if copies == 1 else 'have'} the same features as an earlier one and "
            f"{'lies' if copies == 1 else 'lie'} exactly on it; they had no say in where the others lie."
        )
    return found
