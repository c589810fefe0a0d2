"""The attention microscope: one picture before one network, and all that can be asked about it.

The page Attention shows the images of the database with it, the page Probe any other picture.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboard.components import map_wall
from dashboard.components.patches import patches
from dashboard.compute.methods import entry_of, in_words, kind_of
from dashboard.data import cache
from dashboard.drawing import map_values, markup, panels
from dashboard.drawing.panels import Scene
from dashboard.drawing.text import glossary, inputs, warnings
from dashboard.selection.maps import lookup, options, targets
from dashboard.selection.maps.drawn import draw
from dashboard.selection.maps.lookup import NoMaps, PictureMaps, Question, Subject
from dashboard.selection.maps.options import Drawing
from dashboard.state import url, widgets
from dashboard.views.attention import detail, downloads, faithfulness, player
from ingest.vision import described
from store import connection
from store.maps import AttentionMaps
from store.records import Run, RunRecord

LARGE = 720  # pixels of the long side of a map beside another


def show(subject: Subject, stored: Sequence[tuple[str, str]] = (), suited: Sequence[str] | None = None) -> None:
    """Controls, maps and what is to be said of them. `stored` are the (method, target) that the database holds,
    `suited` the methods that the network can show (None: what its run tells of it decides)."""
    question = None
    try:
        question, drawing = ask(subject, stored, suited)
        if question is None:
            return
        with st.spinner("Running the network on the picture …"):
            found = lookup.find(subject, question)
    except NoMaps as reason:
        widgets.message(reason, st.info)
        if question is not None and _of_chosen_token(question):  # a patch of another picture, with another grid
            ways_out()
        return
    scene = subject.scene(found.frame)
    maps = map_values.renormalised(found.maps, scene.cells()) if drawing.over_patches else found.maps
    about_network = described.warning(subject.run.measured, question.key)
    about_maps = warnings.warnings(question.entry, found.maps, scene, subject.run.prefix_tokens, outliers(subject))
    for words in [each for each in (about_network, *about_maps) if each]:
        st.warning(words, icon=":material/visibility_off:")
    if _of_chosen_token(question):
        query_bar(subject, question, found)
    draw_wall(subject, question, drawing, found, maps, scene)
    credit = describe(subject, question, found)
    st.html(markup.small(credit))
    if found.seconds is not None:
        st.html(markup.small(how_to_store(subject, question, found.seconds)))
    downloads.show(columns_of(maps, scene), subject, maps, scene, drawing, question, credit)
    if question.target.startswith("image:"):
        other_side(subject, question, drawing, found)
    about_method(question, credit)
    method = question.entry
    if method is None or method.per_head or method.one_layer:
        one = map_values.single(found.maps, detail.show(subject, question, maps, scene, drawing.style))
    else:
        one = map_values.answer(
            player.show(
                subject,
                question,
                scene,
                drawing.style,
                lambda maps: describe(subject, question, replace(found, maps=maps)),
            )
        )
    faithfulness.show(subject, question, found, one)


# ---- what is asked --------------------------------------------------------------------------------------------------


def ask(
    subject: Subject, stored: Sequence[tuple[str, str]], suited: Sequence[str] | None
) -> tuple[Question | None, Drawing]:
    """All controls above the maps. Raises NoMaps where nothing can be explained."""
    names = list(dict.fromkeys(method for method, _ in stored))
    name = options.pick_method(options.offered(subject.run, names, suited), names)
    method = entry_of(name)
    target = ""
    if method is None or method.needs_target:
        targeted = [target for one, target in stored if one == name]
        target = targets.pick_target(subject.run, subject.image_id, targeted)
    above = st.container()
    drawing = options.choose_drawing(method is None or method.per_head)
    with above:
        question = options.pick_question(subject.run, name, target, drawing.fuse)
        if question is not None and question.accumulates:
            question = replace(question, alone=options.choose_alone(question))
    return question, drawing


def query_bar(subject: Subject, question: Question, found: PictureMaps) -> None:
    """Which token is asked where it looks, the other tokens that may be asked, and the way back."""
    token, prefix = token_of(question, found), subject.run.prefix_tokens
    row = st.container(horizontal=True, vertical_alignment="bottom")
    tokens = [token] if token.startswith("r") else [f"r{found.frame.rows // 2}c{found.frame.cols // 2}"]
    tokens += [f"special{number}" for number in range(prefix)]
    st.session_state["asks"] = token
    row.selectbox(
        "The token that looks",
        tokens,
        key="asks",
        format_func=lambda each: _token_words(each, prefix),
        on_change=lambda: _ask_token(st.session_state["asks"]),
        width=280,
        help=glossary.sense_of("token"),
    )
    row.button("Back to the whole picture", on_click=_ask_later, args=("",), icon=":material/undo:")


def ways_out() -> None:
    """Where to go when there is no such patch."""
    row = st.container(horizontal=True)
    row.button("Ask the patch in the middle", on_click=_ask_later, args=("query",), icon=":material/center_focus_weak:")
    row.button("Back to the whole picture", on_click=_ask_later, args=("",), icon=":material/undo:")


def _of_chosen_token(question: Question) -> bool:
    return question.entry is not None and question.entry.of_chosen_token


def token_of(question: Question, found: PictureMaps) -> str:
    """The token of the method `query`, as it is written: r3c5, special1."""
    _, _, inside = question.method.partition("(token=")
    return inside.rstrip(")") or f"r{found.frame.rows // 2}c{found.frame.cols // 2}"


def _token_words(token: str, prefix: int) -> str:
    if token.startswith("special"):
        number = int(token.removeprefix("special"))
        if number == 0:
            return "CLS token"
        return "distillation token" if prefix == 2 else f"register {number}"
    row, _, col = token.removeprefix("r").partition("c")
    return f"patch in row {row}, column {col}"


def _ask_token(token: str) -> None:
    _ask_later(f"query(token={token})")


def _ask_later(name: str) -> None:
    """Set the method at the next run; '' is the one before a patch was asked."""
    st.session_state["_ask"] = name or st.session_state.get("_before_query", "")


# ---- the maps -------------------------------------------------------------------------------------------------------


def draw_wall(
    subject: Subject,
    question: Question,
    drawing: Drawing,
    found: PictureMaps,
    maps: AttentionMaps,
    scene: Scene,
    key: str = "maps",
) -> None:
    """The maps beside their picture. A click on a patch asks where it looks."""
    columns = columns_of(maps, scene)
    drawn, bar = draw(subject, maps, scene.at(_side(columns)), drawing.style)
    probes = kind_of(question.method) == "attention" and subject.run.layers > 2
    chosen = map_wall.chosen_box(scene, token_of(question, found)) if _of_chosen_token(question) else None
    sentences = sentences_of(subject, question, drawing, found, scene)
    if probes:
        sentences.append("Click a patch, or press Enter on it, to see where it looks.")
    rows = columns == len(maps.head_numbers) > 1  # one a layer
    patch = map_wall.sheet(scene, subject.alt, drawn, bar, sentences, columns, key, subject.group, chosen, probes, rows)
    detail.strip(subject, question, found)
    if patch is not None:
        if not _of_chosen_token(question):
            st.session_state["_before_query"] = question.method
        _ask_token(f"r{patch.row}c{patch.col}")
        st.rerun()


def columns_of(maps: AttentionMaps, scene: Scene) -> int:
    """Columns of the wall: one a head, or a few where a map belongs to no head; of broad pictures few in any case."""
    columns = len(maps.head_numbers) or options.GRID
    return min(columns, map_wall.BROAD_COLUMNS) if scene.broad else columns


def sentences_of(subject: Subject, question: Question, drawing: Drawing, found: PictureMaps, scene: Scene) -> list[str]:
    """What is said beside the maps."""
    notes = [panels.seen_sentence(scene, subject.run.fit)]
    if drawing.style.share is not None:
        notes.append(panels.mask_sentence(drawing.style))
    if not subject.original:
        notes.append("The original file is not where it was, has changed, or lies on the web: this is its thumbnail.")
        if found.seconds is not None:
            notes.append("The network was given the thumbnail too, and missed what is finer.")
    if found.predicted is not None:
        notes.append(prediction_sentence(found.predicted))
    if question.target.startswith("label:"):
        notes.append(lookup.probe_sentence(subject.record, question.target))
    if question.target.startswith("words:"):
        notes += targets.text_sentences(subject, question.target)
    return notes


def prediction_sentence(predicted: Any) -> str:
    """What a network says of the picture: a class, one of several that may hold, or a number."""
    if predicted.kind == "regression":
        return f"The network estimates: {predicted.name} = {predicted.value:.4g}. That is a number, not a probability."
    share = panels.percent(predicted.probability)
    if predicted.kind == "multi_label":
        return f"Each class may hold or not. The likeliest to the network: {predicted.name} ({share})."
    return f"The network takes this for: {predicted.name} ({share})."


def _side(columns: int) -> int:
    """Pixels of a panel's long side: what the page has room for, and some more for dense screens."""
    return min(960, max(240, 1280 // max(1, columns)))


def other_side(subject: Subject, question: Question, drawing: Drawing, here: PictureMaps) -> None:
    """Why are these two similar: the other picture, explained by this one, whose own maps are `here`."""
    other_id, own_id = int(question.target.partition(":")[2]), subject.image_id
    if own_id is None:  # of a picture that is in no database nothing is like another
        return
    try:
        other = lookup.subject_of(subject.record, other_id)
        asked = replace(question, target=f"image:{own_id}")
        with st.spinner("Running the network on the other picture …"):
            found = lookup.find(other, asked)
    except NoMaps as reason:
        st.info(markup.markdown(str(reason)))
        return
    similarity = lookup.similarity(subject.record, own_id, other_id)
    st.subheader("Why are these two similar?")
    if similarity is not None:
        st.markdown(
            f"To this network the two pictures have a similarity of **{similarity:.3f}** (cosine). Left: what "
            f"makes {markup.markdown(subject.title)} like {markup.markdown(other.title)}. Right: the other way round."
        )
    scene = other.scene(found.frame)
    side_by_side([(subject, question, here), (other, asked, found)], drawing)
    maps = map_values.renormalised(found.maps, scene.cells()) if drawing.over_patches else found.maps
    columns = columns_of(maps, scene)
    drawn, bar = draw(other, maps, scene.at(_side(columns)), drawing.style)
    notes = sentences_of(other, asked, drawing, found, scene)
    rows = columns == len(found.maps.head_numbers) > 1
    map_wall.sheet(scene, other.alt, drawn, bar, notes, columns, "other", other.group, pick=False, rows=rows)


def side_by_side(pair: Sequence[tuple[Subject, Question, PictureMaps]], drawing: Drawing) -> None:
    """One large map of each of two pictures, on one scale where the look shares one."""
    groups = []
    for subject, question, found in pair:
        one = map_values.answer(player.blocks(subject, question) if question.accumulated else found.maps)
        groups.append((one, subject.scene(found.frame).at(LARGE)))
    drawn, _ = panels.draw_together(groups, drawing.style)
    columns = st.columns(2)
    for column, (subject, _, _), (panel,) in zip(columns, pair, drawn, strict=True):
        panel = replace(panel, title=f"{subject.title}: {panel.title[0].lower()}{panel.title[1:]}")
        with column:
            patches([panel], f"pair_{subject.image_id}", group=subject.group, large=True, pick=False)


def outliers(subject: Subject) -> float | None:
    """The share of the picture's patch tokens with an abnormal norm, where the database knows it."""
    return None if subject.stored is None else cache.outliers(*subject.stored)


# ---- what is said of them -------------------------------------------------------------------------------------------


def describe(subject: Subject, question: Question, found: PictureMaps) -> str:
    """What the maps are, for the page and for print: kind, method, target, layers and heads, network, run."""
    run, method = subject.run, question.entry
    kind = kind_of(question.method).capitalize()
    what = f"{kind}: {method.title}{in_words(question.method)}" if method else f"Map: {question.method}."
    target = f" Explained: {explained(run, found.maps.target)}." if found.maps.target else ""
    where, heads = f" {_where(question, found.maps.layer_numbers)}", found.maps.head_numbers
    if question.fuse:
        where += f", {map_values.FUSIONS[question.fuse][0]} of all heads"
    elif heads:
        where += f", {_numbered('head', heads)}"
    network = f" Network: {run.title}, weights {run.weights_sha256[:8]}"
    if isinstance(run, RunRecord):
        network += f", run {run.run_id} of {run.collection}"
    return f"{what}{target}{where}, counted from 0.{network}, {inputs.of_picture(run, found.frame)}."


def _where(question: Question, layers: Sequence[int]) -> str:
    """Which layers the maps are of, and whether they are sums."""
    noun = "Layer" if question.entry is None else question.entry.depth
    some = _numbered(noun, layers)
    if question.accumulated:
        each = "each " * (len(layers) > 1)
        return f"Accumulated to {some[0].lower()}{some[1:]}, {each}the sum of all {noun.lower()}s up to it"
    return f"{some} alone, without those before" if question.accumulates else some


def _numbered(noun: str, numbers: Sequence[int]) -> str:
    return f"{noun}{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def explained(run: Run, target: str) -> str:
    """A target as it is written, with the name of the class or picture that it means."""
    kind, _, rest = target.partition(":")
    if kind == "class" and rest.isdecimal():
        names = lookup.classes_of(run)
        return f"{target} ({names[int(rest)]})" if int(rest) < len(names) else target
    if kind == "image" and rest.isdecimal() and (image := cache.image(int(rest))):
        return f"{target} ({image['title']})"
    return target


def how_to_store(subject: Subject, question: Question, seconds: float) -> str:
    """How long the maps took, and the command that stores them."""
    took = f"Computed now in {seconds:.1f} s"
    if subject.stored is None:
        return f"{took}; nothing of it is stored."
    words = ["python", "-m", "ingest", "explain", "--run", str(subject.stored[0]), "--methods", question.method]
    words += ["--target", question.target] if question.target else []
    words += [] if cache.db() == connection.default_path() else ["--db", str(cache.db())]
    return f"{took}, and not stored. This stores it for the collection: {shlex.join(words)}"


def about_method(question: Question, credit: str) -> None:
    """The method in full, and a text to cite a map with."""
    method = question.entry
    with st.expander("Method, formula, source; cite this map", icon=":material/format_quote:"):
        if method is not None:
            facts = {"kind": options.KINDS[method.kind], "shows": method.explanation}
            st.html(markup.facts({**facts, "formula": method.formula, "source": method.source}))
        st.code(f"{credit} {link()}".strip(), language=None, wrap_lines=True)


def link() -> str:
    """The address of this view; empty where nobody knows it."""
    base = (getattr(st.context, "url", None) or "").partition("?")[0]
    return f"{base}?{urlencode(url.current(), doseq=True)}" if base else ""
