"""The controls of the attention microscope: method with its options, target, layers and heads, and how maps are drawn.

What they say goes into the address in words of its own (`method=rollout(fusion=max)`, `target=image:57`), the same that
the command line reads and the database stores. A control bound by Streamlit would put its label there instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import cache, choosing, microscope, panels, pickers
from dashboard.microscope import CannotLook, Question
from dashboard.panels import Look

GRID = 4  # layers and heads shown before anybody has chosen: all depths, and still on one page
DEPTHS = 8  # of a method that has no heads
NEIGHBOURS = 20
FIRST = ("cls", "received", "pooling", "rollout")  # in the list of methods, what most people look for
KINDS = {"attention": "Attention", "attribution": "Attribution"}
FLOW_TOKENS = 100  # a method for small grids is not offered for larger ones
TARGETS = {
    "predicted": "the class that the network predicts",
    "class": "a class",
    "neighbours": "likeness to its nearest neighbours",
    "image": "likeness to another picture",
    "label": "what tells a label from the rest",
    "vote": "the vote of its neighbours (DAAM's rule)",
}


# ---- the address ----------------------------------------------------------------------------------------------------


def news(name: str) -> str | None:
    """What the address says under this name, if it has changed since the page wrote there: a link, back or forward."""
    value = st.query_params.get(name)
    return None if value == st.session_state.get(f"_{name}_address") else value


def write(name: str, value: str | None) -> None:
    """Put a value into the address, or take it out."""
    if value is not None and st.query_params.get(name) != value:
        st.query_params[name] = value
    elif value is None and name in st.query_params:
        del st.query_params[name]
    st.session_state[f"_{name}_address"] = value


def settle(key: str, options: Sequence[Any], first: Any = None) -> None:
    """Before a control is drawn: make its value one of the options."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0] if first is None else first


def choose_view() -> str:
    """ "maps" of one network and method, or "compare"."""
    return st.segmented_control(
        "View",
        ["maps", "compare"],
        default="maps",
        required=True,
        key="view",
        bind="query-params",
        format_func={"maps": "layers and heads", "compare": "compare"}.get,
        label_visibility="collapsed",
    )


# ---- method and options ---------------------------------------------------------------------------------------------


def offered(run: dict[str, Any], stored: Sequence[str], suited: Sequence[str] | None = None) -> list[str]:
    """The keys of the methods that a run's network can show, the stored ones first. `suited` names them where the
    network itself has been asked; else what the run tells of it decides."""
    known = microscope.registry()
    names = {name.partition("(")[0] for name in stored}
    patches = (run["size"] // run["patch"]) ** 2
    suited = [
        key
        for key, method in known.items()
        if (suited is None or key in suited)
        and not ("cls" in method.needs and not run["prefix_tokens"])
        and not ("pooling" in method.needs and run["prefix_tokens"])
        and not (key == "flow" and patches > FLOW_TOKENS)
    ]
    order = [*FIRST, *known]
    return sorted({*names, *suited}, key=lambda key: (key not in names, order.index(key) if key in order else 99))


def pick_method(keys: Sequence[str], stored: Sequence[str]) -> str:
    """One of the methods with its options, by the name that its maps are stored under; `stored` are such names."""
    state, known = st.session_state, microscope.registry()
    if (linked := news("method")) is not None:
        ask_for(linked)
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
        format_func=KINDS.get,
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
    write("method", None if name == keys[0] else name)
    return name


def pick_options(method: str, row: Any, stored: Sequence[str] = (), prefix: str = "") -> str:
    """The method's options behind a button in the row, and the name of the method with those that differ from the
    default."""
    from ingest.vision.explaining import Asked

    entry = microscope.registry().get(method)
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


def kind_of(method: str) -> str:
    """ "attention" or "attribution"; a method that this version does not know counts as attention."""
    entry = microscope.registry().get(method.partition("(")[0])
    return "attention" if entry is None else entry.kind


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


def title_of(key: str) -> str:
    """What a method is called."""
    known = microscope.registry()
    return known[key].title if key in known else key


# ---- target ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """What targets can be made of: a classifier's class names, the run's other images and its metadata columns."""

    classes: tuple[str, ...]
    images: tuple[int, ...]
    columns: tuple[str, ...]

    @property
    def kinds(self) -> list[str]:
        there = {
            "predicted": self.classes,
            "class": self.classes,
            "neighbours": self.images,
            "image": self.images,
            "label": self.columns,
            "vote": self.columns,
        }
        return [kind for kind in TARGETS if there[kind]]


def reach(run: dict[str, Any], image_id: int | None) -> Reach:
    """What may be asked of a run's network about an image."""
    classes = microscope.classes_of(run)
    if run["run_id"] is None:
        return Reach(classes, (), ())
    ids, _ = cache.features(run["run_id"])
    others = tuple(i for i in ids.tolist() if i != image_id)
    return Reach(classes, others, tuple(choosing.choosable(run["collection"])) if others else ())


def pick_target(run: dict[str, Any], image_id: int | None, stored: Sequence[str] = ()) -> str:
    """What is explained, as the command line writes it; at first what the maps that are `stored` explain. Raises
    CannotLook where this network can be asked nothing."""
    able = reach(run, image_id)
    if not able.kinds:
        raise CannotLook(
            "This network has no classifier, and there are no other pictures to compare with: nothing can be "
            "explained. Choose a kind of attention."
        )
    linked = news("target")
    if linked is None and "target_kind" not in st.session_state and stored:
        linked = stored[0]
    if linked is not None:
        _aim(linked, able)
    settle("target_kind", able.kinds)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    kind = row.selectbox("What is explained", able.kinds, key="target_kind", format_func=TARGETS.get)
    with row:
        text = _TARGET_CONTROLS[kind](run, able)
    write("target", text)
    return text


def _predicted(run: dict[str, Any], able: Reach) -> str:
    return "class:predicted"


def _class(run: dict[str, Any], able: Reach) -> str:
    numbers = range(len(able.classes))
    settle("target_class", numbers)
    chosen = st.selectbox("Class", numbers, key="target_class", format_func=lambda n: f"{able.classes[n]} ({n})")
    return f"class:{chosen}"


def _neighbours(run: dict[str, Any], able: Reach) -> str:
    most = len(able.images)
    st.session_state["target_count"] = min(st.session_state.get("target_count", NEIGHBOURS), most)
    return f"neighbours:{st.number_input('How many', 1, most, key='target_count', width=120)}"


def _image(run: dict[str, Any], able: Reach) -> str:
    images = cache.images(run["collection"])
    labels = pickers.image_labels(images.loc[[i for i in able.images if i in images.index]])
    settle("target_image", list(labels))
    chosen = st.selectbox("Picture", list(labels), key="target_image", format_func=labels.get)
    return f"image:{chosen}"


def _label(run: dict[str, Any], able: Reach) -> str:
    settle("target_column", able.columns)
    column = st.selectbox("Column", able.columns, key="target_column", width=180)
    counts = choosing.texts_of(run["collection"], column).value_counts()
    values = counts.index.tolist()
    settle("target_value", values)
    shown = {value: f"{value} ({counts[value]})" for value in values}
    return f"label:{column}={st.selectbox('Label', values, key='target_value', format_func=shown.get)}"


def _vote(run: dict[str, Any], able: Reach) -> str:
    settle("target_vote", able.columns)
    return f"vote:{st.selectbox('Column', able.columns, key='target_vote', width=180)}"


_TARGET_CONTROLS = {
    "predicted": _predicted,
    "class": _class,
    "neighbours": _neighbours,
    "image": _image,
    "label": _label,
    "vote": _vote,
}


def _aim(text: str, able: Reach) -> None:
    """Set the controls to a target that stands in the address; what is none, or not here, changes nothing."""
    kind, _, rest = text.partition(":")
    column, _, value = rest.partition("=")
    wanted: dict[str, dict[str, Any]] = {
        "neighbours": {"target_count": int(rest)} if rest.isdecimal() and int(rest) else {},
        "image": {"target_image": int(rest)} if rest.isdecimal() else {},
        "label": {"target_column": column, "target_value": value},
        "vote": {"target_vote": rest},
        "class": {"target_class": int(rest)} if rest.isdecimal() else {},
    }
    kind = "predicted" if text == "class:predicted" else kind
    if kind in able.kinds:
        st.session_state.update({"target_kind": kind, **wanted.get(kind, {})})


# ---- layers, heads and looks ----------------------------------------------------------------------------------------


def pick_question(run: dict[str, Any], name: str, target: str, fuse: str) -> Question | None:
    """Layers and heads for a method; None, with a sentence on the page, while no layer or no head is chosen."""
    method = microscope.registry().get(name.partition("(")[0])
    per_head = method is None or method.per_head
    left, right = st.columns(2)
    layers = heads = None
    if method is None or not method.one_layer:
        with left:
            label = "Layers" if per_head else f"{microscope.depth_noun(name)}s"
            layers = pick(label, "layer", run["layers"], GRID if per_head else DEPTHS)
    if per_head:
        with right:
            heads = pick("Heads", "head", run["heads"], GRID, disabled=bool(fuse))
    if layers == () or (heads == () and not fuse):
        st.info("Choose at least one layer and one head.")
        return None
    return Question(name, target, layers, heads, fuse if per_head else "")


def pick(label: str, key: str, count: int, wanted: int, disabled: bool = False) -> tuple[int, ...]:
    """Some of 0 .. count - 1, at first `wanted` of them spread evenly; a person's choice stays when the run changes."""
    default, memory = panels.spread(count, wanted), f"_{key}_default"
    before = st.session_state.get(memory)
    if before is not None and before != default and st.session_state.get(key) == before:
        st.session_state[key] = default
    st.session_state[memory] = default
    chosen = st.multiselect(label, range(count), default, key=key, bind="query-params", disabled=disabled)
    return tuple(sorted(chosen))


@dataclass(frozen=True)
class Drawing:
    """How maps are drawn, how heads are fused ('' or a key of panels.FUSIONS), and whether weights are counted over the
    patches alone, so that they sum to 1 there."""

    look: Look
    fuse: str
    over_patches: bool


def choose_drawing(per_head: bool = True, scale: str = "map") -> Drawing:
    """What is used all the time in a row, the rest behind a button."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    fuse = "each"
    if per_head:
        fuse = row.segmented_control(
            "Combine heads", ["each", *panels.FUSIONS], default="each", required=True, key="fuse", bind="query-params"
        )
    edges = row.segmented_control(
        "Patches",
        ["sharp", "smooth"],
        default="sharp",
        required=True,
        key="edges",
        bind="query-params",
        help="Sharp shows one flat square for each patch: all that the network has. Smooth interpolates.",
    )
    scale = row.segmented_control(
        "Scale",
        list(panels.SCALES),
        default=scale,
        required=True,
        key="scale",
        bind="query-params",
        format_func=panels.SCALES.get,
    )
    with row.popover("Colours, mask, weights", icon=":material/tune:"):
        colours = st.selectbox("Colours", list(panels.COLOURS), key="colours", bind="query-params")
        opacity = st.slider("Opacity (%)", 0, 100, 60, 5, key="opacity", bind="query-params")
        masked = st.toggle("Only the patches that hold most of it", key="mask", bind="query-params")
        share = st.slider("Share of the mass (%)", 5, 100, 60, 5, key="share", bind="query-params", disabled=not masked)
        over = st.toggle(
            "Weights over the patches alone",
            key="over_patches",
            bind="query-params",
            help="A token's attention goes to patches and to special tokens. With this, only what goes to patches "
            "counts, and sums to 100 %; without it, weights are as the network has them.",
        )
    look = Look(colours, opacity / 100, edges == "smooth", scale, share / 100 if masked else None)
    return Drawing(look, "" if fuse == "each" else fuse, over)
