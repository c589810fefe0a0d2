"""Words on the page Similar: alone or with the picture in view, and what a score says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dashboard.state import controls, widgets
from dashboard.state.widgets import Words
from store.counts import counted
from store.records import RunRecord


@dataclass(frozen=True)
class Query(Words):
    """The words that were typed; whether they are searched with `alone`, without the picture in view."""

    alone: bool = False


def field(run: RunRecord, picture: bool) -> Query:
    """The field, and the words in it; `picture`: there is one in view to search with as well."""
    asked = widgets.words_field(run)
    if not asked:
        return Query()
    alone = not (picture and controls.toggle("and like the picture in view", key="words_picture"))
    return Query(asked.wanted, asked.unwanted, alone)


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
        values, write = scores.percentile(cosines), "nearer than {:.3g} %".format
    return lambda rows: [write(values[row]) for row in rows]


def is_text_alone(words: Words, pictures: int) -> bool:
    """Whether one text is all that is searched with: what the network was trained to score."""
    return not pictures and len(words.wanted) == 1 and not words.unwanted


def percent(share: float) -> str:
    """A probability in percent, small ones too."""
    return f"probability {100 * share:.3g} %" if share >= 1e-6 else "probability < 0.0001 %"


def sentence(run: RunRecord, words: Words, pictures: int, among: str) -> str:
    """What was searched with and what the scores are; so many `pictures` count beside the words."""
    also = f" and {counted(pictures, 'picture')}" if pictures else ""
    score = "the scores say how many percent of all pictures are less like that"
    if is_text_alone(words, pictures) and words.wanted[0].logit_bias is not None:
        score = "the scores are the network's own probability that the words are true of a picture"
    return f"Searched with {words}{also} in the features of {run.title}, run {run.run_id}, among {among}: {score}."
