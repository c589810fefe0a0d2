"""What a map of attribution is to explain: the controls, kept in the address as the command line writes targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing.text import glossary
from dashboard.selection.maps import lookup
from dashboard.selection.maps.lookup import WORDS, NoMaps, Subject
from dashboard.selection.maps.options import clamp
from dashboard.state import filter_bar, pickers, url
from ingest.vision.spaces import is_joint
from store.records import Run, RunRecord

NEIGHBOURS = 20
OFFERED = 6  # texts of stored maps
EXAMPLE = "a boat on the sea"
HELP = "Where the picture's similarity to the text comes from. Another text gives another map, in the picture or not."
TARGETS = {
    "predicted": "the class that the network predicts",
    "class": "a class",
    "neighbours": "similarity to its nearest neighbours",
    "image": "similarity to another picture",
    "label": "what tells a label from the rest",
    "vote": "the vote of its neighbours (DAAM's rule)",
    "words": "similarity to a text",
}


@dataclass(frozen=True)
class Reach:
    """What targets can be made of: a classifier's class names, the run's other images, its collection and the metadata
    columns of that; whether it reads `words`, and the `texts` of which there are stored maps."""

    classes: tuple[str, ...]
    images: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    collection: str = ""
    words: bool = False
    texts: tuple[str, ...] = ()

    @property
    def kinds(self) -> list[str]:
        there = {
            "predicted": self.classes,
            "class": self.classes,
            "neighbours": self.images,
            "image": self.images,
            "label": self.columns,
            "vote": self.columns,
            "words": self.words,
        }
        return [kind for kind in TARGETS if there[kind]]


def reach(run: Run, image_id: int | None, stored: Sequence[str] = ()) -> Reach:
    """What may be asked of a run's network about an image; `stored` are targets of which there are maps."""
    classes, reads_words = lookup.classes_of(run), is_joint(run.settings)
    if not isinstance(run, RunRecord):
        return Reach(classes, words=reads_words)
    ids, _ = cache.features(run.run_id)
    others = tuple(i for i in ids.tolist() if i != image_id)
    columns = tuple(cache.grouping(run.collection)) if others else ()
    texts = tuple(target.removeprefix(WORDS) for target in stored if target.startswith(WORDS))
    return Reach(classes, others, columns, run.collection, reads_words, texts)


def pick_target(run: Run, image_id: int | None, stored: Sequence[str] = ()) -> str:
    """What is explained, as the command line writes it; at first what the maps that are `stored` explain. Raises
    NoMaps where this network can be asked nothing, and while no text is typed."""
    able = reach(run, image_id, stored)
    if not able.kinds:
        raise NoMaps(
            "This network has no classifier, and there are no other pictures to compare with: nothing can be "
            "explained. Choose a kind of attention."
        )
    if url.changed_in_url("target"):
        for text in url.words("target")[:1] or stored[:1]:
            aim(text, able)
    elif "target_kind" not in st.session_state and stored:
        aim(stored[0], able)
    text = choose_target(able)
    url.put("target", [text] if text else [])
    if not text:
        raise NoMaps(f"Type what is looked for in the picture, such as: {EXAMPLE}.")
    return text


def choose_target(able: Reach) -> str:
    """The controls, and what they say; '' while no text is typed."""
    clamp("target_kind", able.kinds)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    kind = row.selectbox(
        "What is explained",
        able.kinds,
        key="target_kind",
        format_func=words.named(TARGETS),
        help=glossary.sense_of("target"),
    )
    with row:
        return _TARGET_CONTROLS[kind](able)


def text_sentences(subject: Subject, target: str) -> list[str]:
    """How near the picture is to the text of a target, and whether that was cut; of what is not stored nothing."""
    run, text = subject.run, target.removeprefix(WORDS)
    if not isinstance(run, RunRecord) or (stored := cache.stored_texts(run, [text]).get(text)) is None:
        return []
    ids, vectors = cache.features(run.run_id)
    near = vectors[ids == subject.image_id] @ stored.vector
    notes = [f"The picture's similarity to the text: {cosine:.3f} (cosine)." for cosine in near]
    return notes + [f"The text is longer than {run.title} reads, so that its end has no say."] * stored.cut


def _predicted(able: Reach) -> str:
    return "class:predicted"


def _class(able: Reach) -> str:
    numbers = range(len(able.classes))
    clamp("target_class", numbers)
    chosen = st.selectbox(
        "Class",
        numbers,
        key="target_class",
        format_func=lambda n: f"{able.classes[n]} ({n})",
        help=glossary.sense_of("class"),
    )
    return f"class:{chosen}"


def _neighbours(able: Reach) -> str:
    most = len(able.images)
    st.session_state["target_count"] = min(st.session_state.get("target_count", NEIGHBOURS), most)
    return f"neighbours:{st.number_input('How many', 1, most, key='target_count', width=120)}"


def _image(able: Reach) -> str:
    images = cache.images(able.collection)
    labels = pickers.image_labels(images.loc[[i for i in able.images if i in images.index]])
    clamp("target_image", list(labels))
    chosen = st.selectbox("Picture", list(labels), key="target_image", format_func=words.named(labels))
    return f"image:{chosen}"


def _label(able: Reach) -> str:
    clamp("target_column", able.columns)
    column = st.selectbox("Column", able.columns, key="target_column", width=180)
    wanted = st.session_state.get("target_value")  # which need not be frequent
    counts = dict(cache.categories(able.collection, column, also=[wanted] if isinstance(wanted, str) else []).values)
    values = list(counts)
    clamp("target_value", values)
    shown = {value: f"{label} ({counts[value]:,})" for value, label in filter_bar.unique(values).items()}
    return f"label:{column}={st.selectbox('Label', values, key='target_value', format_func=words.named(shown))}"


def _vote(able: Reach) -> str:
    clamp("target_vote", able.columns)
    return f"vote:{st.selectbox('Column', able.columns, key='target_vote', width=180)}"


def _words(able: Reach) -> str:
    """The target of what is typed; '' for nothing."""
    typed = st.text_input(
        "Text", key="target_words", placeholder=EXAMPLE, max_chars=2000, help=HELP, icon=":material/search:"
    )
    typed = " ".join((typed or "").split())
    for text in [text for text in able.texts if text != typed][:OFFERED]:
        st.button(
            words.plain(f"“{text}”"),
            key=f"stored_text_{text}",
            on_click=_type,
            args=(text,),
            help="Its maps are stored.",
        )
    return f"{WORDS}{typed}" if typed else ""


def _type(text: str) -> None:
    st.session_state["target_words"] = text


_TARGET_CONTROLS = {
    "predicted": _predicted,
    "class": _class,
    "neighbours": _neighbours,
    "image": _image,
    "label": _label,
    "vote": _vote,
    "words": _words,
}


def aim(text: str, able: Reach) -> None:
    """Set the controls to a target that stands in the address; what is none, or not here, changes nothing."""
    kind, _, rest = text.partition(":")
    column, _, value = rest.partition("=")
    wanted: dict[str, dict[str, Any]] = {
        "neighbours": {"target_count": int(rest)} if rest.isdecimal() and int(rest) else {},
        "image": {"target_image": int(rest)} if rest.isdecimal() else {},
        "label": {"target_column": column, "target_value": value},
        "vote": {"target_vote": rest},
        "class": {"target_class": int(rest)} if rest.isdecimal() else {},
        "words": {"target_words": rest},
    }
    kind = "predicted" if text == "class:predicted" else kind
    if kind in able.kinds:
        st.session_state.update({"target_kind": kind, **wanted.get(kind, {})})
