"""What was measured of a network, in sentences, from the plain data that a run stores of it (`Measured.as_dict`)."""

from __future__ import annotations

from typing import Any

SIZES = {"any": "any grid", "squares": "squares of any size", "own": "its own size alone"}
READ = {"cls": "the CLS token", "patches": "the patches", "both": "the special tokens and the patches"}
_ABOUT_CLS = ("cls", "rollout", "flow")  # methods that show what the CLS token gathers


def sentences(measured: dict[str, Any], patches: int) -> list[str]:
    """One for each thing that was measured, of a grid of so many patches."""
    first = measured["before"]
    order = "in reading order" if measured["reading_order"] else "in an order of its own, which is put right for maps"
    notes = [f"Patches: tokens {first}–{first + patches - 1} of {patches + measured['special']}, {order}"]
    if not measured["reading_order"]:
        notes = [f"Patches: {patches} of {patches + measured['special']} tokens, {order}"]
    special = measured["special"]
    if special and measured["cls"] is not None:
        others = f" and {special - 1} other{'s' * (special > 2)}" if special > 1 else ""
        notes.append(f"special tokens: CLS{others}")
    else:
        notes.append(f"special tokens: {special}, none of them CLS" if special else "no special tokens, so no CLS")
    notes.append(f"summary read from {_read(measured, 'summary')}")
    if measured["score"] is not None:
        notes.append(f"classes read from {_read(measured, 'score')}")
    return [*notes, "two passes agree", f"takes {SIZES[measured['sizes']]}"]


def _read(measured: dict[str, Any], what: str) -> str:
    """Whence the summary or the classes are read."""
    return READ.get(measured[what], "what could not be measured")


def usual_patches(measured: dict[str, Any], side: int, patch: int) -> int:
    """How many patches a network's usual input has: of its own shape where it takes no other, else of a square of
    `side` pixels."""
    return measured["rows"] * measured["cols"] if measured["sizes"] == "own" else (side // patch) ** 2


def one_line(measured: dict[str, Any], patches: int) -> str:
    """The sentences as one line, with what is assumed."""
    return "; ".join([*sentences(measured, patches), *measured["notes"]]) + "."


def has_cls(measured: dict[str, Any] | None, prefix_tokens: int) -> bool:
    """Whether a run's network has a CLS token: as measured, or for runs made before that was, if it has special
    tokens."""
    return measured["cls"] is not None if measured else bool(prefix_tokens)


def warning(measured: dict[str, Any] | None, method: str) -> str:
    """A word of warning for the maps of a method; '' where none is needed.

    Of networks that have a CLS token, but take their summary from the patches, the CLS maps show a token that nothing
    is read from.
    """
    if measured is None or method.partition("(")[0] not in _ABOUT_CLS:
        return ""
    if measured["cls"] is None or "patches" not in (measured["summary"], measured["score"]):
        return ""
    summary, score = measured["summary"] == "patches", measured["score"] == "patches"
    what = "summary and the classes" if summary and score else "summary" if summary else "classes"
    are = "are" if what != "summary" else "is"
    return (
        f"The {what} of this network {are} read from the patches, not from the CLS token: {method} maps show what the "
        "CLS token looks at, which counts for little; received shows what the patches look at."
    )
