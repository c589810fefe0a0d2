"""Vocabulary: which pictures the terms of a vocabulary label, how far they can be trusted, and from which score on."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard.compute import words
from dashboard.compute.words import plain
from dashboard.data import cache
from dashboard.drawing.text import glossary
from dashboard.selection import actions
from dashboard.state import controls, filter_bar, navigation
from dashboard.views.vocabulary import checking, hierarchy, making
from dashboard.views.vocabulary.precision import steps
from dashboard.views.vocabulary.scored import ScoredTerm, scored
from store.counts import counted
from store.errors import StoreError
from store.records import RunRecord
from store.vocabularies import Vocabulary

SHOWN = 24  # pictures of a strip
THRESHOLDS = 200  # places of the slider
LABELLED, OF = "labelled", "_vocabulary_term"  # of the slider; in the session: the term that it is set for
STRIPS = ("sure to unsure", "surest", "at the threshold")


def page() -> None:
    """The page."""
    navigation.heading("vocabulary")
    run = cache.run_in_view()
    making.report()
    known = {each.name: each for each in cache.vocabularies(run.run_id)}
    if not known:
        making.first(run)
        return
    vocabulary, name = choose(run, known)
    term = scored(run, vocabulary, name)
    if len(term.ids):
        show(term)
    else:
        st.info(
            f"No picture has a score of {plain(name)}: give the same `{making.COMMAND}` again to score new pictures."
        )
    with st.expander("All terms", key="vocabulary_tree"):
        st.html(tree(vocabulary, cache.label_counts(run.run_id, vocabulary.name)))
    with st.expander("Prompts", key="vocabulary_prompts"):
        making.change(run, vocabulary)
    with st.expander("Another vocabulary", key="vocabulary_upload"):
        if making.reads_words(run):
            making.upload(run, known)


def choose(run: RunRecord, known: dict[str, Vocabulary]) -> tuple[Vocabulary, str]:
    """The vocabulary and the term, in the order of the tree and with how many pictures each labels."""
    if making.NEXT in st.session_state:
        st.session_state["vocabulary"] = st.session_state.pop(making.NEXT)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = filter_bar.unique(known)
        name = controls.selectbox(
            "Vocabulary", list(known), key="vocabulary", format_func=words.named(names), always=True, width=240
        )
        vocabulary = known[name]
        counts = cache.own_label_counts(run.run_id, name)
        own = {term.term for term in vocabulary.terms}
        paths = {term: above for term, above in hierarchy.paths(parents(vocabulary)).items() if term in own}
        texts = {term: f"{' › '.join((*above, term))} ({counts.get(term, 0):,})" for term, above in paths.items()}
        labels = dict(zip(texts, filter_bar.unique(texts.values()).values(), strict=True))
        chosen = controls.selectbox(
            "Term", list(paths), key="term", format_func=words.named(labels), always=True, width=360
        )
    return vocabulary, chosen


def show(term: ScoredTerm) -> None:
    """The threshold, the pictures and the precision of a term."""
    labelled = choose_threshold(term)
    use(term, labelled)
    way = controls.segmented_control("Pictures", STRIPS, key="strip", label_visibility="collapsed")
    strip(term, labelled, way)
    st.header("Precision", anchor=False)
    checking.check(term, labelled)


def choose_threshold(term: ScoredTerm) -> int:
    """How many pictures the slider's threshold labels: at first as many as are labelled now."""
    count = len(term.ids)
    first = term.reached(term.threshold) if term.threshold is not None else max(1, term.now)
    first = max(1, first)
    options = sorted({*steps(count, THRESHOLDS), first})
    if st.session_state.get(OF, term.key) != term.key:
        st.session_state[LABELLED] = first
    st.session_state[OF] = term.key
    if len(options) < 2:
        return count
    last = term.words(each - 1 for each in options)
    texts = {each: f"{counted(each, 'picture')}, the last at {text}" for each, text in zip(options, last, strict=True)}
    chosen = controls.select_slider(
        "Threshold: pictures that the term labels",
        options,
        options.index(first),
        key=LABELLED,
        format_func=words.named(texts),
        help=glossary.sense_of("threshold"),
    )
    return term.reached(term.threshold_of(chosen))  # with those that score the same


def use(term: ScoredTerm, labelled: int) -> None:
    """The buttons that store and remove a threshold, and what holds now."""
    stored = None if term.threshold is None else term.reached(term.threshold)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Use this threshold", key="threshold_use", type="primary", disabled=labelled == stored):
            store(term, term.threshold_of(labelled))
        if stored is not None and st.button("Remove the threshold", key="threshold_remove"):
            store(term, None)
        if stored is None:
            held = f"It has no threshold: it labels the {counted(term.now, 'picture')} of which it is the best term."
        else:
            held = f"Its threshold labels {counted(stored, 'picture')}."
        st.caption(held, width="content")


def store(term: ScoredTerm, threshold: float | None) -> None:
    """Stores a threshold and begins the page again; or says why not."""
    try:
        cache.set_threshold(*term.key, threshold)
    except StoreError as error:
        st.error(plain(str(error)))
    else:
        st.rerun()


def strip(term: ScoredTerm, labelled: int, way: str) -> None:
    """Some pictures by their scores, the best first."""
    count = len(term.ids)
    if way == "surest":
        ranks = list(range(min(SHOWN, count)))
    elif way == "at the threshold":
        start = max(0, min(labelled - SHOWN // 2, count - SHOWN))
        ranks = list(range(start, min(start + SHOWN, count)))
    else:
        ranks = [place - 1 for place in steps(count, SHOWN)]
    captions = {int(term.ids[rank]): text for rank, text in zip(ranks, term.words(ranks), strict=True)}
    for label, reached in (("Labelled", True), ("Not labelled", False)):
        ids = [int(term.ids[rank]) for rank in ranks if (rank < labelled) == reached]
        if ids:
            st.markdown(f"**{label}**")
            key = f"vocabulary_{label.lower().replace(' ', '_')}"
            actions.gallery(cache.items(ids, captions), key, 130)
    meaning = "“90 %”: nine of ten pictures score lower for this term."
    if term.vocabulary.settings.get("logit_bias") is not None:
        meaning += " p is the probability that the network itself gives to this term, from 0 to 1."
    kept = str(term.vocabulary.settings.get("kept", ""))
    if kept and kept != "all scores":
        meaning += f" Of so large a vocabulary only {kept} are stored: these {counted(count, 'picture')}."
    st.caption(meaning)


def parents(vocabulary: Vocabulary) -> dict[str, str | None]:
    """{term: broader term or None}."""
    return {term.term: term.parent for term in vocabulary.terms}


def tree(vocabulary: Vocabulary, counts: dict[str, int]) -> str:
    """All terms below their broader ones as HTML, each with how many pictures it and narrower terms label."""
    rows = "".join(
        f'<div style="padding-left: {1.4 * len(above):.1f}rem; overflow-wrap: anywhere">{escape(term)} '
        f'<span style="opacity: 0.65">{counts.get(term, 0):,}</span></div>'
        for term, above in hierarchy.paths(parents(vocabulary)).items()
    )
    return f'<div style="font-size: 0.9rem; line-height: 1.6">{rows}</div>'


page()
