"""Making a vocabulary of a table, and scoring one anew with other prompts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePath

import streamlit as st

from dashboard.compute.words import plain
from dashboard.data import cache
from dashboard.drawing.text import glossary
from ingest.vision.spaces import RECOMMENDED_FOR_WORDS, is_joint
from store.counts import counted
from store.errors import StoreError
from store.records import RunRecord
from store.vocabularies import Vocabulary

COMMAND = "python -m ingest vocabulary FILE"
MEGABYTES = 20
# In the session: what the last scoring has to say, and the vocabulary to show then.
DONE, NEXT = "_vocabulary_done", "_vocabulary_next"
HELP = (
    "One a line, with {} where the term goes. Of several the mean vector stands for a term. A term with a prompt of "
    "its own in the table keeps that."
)


def reads_words(run: RunRecord) -> bool:
    """Whether the features of a run can be compared with words; says what to type where they cannot."""
    if is_joint(run.settings):
        return True
    st.info(f"{plain(run.title)} reads no words: make a run with a network that does, then a vocabulary of it.")
    st.code(f"python -m ingest run FOLDER --model {RECOMMENDED_FOR_WORDS}", language=None, wrap_lines=True)
    return False


def first(run: RunRecord) -> None:
    """What stands where a run has no vocabulary."""
    if reads_words(run):
        st.info(f"Run {run.run_id} has no vocabulary yet: upload a table of terms here, or type `{COMMAND}`.")
        upload(run, ())


def upload(run: RunRecord, known: Collection[str]) -> None:
    """A table that becomes a vocabulary; `known` are the names of those that are there."""
    from ingest.vision.words.scores import TextError
    from ingest.vision.words.term_files import TYPES, read_terms
    from ingest.vision.words.terms import PROMPTS

    file = st.file_uploader(
        "A table with a column term and, if you like, prompt and parent (a broader term); or one term a line",
        list(TYPES),
        max_upload_size=MEGABYTES,
        key="vocabulary_file",
        help=glossary.sense_of("prompt"),
    )
    if file is None:
        return
    try:
        terms, twice = read_terms(file.name, file.getvalue())
    except TextError as error:
        st.error(f"{plain(file.name)}: {plain(str(error))}.")
        return
    again = f"; {twice} that were there before are left out" if twice else ""
    st.markdown(f"{counted(len(terms), 'term')}{again}.")
    stem = PurePath(file.name).stem
    name = " ".join((st.text_input("Name", stem, key=f"vocabulary_name_{file.file_id}", max_chars=100) or stem).split())
    prompts = lines(st.text_area("Prompts", "\n".join(PROMPTS), key=f"vocabulary_new_{file.file_id}", help=HELP))
    label = "Replace the vocabulary of this name" if name in known else "Score over the pictures"
    if st.button(label, key="vocabulary_make", type="primary", disabled=not (name and prompts)):
        score(run, name, terms, prompts)


def change(run: RunRecord, vocabulary: Vocabulary) -> None:
    """The prompts, which can be changed."""
    from ingest.vision.words.terms import TermRow

    own = sum(term.prompt is not None for term in vocabulary.terms)
    typed = st.text_area(
        "Prompts",
        "\n".join(vocabulary.prompts),
        key=f"vocabulary_prompts_{run.run_id}_{vocabulary.name}",
        help=HELP,
    )
    if own:
        st.caption(f"{counted(own, 'term')} of {len(vocabulary.terms):,} have a prompt of their own.")
    prompts = lines(typed)
    new = bool(prompts) and prompts != list(vocabulary.prompts)
    if new and cache.thresholds(run.run_id, vocabulary.name):
        st.caption(
            "Terms that score otherwise then lose their thresholds. Marks stay, but do not count for the new scores."
        )
    if st.button("Score anew", key="vocabulary_again", disabled=not new):
        terms = [TermRow(each.term, each.prompt, each.parent) for each in vocabulary.terms]
        score(run, vocabulary.name, terms, prompts)


def score(run: RunRecord, name: str, terms: Sequence, prompts: Sequence[str]) -> None:
    """Scores terms over the run, and begins the page again with them; or says why not."""
    from ingest.vision.words.scores import TextError
    from ingest.vision.words.tower import NoTextTower

    try:
        with st.spinner(f"Scoring {counted(len(terms), 'term')} …"):
            cut = cache.score_vocabulary(run, name, terms, prompts)
    except (NoTextTower, TextError, StoreError) as error:
        sentence, start, command = str(error).partition("python -m ingest")
        st.error(plain(sentence.rstrip(": ")))
        if start:
            st.code(f"{start}{command}", language=None, wrap_lines=True)
        return
    more = f" {counted(len(cut), 'text')} were longer than the network reads, such as “{cut[0][:60]}”." if cut else ""
    scored = f"{name}: {counted(len(terms), 'term')} scored over the pictures of run {run.run_id}."
    st.session_state[DONE] = scored + more
    st.session_state[NEXT] = name
    st.rerun()


def report() -> None:
    """What the last scoring has to say, once."""
    if DONE in st.session_state:
        st.success(plain(st.session_state.pop(DONE)))


def lines(text: str | None) -> list[str]:
    """The lines of a text that hold anything, each once."""
    return list(dict.fromkeys(line.strip() for line in (text or "").splitlines() if line.strip()))
