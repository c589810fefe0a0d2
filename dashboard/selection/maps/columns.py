"""A column of maps beside others: a run, a method, a layer and heads, and what is explained; its text in the address,
its controls, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

import streamlit as st

from dashboard.compute import words
from dashboard.compute.methods import depth_noun, entry_of, kind_of, title_of
from dashboard.data import cache
from dashboard.drawing import map_values
from dashboard.drawing.text import glossary
from dashboard.selection.maps import options
from dashboard.selection.maps.lookup import WORDS, Question
from dashboard.state import pickers
from ingest.vision import described
from store.records import Run

ALONE = "alone"
FUSIONS = {"mean": "mean of all", "max": "maximum of all"}
LONGEST = 40  # letters of a text in a title
LONGEST_TITLE = 120  # letters of a title that somebody writes
_TITLE = "title="  # begins a title in the address


@dataclass(frozen=True)
class Column:
    """What one column shows. `head` is a number as text, a key of map_values.FUSIONS, or '' for methods without heads,
    of which those that accumulate have ALONE too, for one layer without those before. `target` is what it explains, in
    place of what all columns do, '' for none of its own; `title` is what somebody calls it. In the address it is
    written `1;cls;11;mean`, or `1;daam;11;;words:a boat`; a title is quoted, and stands before what it explains:
    `1;cls;11;mean;title=Where%20it%20looks`."""

    run_id: int
    method: str
    layer: int
    head: str
    target: str = ""
    title: str = ""

    @property
    def text(self) -> str:
        own = f";{_TITLE}{quote(self.title, safe='')}" if self.title else ""
        own += f";{self.target}" if self.target else ""
        return f"{self.run_id};{self.method};{self.layer};{self.head}{own}"

    @staticmethod
    def parse(text: str) -> Column | None:
        """The column written so; None for anything else."""
        parts = text.split(";", 4)
        if len(parts) < 4 or not parts[0].isdecimal() or not parts[2].isdecimal():
            return None
        run_id, method, layer, head, *own = parts
        title = ""
        if own and own[0].startswith(_TITLE):
            title, *own = own[0].split(";", 1)
            title = unquote(title.removeprefix(_TITLE))[:LONGEST_TITLE]
        if own and ":" not in own[0]:
            return None
        return Column(int(run_id), method, int(layer), head, "".join(own), title)

    def question(self, target: str = "") -> Question:
        """What is asked for, where all columns explain `target` unless they have one of their own."""
        method = entry_of(self.method)
        target = self.target or target
        target = target if method is not None and method.needs_target else ""
        layers = None if method is not None and method.one_layer else (self.layer,)
        if self.head in map_values.FUSIONS:
            return Question(self.method, target, layers, None, self.head)
        heads = (int(self.head),) if self.head.isdecimal() else None
        return Question(self.method, target, layers, heads, alone=self.head == ALONE)


def first_column(run_id: int, layer: int | None = None) -> Column:
    """The mean over the heads of a layer, the last unless named, of what a run's network looks at."""
    run = cache.run(run_id)
    return Column(run_id, first_method(run), run.layers - 1 if layer is None else layer, "mean")


def first_method(run: Run) -> str:
    """The attention of the summary, or where there is none what each patch receives."""
    return "cls" if described.has_cls(run.measured, run.prefix_tokens) else "received"


def shown_in(run_id: int, question: Question, layers: Sequence[int], heads: Sequence[int]) -> list[Column]:
    """The columns that show what a question was answered with, maps of these layers and heads, in reading order."""
    method = entry_of(question.method)
    per_head = method is None or method.per_head
    names = [question.fuse] if question.fuse else [str(head) for head in heads] if per_head else [""]
    if not per_head and question.accumulates and question.alone:
        names = [ALONE]
    return [Column(run_id, question.method, layer, name, question.target) for layer in layers for name in names]


def set_controls(prefix: str, column: Column) -> None:
    """Before the controls of a column are drawn: make them show it."""
    state = st.session_state
    state[f"{prefix}run"] = column.run_id
    options.ask_for(column.method, prefix)
    state[f"{prefix}layer"], state[f"{prefix}head"] = column.layer, column.head


def pick(prefix: str, runs: Sequence[int], kind: str, place: Any) -> Column:
    """The controls of one column without those of its target, one below the other in a narrow `place`, `st`, or side by
    side in a horizontal container; `kind` is that of its methods."""
    labels, narrow = pickers.run_labels(), place is st

    def wide(pixels: int) -> Any:
        return "stretch" if narrow else pixels

    options.clamp(f"{prefix}run", runs)
    meaning, shown = glossary.sense_of("run"), words.named(labels)
    run = cache.run(place.selectbox("Run", runs, key=f"{prefix}run", format_func=shown, help=meaning, width=wide(200)))
    stored = list(dict.fromkeys(cache.methods(run.run_id)["method"]))
    keys = [key for key in options.offered(run, stored) if kind_of(key) == kind]
    options.clamp(f"{prefix}method", keys)
    meaning = glossary.sense_of("method")
    key = place.selectbox("Method", keys, key=f"{prefix}method", format_func=title_of, help=meaning, width=wide(230))
    row = st.container(horizontal=True, vertical_alignment="bottom") if narrow else place
    method = entry_of(key)
    layer, head = run.layers - 1, ""
    if method is None or not method.one_layer:
        layers = range(run.layers)
        options.clamp(f"{prefix}layer", layers, layer)
        label = "Layer" if method is None or method.per_head else depth_noun(key)
        layer = row.selectbox(label, layers, key=f"{prefix}layer", help=glossary.sense_of(label), width=wide(80))
    if method is None or method.per_head:
        heads = [*FUSIONS, *map(str, range(run.heads))]
        options.clamp(f"{prefix}head", heads)
        head = row.selectbox(
            "Head",
            heads,
            key=f"{prefix}head",
            format_func=lambda each: FUSIONS.get(each, each),
            help=glossary.sense_of("head"),
            width=wide(145),
        )
    elif method.accumulates:
        noun = depth_noun(key).lower()
        shown = {"": f"accumulated to this {noun}", ALONE: f"this {noun} alone"}
        options.clamp(f"{prefix}head", list(shown))
        head = row.selectbox("Shown", list(shown), key=f"{prefix}head", format_func=words.named(shown), width=wide(230))
    name = options.pick_options(key, row, prefix=prefix)
    return Column(run.run_id, name, layer, head)


# ---- what it is called ----------------------------------------------------------------------------------------------


def titles(columns: Sequence[Column]) -> tuple[list[str], str]:
    """A title for each column of what it alone is, and a sentence of what all have in common, '' for nothing. Titles
    that somebody wrote are left to the caller."""
    facts = [_facts(column) for column in columns]
    common = {key for key in facts[0] if all(each.get(key) == facts[0][key] for each in facts)} if facts else set()
    if len(set(columns)) <= 1:
        common = {"run"}
    found = [" · ".join(text for key, text in each.items() if key not in common and text) for each in facts]
    shared = ", ".join(text for key, text in facts[0].items() if key in common and key != "run" and text)
    return [words_of[:1].upper() + words_of[1:] for words_of in found], shared


def named(column: Column) -> str:
    """The same of one column among no others."""
    return titles([column])[0][0]


def method_title(key: str) -> str:
    """What a method is called where layer and head are named beside it."""
    return title_of(key).removesuffix(" by head").removesuffix(" by depth").removesuffix(" by block")


def _facts(column: Column) -> dict[str, str]:
    """Its method, layer, head, target and run in words, '' where it has none."""
    method, key = entry_of(column.method), column.method.partition("(")[0]
    settings = column.method.partition("(")[2].rstrip(")").replace(",", ", ")
    title = method_title(key)
    noun = depth_noun(column.method).lower()
    layer = "" if method is not None and method.one_layer else f"{noun} {column.layer}"
    if column.head == ALONE:
        layer += " alone"
    heads = {"mean": "mean of heads", "max": "maximum of heads"}
    head = heads.get(column.head, f"head {column.head}" if column.head.isdecimal() else "")
    return {
        "method": f"{title} ({settings})" if settings else title,
        "target": _target(column.target) if method is not None and method.needs_target else "",
        "layer": layer,
        "head": head,
        "run": f"{cache.run(column.run_id).title}, run {column.run_id}",
    }


def _target(target: str) -> str:
    """What is explained, as a title has it."""
    kind, _, rest = target.partition(":")
    if kind == WORDS.rstrip(":"):
        return f"“{rest if len(rest) <= LONGEST else f'{rest[: LONGEST - 1]}…'}”"
    if kind == "image" and rest.isdecimal() and (image := cache.image(int(rest))):
        return f"like “{image['title']}”"
    known = {"class:predicted": "predicted class", "neighbours": f"like its {rest} neighbours"}
    return known.get(target, known.get(kind, target))


def moved(columns: Sequence[Column], place: int, by: int) -> list[Column]:
    """The columns with the one at `place` so many places further to the right."""
    found, to = list(columns), place + by
    if 0 <= to < len(found):
        found[place], found[to] = found[to], found[place]
    return found


def varied(column: Column, what: str, room: int, there: Sequence[Column]) -> list[Column]:
    """Columns that differ from one in their layer or in their head, at most `room` and none of those that are `there`:
    evenly spread, or any where all of these are there."""
    from dashboard.drawing.panels import spread

    every = _variants(column, what)
    even = [every[place] for place in spread(len(every), room)]
    return (_missing(even, there) or _missing(every, there))[:room]


def another(column: Column, there: Sequence[Column]) -> Column:
    """A column like one, of the nearest layer or else the first head that is not `there`; the same where all are."""
    layers = sorted(_variants(column, "layers"), key=lambda each: abs(each.layer - column.layer))
    free = _missing([*layers, *_variants(column, "heads")], there)
    return free[0] if free else replace(column, title="")


def _variants(column: Column, what: str) -> list[Column]:
    """The column in each layer or with each head of its run, as far as its method has them."""
    run, method = cache.run(column.run_id), entry_of(column.method)
    if what == "layers":
        layers = range(run.layers if method is None or not method.one_layer else 0)
        return [replace(column, layer=layer, title="") for layer in layers]
    heads = range(run.heads if method is None or method.per_head else 0)
    return [replace(column, head=str(head), title="") for head in heads]


def _missing(columns: Sequence[Column], there: Sequence[Column]) -> list[Column]:
    """Those of the columns that are not `there`, whatever title is written above them."""
    known = {replace(each, title="") for each in there}
    return [each for each in columns if each not in known]
