"""Words on the page Similar: the field, the vectors of what is typed, and what a score says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from dashboard.compute.words import plain
from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.state import controls
from store.counts import counted
from store.records import RunRecord
from store.texts import StoredText

KEY = "words"
EXAMPLE = "a boat on a stormy sea -people"
HELP = (
    "What is to be seen, in words. A minus right before words takes away what is like them: `harbour -people`. "
    "Pictures marked + and − below count as well."
)
_MINUS = re.compile(r"(?:^|(?<=\s))[-−](?=\S)")


@dataclass(frozen=True)
class Words:
    """What was typed: one text at most that is `wanted`, and those that are `unwanted`; whether they are searched with
    `alone`, without the picture in view."""

    wanted: tuple[StoredText, ...] = ()
    unwanted: tuple[StoredText, ...] = ()
    alone: bool = False

    def __bool__(self) -> bool:
        return bool(self.wanted or self.unwanted)


def field(run: RunRecord, picture: bool) -> Words:
    """The field, and the words in it; `picture`: there is one in view to search with as well. No words, with a sentence
    on the page, where the run's network reads none."""
    from ingest.vision.spaces import is_joint
    from ingest.vision.words.scores import TextError
    from ingest.vision.words.tower import NoTextTower

    if not is_joint(run.settings):
        explain(run)
        return Words()
    typed = controls.text_input(
        "Search by words", key=KEY, placeholder=EXAMPLE, help=HELP, icon=":material/search:", max_chars=2000
    )
    if not typed:
        return Words()
    wanted, unwanted = divided(typed)
    try:
        found = cache.text_vectors(run, [*wanted, *unwanted])
    except (NoTextTower, TextError) as error:
        sentence, start, command = str(error).partition("python -m ingest")
        st.error(markup.markdown(sentence.rstrip(": ")))
        if start:
            st.code(f"{start}{command}", language="bash")
        return Words()
    for text in (text for text, each in found.items() if each.cut):
        st.caption(plain(f"Longer than {run.title} reads, so that its end has no say: {text[:60]} …"))
    alone = not (picture and controls.toggle("and like the picture in view", key="words_picture"))
    return Words(tuple(found[text] for text in wanted), tuple(found[text] for text in unwanted), alone)


def explain(run: RunRecord) -> None:
    """What to type to search by words, where this run cannot be."""
    from ingest.vision.backbones.registry import RECOMMENDED_FOR_WORDS

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


def scores_of(words: Words, pictures: int, cosines: np.ndarray) -> Callable[[np.ndarray], list[str]]:
    """What the scores of some pictures, by the numbers of their rows, are in words. `cosines` (n,) are those of all
    pictures with what is searched with, in which so many `pictures` count beside the words."""
    from ingest.vision.words import scores

    scale = bias = None
    if is_text_alone(words, pictures):
        scale, bias = words.wanted[0].logit_scale, words.wanted[0].logit_bias
    if scale is not None and bias is not None:
        values, write = scores.probability(cosines, scale, bias), percent
    else:
        values, write = scores.percentile(cosines), "nearer than {:.4g} %".format
    return lambda rows: [write(values[row]) for row in rows]


def is_text_alone(words: Words, pictures: int) -> bool:
    """Whether one text is all that is searched with: what the network was trained to score."""
    return not pictures and len(words.wanted) == 1 and not words.unwanted


def percent(share: float) -> str:
    """A probability in percent, small ones too."""
    return f"probability {100 * share:.3g} %" if share >= 1e-6 else "probability < 0.0001 %"


def sentence(run: RunRecord, words: Words, pictures: int, among: str) -> str:
    """What was searched with and what the scores are; so many `pictures` count beside the words."""
    texts = [*(f"“{each.text}”" for each in words.wanted), *(f"not “{each.text}”" for each in words.unwanted)]
    also = f" and {counted(pictures, 'picture')}" if pictures else ""
    score = "the scores say how many percent of all pictures are less like that"
    if is_text_alone(words, pictures) and words.wanted[0].logit_bias is not None:
        score = "the scores are the network's own probability that the words are true of a picture"
    searched = f"{', '.join(texts)}{also}"
    return f"Searched with {searched} in the features of {run.title}, run {run.run_id}, among {among}: {score}."
