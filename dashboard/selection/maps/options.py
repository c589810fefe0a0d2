"""The controls of the attention microscope: method with its options, layers and heads, and how maps are drawn.

A method and its options are one key of the address (`method=rollout(fusion=max)`), in the words that the command line
reads and the database stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.compute import words
from dashboard.compute.methods import depth_noun, entry_of, kind_of, registry, title_of
from dashboard.drawing import map_values, panels
from dashboard.drawing.panels import MapStyle
from dashboard.selection.maps.lookup import Question
from dashboard.state import controls, url, widgets
from dashboard.state.url import Param
from ingest.vision import described
from ingest.vision.colour_maps import COLOUR_MAPS
from store.records import Run

GRID = 4  # layers and heads shown before anybody has chosen: all depths, and still on one page
DEPTHS = 8  # of a method that has no heads
FIRST = ("cls", "received", "pooling", "rollout")  # in the list of methods, what most people look for
KINDS = {"attention": "Attention", "attribution": "Attribution"}
FLOW_TOKENS = 100  # a method for small grids is not offered for larger ones


# ---- the address ----------------------------------------------------------------------------------------------------


def clamp(key: str, options: Sequence[Any], first: Any = None) -> None:
    """Before a control is drawn: make its value one of the options."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0] if first is None else first


def choose_view() -> str:
    """ "maps" of one network and method, or "compare"."""
    return controls.segmented_control(
        "View",
        ["maps", "compare"],
        key="view",
        format_func=words.named({"maps": "layers and heads", "compare": "compare"}),
        label_visibility="collapsed",
    )


# ---- method and options ---------------------------------------------------------------------------------------------


def offered(run: Run, stored: Sequence[str], suited: Sequence[str] | None = None) -> list[str]:
    """The keys of the methods that a run's network can show, the stored ones first. `suited` names them where the
    network itself has been asked; else what the run tells of it decides."""
    known = registry()
    names = {name.partition("(")[0] for name in stored}
    patches = (run.size // run.patch) ** 2
    suited = [
        key
        for key, method in known.items()
        if (suited is None or key in suited)
        and not ("cls" in method.needs and not described.has_cls(run.measured, run.prefix_tokens))
        and not ("pooling" in method.needs and run.prefix_tokens)
        and not (key == "flow" and patches > FLOW_TOKENS)
    ]
    order = [*FIRST, *known]
    return sorted({*names, *suited}, key=lambda key: (key not in names, order.index(key) if key in order else 99))


def pick_method(keys: Sequence[str], stored: Sequence[str]) -> str:
    """One of the methods with its options, by the name that its maps are stored under; `stored` are such names."""
    state, known = st.session_state, registry()
    if url.changed_in_url("method"):
        ask_for("".join(url.words("method")) or keys[0])
    if (asked := state.pop("_ask", None)) is not None:  # by a click on a patch
        ask_for(asked or keys[0])
    if state.get("method") not in keys:
        state["method"] = keys[0]
    state["kind"] = kind_of(state["method"])
    kinds = [kind for kind in KINDS if any(kind_of(key) == kind for key in keys)]
    row = st.container(horizontal=True, vertical_alignment="bottom")
    kind = row.segmented_control(
        "Kind",
        kinds,
        required=True,
        key="kind",
        format_func=words.named(KINDS),
        on_change=_other_kind,
        args=(tuple(keys),),
        help="Attention is what the network did: where its tokens look. Attribution is what counted for an answer: "
        "which patches the gradients of a target's score point to. One is no picture of the other.",
    )
    mine = [key for key in keys if kind_of(key) == kind]
    names = {name.partition("(")[0] for name in stored}
    method = row.selectbox(
        "Method",
        mine,
        key="method",
        format_func=lambda key: title_of(key) + ("" if key in names or not names else " · computed now"),
        help="\n".join(f"- **{title_of(key)}**: {known[key].explanation}" for key in mine if key in known),
    )
    name = pick_options(method, row, stored)
    url.put("method", [] if name == keys[0] else [name])
    return name


def pick_options(method: str, row: Any, stored: Sequence[str] = (), prefix: str = "") -> str:
    """The method's options behind a button in the row, and the name of the method with those that differ from the
    default."""
    from ingest.vision.explaining import Asked

    entry = entry_of(method)
    if entry is None:
        return method
    values = {}
    texts = [option for option in entry.options if isinstance(option.default, str) and not option.choices]
    for option in texts:  # written by a click on a patch, not by hand
        values[option.key] = st.session_state.get(_option(prefix, method, option), option.default)
    others = [option for option in entry.options if option not in texts]
    if others:
        with row.popover("Options", icon=":material/settings:"):
            st.caption(entry.explanation)
            for option in others:
                values[option.key] = _pick_option(option, _option(prefix, method, option))
    changed = {option.key: values[option.key] for option in entry.options if values[option.key] != option.default}
    return Asked(method, changed).name


def ask_for(name: str, prefix: str = "") -> None:
    """Set the controls to a method by its stored name; a name that there is not changes nothing."""
    from ingest.vision.explaining import Asked

    try:
        asked = Asked.parse(name)
    except ValueError:
        return
    st.session_state[f"{prefix}method"] = asked.key
    for option in asked.method.options:
        st.session_state[_option(prefix, asked.key, option)] = asked.options.get(option.key, option.default)


def _pick_option(option: Any, key: str) -> Any:
    st.session_state.setdefault(key, option.default)
    if option.choices:
        return st.segmented_control(option.title, option.choices, key=key, required=True)
    step = 1 if isinstance(option.default, int) else 0.05
    return round(st.number_input(option.title, option.low, option.high, step=step, key=key), 6)


def _option(prefix: str, method: str, option: Any) -> str:
    return f"{prefix}option_{method}_{option.key}"


def _other_kind(keys: tuple[str, ...]) -> None:
    """The first method of the kind that was just chosen."""
    state = st.session_state
    state["method"] = next(key for key in keys if kind_of(key) == state["kind"])


# ---- layers, heads and looks ----------------------------------------------------------------------------------------


def pick_question(run: Run, name: str, target: str, fuse: str) -> Question | None:
    """Layers and heads for a method; None, with a sentence on the page, while no layer or no head is chosen."""
    method = entry_of(name)
    per_head = method is None or method.per_head
    left, right = st.columns(2)
    layers = heads = None
    if method is None or not method.one_layer:
        with left:
            label = "Layers" if per_head else f"{depth_noun(name)}s"
            layers = pick(label, "layer", run.layers, GRID if per_head else DEPTHS)
    if per_head:
        with right:
            heads = pick("Heads", "head", run.heads, GRID, disabled=bool(fuse))
    if layers == () or (heads == () and not fuse):
        st.info("Choose at least one layer and one head.")
        return None
    return Question(name, target, layers, heads, fuse if per_head else "")


def choose_alone(question: Question) -> bool:
    """Of a method that accumulates: whether each layer is shown alone. Kept in the address as `frames`, where older
    links say "by block" for it, and "gathered" for what is shown at first."""
    noun = depth_noun(question.method).lower()
    shown = {"accumulated": f"{noun}s accumulated", "alone": f"each {noun} alone"}
    older = {"by block": "alone", "gathered": "accumulated"}

    def read(texts: list[str]) -> str | None:
        return older.get(texts[0], texts[0] if texts[0] in shown else None)

    Param("frames", "accumulated", read, lambda value: [value]).load()
    chosen = st.segmented_control(
        "Shown",
        list(shown),
        key="frames",
        required=True,
        format_func=words.named(shown),
        help=f"Accumulated: each map is the sum of all {noun}s up to its own, how the evidence comes together. "
        f"Alone: what a {noun} adds by itself.",
    )
    return chosen == "alone"


def pick(label: str, key: str, count: int, wanted: int, disabled: bool = False) -> tuple[int, ...]:
    """Some of 0 .. count - 1, at first `wanted` of them spread evenly; a person's choice stays when the run changes."""
    first = panels.spread(count, wanted)
    return tuple(sorted(controls.multiselect(label, range(count), first, key=key, follows=True, disabled=disabled)))


@dataclass(frozen=True)
class Drawing:
    """How maps are drawn, how heads are fused ('' or a key of map_values.FUSIONS), and whether weights are counted over
    the patches alone, so that they sum to 1 there."""

    style: MapStyle
    fuse: str
    over_patches: bool


def choose_drawing(per_head: bool = True, scale: str = "map", key: str = "scale") -> Drawing:
    """What is used all the time in a row, the rest behind a button. A page with another `scale` at first keeps it under
    a `key` of its own: a link leaves out what is there at first."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    fuse = "each"
    if per_head:
        with row:
            fuse = controls.segmented_control(
                "Combine heads",
                ["each", *map_values.FUSIONS],
                key="fuse",
                help="A map for each head, or one of all heads: their mean or, at each patch, their maximum.",
            )
    with row:
        smooth = widgets.smooth("edges")
        scales = list(panels.SCALES)
        format_scale = words.named(panels.SCALES)
        scale = controls.segmented_control("Scale", scales, scales.index(scale), key=key, format_func=format_scale)
    with row.popover("Colours, mask, weights", icon=":material/tune:"):
        style = choose_colours(smooth, scale)
        over = controls.toggle(
            "Weights over the patches alone",
            key="over_patches",
            help="A token's attention goes to patches and to special tokens. With this, only what goes to patches "
            "counts, and sums to 100 %; without it, weights are as the network has them.",
        )
    return Drawing(style, "" if fuse == "each" else fuse, over)


def choose_colours(smooth: bool, scale: str) -> MapStyle:
    """The controls of colours and mask."""
    colours = controls.selectbox("Colours", list(COLOUR_MAPS), key="colours")
    opacity = controls.slider("Opacity (%)", 0, 100, 60, 5, key="opacity")
    masked = controls.toggle(
        "Only the patches that hold most of it",
        key="mask",
        help="The brightest patches, as many as hold the share of the map below; the others are dimmed.",
    )
    share = controls.slider("Share of the mass (%)", 5, 100, 60, 5, key="share", disabled=not masked)
    return MapStyle(colours, opacity / 100, smooth, scale, share / 100 if masked else None)
