"""What a projection is called and how it was made, for readers: from its method and the settings stored with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dashboard.drawing.text import glossary
from ingest.vision import projections

# Settings in words of the field; a page says in the help what the method's own program calls them.
WORDS = {
    "n_neighbors": "neighbours",
    "min_dist": "least distance",
    "random_state": "seed",
    "neighbours_by": "neighbours by",
    "negative_gradient_method": "forces by",
    "ints_in_interval": "interpolated at intervals of",
}
# Told in words of their own.
ELSEWHERE = {"made_by", "reason", "versions", "copies", "copies_placed", "distinct", "sample", "others_placed_by"}


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
    """The settings in one line, as the method's own program names them, with the libraries that used them: to cite."""
    known = settings_of(projection)
    names = {key: "seed" if key == "random_state" else key for key in known if key not in ELSEWHERE}
    parts = [f"{name} {known[key]}" for key, name in names.items()]
    parts += [f"{name} {version}" for name, version in known.get("versions", {}).items()]
    return ", ".join(parts) or "no settings recorded"


def adjustable(projection: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The settings of a row of `projections` that somebody may change for another map, with the least and the greatest
    number that each can have."""
    known = settings_of(projection)
    found = projections.projections().get(projection["method"])
    if found is None or "made_by" in known:
        return {}
    distinct = int(known.get("distinct", projection["points"]))
    return {key: found.range_of(key, distinct) for key in found.adjustable if key in known}


def differences(rows: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """{id: what tells it from the others of its method} of rows of `projections` of which there are several of a
    method: the settings that can be changed, where these differ, else its id."""
    found = {}
    for method in dict.fromkeys(row["method"] for row in rows.values()):
        same = {number: settings_of(row) for number, row in rows.items() if row["method"] == method}
        if len(same) > 1:
            for number, own in zip(same, projections.differing(method, list(same.values())), strict=True):
                found[number] = ", ".join(spoken(key, value) for key, value in own.items()) or f"({number})"
    return found


def spoken(setting: str, value: Any) -> str:
    """A setting with its number: 15 neighbours, least distance 0.1."""
    return f"{value} {word(setting)}" if setting == "n_neighbors" else f"{word(setting)} {value}"


def named(method: str, difference: str) -> str:
    """A method with what distinguishes one of several maps of it from the others."""
    return name(method) + (f" {difference}" if difference.startswith("(") else difference and f", {difference}")


def word(setting: str) -> str:
    """What a setting is called on a page."""
    return WORDS.get(setting, setting)


def help_of(setting: str) -> str | None:
    """What a setting means, and its own name where a page calls it otherwise."""
    sense = glossary.sense_of(setting) or glossary.sense_of(word(setting))
    own = "" if word(setting) == setting else f"In the method's own program: `{setting}`."
    return " ".join(filter(None, (sense, own))) or None


def notes(projection: Mapping[str, Any]) -> list[str]:
    """Sentences on what is not as one would expect: another method, and pictures that lie exactly on others."""
    known = settings_of(projection)
    found = [f"Made otherwise because {known['reason']}."] if "reason" in known else []
    if "sample" in known:
        found.append(
            f"{known['sample']:,} of the pictures, drawn by lot, were laid out; each of the others was then placed "
            f"among them by {known['others_placed_by']}."
        )
    copies = known.get("copies", 0) + known.get("copies_placed", 0)
    if copies:
        found.append(
            f"{copies:,} of the pictures {'has' if copies == 1 else 'have'} the same features as an earlier one and "
            f"{'lies' if copies == 1 else 'lie'} exactly on it; they had no say in where the others lie."
        )
    return found
