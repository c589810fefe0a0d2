"""Two to four maps of one picture beside each other, each of a run, a method, a layer and heads of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dashboard.components import map_wall
from dashboard.components.patches import patches
from dashboard.compute import words
from dashboard.compute.methods import depth_noun, entry_of, kind_of, title_of
from dashboard.data import cache
from dashboard.drawing import map_values, markup, panels
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.panels import MapStyle, Panel, Scene
from dashboard.drawing.text import glossary, warnings
from dashboard.state import controls, pickers, url, widgets
from dashboard.views.attention import lookup, options, targets, viewer
from dashboard.views.attention.lookup import WORDS, NoMaps, PictureMaps, Question, Subject
from ingest.vision import described
from store.records import Run, RunRecord

MOST = 4
WIDTHS = {2: 440, 3: 285, 4: 206}  # pixels of a column: all in one row on a wide page, in several on a narrow one
SIDE = 720
ALONE = "alone"
FUSIONS = {"mean": "mean of all", "max": "maximum of all"}
LONGEST = 40  # letters of a text in a title
UNIT = (
    "On the scale that all maps share, a patch that adds twice as much to the similarity with its text is drawn twice "
    "as strong. Without this each map is drawn in multiples of its own mean: its shape is compared, not its size."
)


@dataclass(frozen=True)
class Column:
    """What one column shows. `head` is a number as text, a key of map_values.FUSIONS, or '' for methods without heads,
    of which those that accumulate have ALONE too, for one layer without those before. `words` are a text of its own,
    which it explains in place of that of all columns, '' for none. In the address it is written `1;cls;11;mean`, or
    `1;daam;11;;words:a boat`."""

    run_id: int
    method: str
    layer: int
    head: str
    words: str = ""

    @property
    def text(self) -> str:
        own = f";{WORDS}{self.words}" if self.words else ""
        return f"{self.run_id};{self.method};{self.layer};{self.head}{own}"

    @staticmethod
    def parse(text: str) -> Column | None:
        """The column written so; None for anything else."""
        parts = text.split(";", 4)
        if len(parts) < 4 or not parts[0].isdecimal() or not parts[2].isdecimal():
            return None
        run_id, method, layer, head, *own = parts
        if own and not own[0].startswith(WORDS):
            return None
        return Column(int(run_id), method, int(layer), head, "".join(own).removeprefix(WORDS))

    def question(self, target: str) -> Question:
        method = entry_of(self.method)
        target = f"{WORDS}{self.words}" if self.words and target.startswith(WORDS) else target
        target = target if method is not None and method.needs_target else ""
        layers = None if method is not None and method.one_layer else (self.layer,)
        if self.head in map_values.FUSIONS:
            return Question(self.method, target, layers, None, self.head)
        heads = (int(self.head),) if self.head.isdecimal() else None
        return Question(self.method, target, layers, heads, alone=self.head == ALONE)


@dataclass(frozen=True)
class Side:
    """One column, by its number from the left, with what was found for it."""

    number: int
    subject: Subject
    question: Question
    found: PictureMaps
    scene: Scene


def show(subject: Subject) -> None:
    """The page in its other form: columns with their controls above, maps on one scale, one cursor."""
    own = subject.record
    runs = [run.run_id for run in cache.runs(own.collection)]
    _read_from_url(own, runs)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    count = row.segmented_control("Columns", [2, 3, 4], key="columns", required=True) or 2
    kinds, named = list(options.KINDS), words.named(options.KINDS)
    kind = row.segmented_control("Kind", kinds, key="kinds", required=True, format_func=named) or kinds[0]
    try:
        target = "" if kind == "attention" else targets.pick_target(subject.run, subject.image_id)
    except NoMaps as reason:
        st.info(markup.markdown(str(reason)))
        return
    drawing = options.choose_drawing(per_head=False, scale="shared", key="common_scale")
    scale = st.container()
    places = st.container(horizontal=True, gap="medium", vertical_alignment="top")
    columns, sides = [], []
    beside = min(count, map_wall.BROAD_COLUMNS) if panels.is_broad(subject.size) else count
    for number in range(count):
        with places.container(width=WIDTHS[beside]):
            columns.append(pick_column(number, runs, kind, target))
            side = _find(subject, number, columns[-1], target)
            sides += [(side, st.container())] if side else []
    _write_to_url(columns)
    with scale:
        as_cosines = choose_unit([side for side, _ in sides], drawing.style)
    _draw(subject, sides, drawing.style, beside, as_cosines)


def choose_unit(sides: Sequence[Side], style: MapStyle) -> bool:
    """Whether maps of texts are drawn in units of the cosine, so that twice as much looks twice as strong. Offered
    where these can be compared: one network explains its similarity to texts, by one method."""
    methods = {(each.subject.record.run_id, each.question.method) for each in sides}
    texts = [each for each in sides if each.found.maps.target.startswith(WORDS)]
    if len(methods) != 1 or len(texts) != len(sides):
        return False
    shared = style.scale == "shared"
    chosen = controls.toggle("In units of the cosine", True, key="cosines", disabled=not shared, help=UNIT)
    return chosen and shared


def pick_column(number: int, runs: Sequence[int], kind: str, target: str) -> Column:
    """The controls of one column; of a `target` that is a text each may have another."""
    prefix, labels = f"c{number}_", pickers.run_labels()
    state = st.session_state
    options.clamp(f"{prefix}run", runs)
    run = cache.run(
        st.selectbox("Run", runs, key=f"{prefix}run", format_func=words.named(labels), help=glossary.sense_of("run"))
    )
    stored = list(dict.fromkeys(cache.methods(run.run_id)["method"]))
    keys = [key for key in options.offered(run, stored) if kind_of(key) == kind]
    options.clamp(f"{prefix}method", keys)
    key = st.selectbox("Method", keys, key=f"{prefix}method", format_func=title_of, help=glossary.sense_of("method"))
    row = st.container(horizontal=True, vertical_alignment="bottom")
    method = entry_of(key)
    layer, head = run.layers - 1, ""
    if method is None or not method.one_layer:
        layers = range(run.layers)
        options.clamp(f"{prefix}layer", layers, layer)
        label = "Layer" if method is None or method.per_head else depth_noun(key)
        layer = row.selectbox(label, layers, key=f"{prefix}layer", help=glossary.sense_of(label))
    if method is None or method.per_head:
        heads = [*FUSIONS, *map(str, range(run.heads))]
        options.clamp(f"{prefix}head", heads)
        head = row.selectbox(
            "Head",
            heads,
            key=f"{prefix}head",
            format_func=lambda each: FUSIONS.get(each, each),
            help=glossary.sense_of("head"),
        )
    elif method.accumulates:
        noun = depth_noun(key).lower()
        shown = {"": f"accumulated to this {noun}", ALONE: f"this {noun} alone"}
        options.clamp(f"{prefix}head", list(shown))
        head = row.selectbox("Shown", list(shown), key=f"{prefix}head", format_func=words.named(shown))
    name = options.pick_options(key, row, prefix=prefix)
    own = ""
    if target.startswith(WORDS):
        common = target.removeprefix(WORDS)
        own = st.text_input("Text of this column", key=f"{prefix}words", placeholder=common, max_chars=2000)
    own = " ".join((own or "").split())
    state[f"_{prefix}column"] = column = Column(run.run_id, name, layer, head, own)
    return column


def _find(subject: Subject, number: int, column: Column, target: str) -> Side | None:
    """What the column asks for; None, with a sentence in its place, if it cannot be had."""
    try:
        own = replace(subject, run=cache.run(column.run_id))
        question = column.question(target)
        with st.spinner("Running the network on the picture …"):
            found = lookup.find(own, question)
    except NoMaps as reason:
        widgets.message(reason, st.info)
        return None
    return Side(number, own, question, found, own.scene(found.frame))


def _draw(subject: Subject, sides: Sequence[tuple[Side, Any]], style: MapStyle, count: int, as_cosines: bool) -> None:
    """The maps in their places, on one scale, and below them what they are."""
    if not sides:
        return
    # Networks and methods count in weights of their own: multiples of a map's mean can be compared.
    maps = [
        each.found.maps if as_cosines else map_values.uniform(each.found.maps, each.scene.cells()) for each, _ in sides
    ]
    groups = [(one, each.scene.at(SIDE)) for one, (each, _) in zip(maps, sides, strict=True)]
    drawn, bar = panels.draw_together(groups, style)
    shown = [replace(panel, title=_title(each)) for (each, _), (panel, *_) in zip(sides, drawn, strict=True)]
    for (each, place), panel in zip(sides, shown, strict=True):
        with place:
            patches([panel], f"compare_{each.number}", group=subject.group, pick=False)
            prefix = each.subject.run.prefix_tokens
            about_network = described.warning(each.subject.run.measured, each.question.key)
            about_maps = warnings.warnings(each.question.entry, each.found.maps, each.scene, prefix)
            for warning in [each for each in (about_network, *about_maps) if each]:
                st.caption(f":material/visibility_off: {warning}")
    sentences = _seen(sides)
    st.html(f'<div style="max-width: 30rem">{markup.notes(sentences, bar)}</div>')
    credits = [viewer.describe(each.subject, each.question, each.found) for each, _ in sides]
    numbered = " ".join(f"({number}) {credit}" for number, credit in enumerate(credits, 1))
    st.html(markup.small(numbered))
    for each, _ in sides:
        if each.found.seconds is not None:
            st.html(markup.small(viewer.how_to_store(each.subject, each.question, each.found.seconds)))
    _download(subject, sides[0][0].scene, shown, bar, style, count, numbered)
    with st.expander("Cite this comparison", icon=":material/format_quote:"):
        st.code(f"{numbered} {viewer.link()}".strip(), language=None, wrap_lines=True)


def _seen(sides: Sequence[tuple[Side, Any]]) -> list[str]:
    """What the networks saw of the picture, in one sentence if all saw the same."""
    sentences = [panels.seen_sentence(each.scene, each.subject.run.fit) for each, _ in sides]
    return (
        sentences[:1]
        if len(set(sentences)) == 1
        else [f"({number}) {words}" for number, words in enumerate(sentences, 1)]
    )


def _download(
    subject: Subject, scene: Scene, shown: Sequence[Panel], bar: ColourBar, style: MapStyle, count: int, credit: str
) -> None:
    def plate():
        print_scene = scene.at(viewer.FIGURE_SIDE)
        return panels.plate_of(subject.title, subject.caption, shown, bar, print_scene, style, count, credit)

    viewer.figure_buttons(plate, f"{panels.file_stem(subject.title)}-compared", "compared")


def _title(side: Side) -> str:
    text = side.found.maps.target.removeprefix(WORDS)
    text = (
        "" if text == side.found.maps.target else f" · “{text if len(text) <= LONGEST else f'{text[: LONGEST - 1]}…'}”"
    )
    return f"{side.found.maps.titles[0]} · {title_of(side.question.key)} · run {side.subject.record.run_id}{text}"


# ---- the address ----------------------------------------------------------------------------------------------------


def _read_from_url(run: RunRecord, runs: Sequence[int]) -> None:
    """Set the controls to what stands in the address; at first to the run in view and others beside it."""
    state = st.session_state
    if url.changed_in_url("column"):
        found = [column for column in map(Column.parse, url.words("column")[:MOST]) if column and column.run_id in runs]
        for number in range(MOST):
            _set(number, found[number] if number < len(found) else _default(run, runs, number))
        state["columns"] = max(2, len(found))
        state["kinds"] = kind_of(found[0].method) if found else "attention"
    state.setdefault("columns", 2)
    state.setdefault("kinds", "attention")
    for number in range(MOST):
        # What a control said is forgotten where it was not drawn for a while: on another page, or with fewer columns.
        if f"c{number}_run" not in state:
            kept = state.get(f"_c{number}_column")
            _set(number, kept if kept and kept.run_id in runs else _default(run, runs, number))


def _default(run: RunRecord, runs: Sequence[int], number: int) -> Column:
    """Other runs beside the one in view, or other layers of it where there is none."""
    ordered = [run.run_id, *(each for each in runs if each != run.run_id)]
    if number < len(ordered):
        other = cache.run(ordered[number])
        return Column(other.run_id, _first_method(other), other.layers - 1, "mean")
    layer = max(0, run.layers - 2 - number + len(ordered))
    return Column(run.run_id, _first_method(run), layer, "mean")


def _first_method(run: Run) -> str:
    return "cls" if described.has_cls(run.measured, run.prefix_tokens) else "received"


def _set(number: int, column: Column) -> None:
    state, prefix = st.session_state, f"c{number}_"
    state[f"{prefix}run"] = column.run_id
    options.ask_for(column.method, prefix)
    state[f"{prefix}layer"], state[f"{prefix}head"] = column.layer, column.head
    state[f"{prefix}words"] = column.words


def _write_to_url(columns: Sequence[Column]) -> None:
    url.put("column", [column.text for column in columns])
