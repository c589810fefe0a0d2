"""Controls that several pages have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from dashboard.compute import neighbours
from dashboard.compute.words import plain
from dashboard.data import cache
from dashboard.drawing import figure, markup
from dashboard.state import controls
from ingest.vision.spaces import RECOMMENDED_FOR_WORDS, is_joint
from store.conditions import short
from store.records import RunRecord
from store.texts import StoredText

_COMMAND = re.compile(r"(?s)(.*?):?\s*(python -m ingest [^;]*?)\.?")


WORDS = "words"
SHOWN = 100  # letters of a text in a sentence
_EXAMPLE = "a boat on a stormy sea -people"
_HELP = (
    "What is to be seen, in words. A minus right before words takes away what is like them: `harbour -people`. "
    "Pictures marked + and − below count as well."
)
_MINUS = re.compile(r"(?:^|(?<=\s))[-−](?=\S)")


@dataclass(frozen=True)
class Words:
    """Words to search with: one text at most that is `wanted`, and those that are `unwanted`."""

    wanted: tuple[StoredText, ...] = ()
    unwanted: tuple[StoredText, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.unwanted)

    def __str__(self) -> str:
        wanted, unwanted = ([f"“{short(each.text, SHOWN)}”" for each in some] for some in (self.wanted, self.unwanted))
        return ", ".join([*wanted, *(f"unlike {text}" for text in unwanted)])

    def direction(self) -> np.ndarray | None:
        """The vector (dim,) to search with; None where words cancel each other out."""
        wanted, unwanted = ([each.vector for each in texts] for texts in (self.wanted, self.unwanted))
        if not wanted and not unwanted:
            return None
        empty = np.empty((0, len((wanted or unwanted)[0])), np.float32)
        return neighbours.direction(np.array(wanted or empty), np.array(unwanted or empty))


def words_field(run: RunRecord, **more: Any) -> Words:
    """A field for words, and those in it as the run's network reads them. No words where it reads none, with a sentence
    on the page."""
    if not is_joint(run.settings):
        _explain_no_words(run)
        return Words()
    typed = controls.text_input(
        "Search by words", key=WORDS, placeholder=_EXAMPLE, help=_HELP, icon=":material/search:", max_chars=2000, **more
    )
    if not typed:
        return Words()
    from ingest.vision.words.scores import TextError
    from ingest.vision.words.tower import NoTextTower  # loads torch

    wanted, unwanted = divided(typed)
    try:
        found = cache.text_vectors(run, [*wanted, *unwanted])
    except (NoTextTower, TextError) as error:
        message(error)
        return Words()
    for text in (text for text, each in found.items() if each.cut):
        st.caption(plain(f"Longer than {run.title} reads, so that its end has no say: {text[:60]} …"))
    return Words(tuple(found[text] for text in wanted), tuple(found[text] for text in unwanted))


def _explain_no_words(run: RunRecord) -> None:
    """What to type to search by words, where this run cannot be."""
    st.text_input(
        "Search by words",
        placeholder=f"{run.title} reads no words",
        disabled=True,
        icon=":material/search:",
        help=f"To search by words, make a run with a network that reads them: "
        f"`python -m ingest run FOLDER --model {RECOMMENDED_FOR_WORDS}`",
    )


def divided(typed: str) -> tuple[list[str], list[str]]:
    """The text that is wanted, none or one, and those after a minus that are not."""
    first, *rest = (" ".join(part.split()) for part in _MINUS.split(typed))
    return [first] if first else [], [part for part in rest if part]


def smooth(key: str) -> bool:
    """Whether patches are drawn interpolated, and not as flat squares."""
    drawn = controls.segmented_control(
        "Patches",
        ["sharp", "smooth"],
        key=key,
        help="Sharp shows one flat square for each patch: all that the network has. Smooth interpolates.",
    )
    return drawn == "smooth"


def message(error: object, show: Callable[[str], Any] = st.error) -> None:
    """What an error says, in an element such as `st.error`; a command at its end, which says what to type, below it to
    be copied."""
    found = _COMMAND.fullmatch(str(error))
    show(markup.markdown(found[1] if found else str(error)))
    if found:
        st.code(found[2], language=None, wrap_lines=True)


def figures(key: str, stem: str, plate: Callable[[], figure.Plate]) -> None:
    """Buttons for the figure for print, drawn only when somebody asks for it; `stem` begins the names of the files."""
    for label, ending, mime, write in (
        ("Figure as PNG, 300 dpi", "png", "image/png", figure.png),
        ("Figure as SVG", "svg", "image/svg+xml", figure.svg),
    ):
        st.download_button(
            label,
            lambda write=write: write(plate()),
            f"{stem}.{ending}",
            mime,
            key=f"{key}_{ending}",
            on_click="ignore",
            icon=":material/download:",
        )
