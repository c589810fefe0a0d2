"""The attention of one image: layers by heads, drawn over what the network saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import cache, figure, markup, panels
from dashboard.panels import Look, Maps, Scene
from ingest.vision.geometry import Frame

GRID = 4  # layers and heads shown before anybody has chosen: all depths, and still on one page
DEPTHS = 8  # of a method that has no heads
FIGURE_SIDE = 600  # pixels of a panel in print: 2 inches at 300 dpi


@dataclass(frozen=True)
class Choice:
    """A stored method and its target, the layers, and the heads; `heads` is None where a map belongs to no head,
    `mean` says that the heads are averaged."""

    method: str
    target: str
    layers: tuple[int, ...]
    heads: tuple[int, ...] | None
    mean: bool

    @property
    def columns(self) -> int:
        return GRID if self.heads is None or self.mean else len(self.heads)


def page() -> None:
    """The page. Of all maps only those of the chosen layers and heads are read."""
    st.title("Attention")
    run, image_id = cache.current_run(), cache.current_image()
    image = None if image_id is None else cache.image(image_id)
    if run is None or image is None:
        st.info("This page needs a run and an image. Make them with `python -m ingest run FOLDER`.")
        return
    stored = cache.methods(run["run_id"])
    if stored.empty:
        st.info(
            f"Run {run['run_id']} holds no attention maps. Choose another run, or ingest the collection "
            "with `--methods cls,rollout`."
        )
        return
    above = st.container()
    look, mean = choose_look()
    with above:
        choice = choose(run, stored, mean)
    if choice is None:
        return
    maps, found = find_maps(run, image_id, choice), cache.picture(image_id)
    frame = cache.frame(run["run_id"], image_id)
    if maps is None or frame is None:
        st.info(
            f"Run {run['run_id']} holds no such maps of this image. The same `python -m ingest run` as before "
            "adds what is missing."
        )
        return
    if found is None:
        st.error("Neither the original nor a thumbnail of this image can be read, so there is nothing to draw on.")
        return
    rows, cols = maps.weights.shape[1:]
    size = (image["width"], image["height"])
    scene = Scene(found[0], size, Frame(frame.x0, frame.y0, frame.x1, frame.y1, rows, cols), image["title"])
    sentences = [panels.seen_sentence(scene, run["fit"])]
    if look.share is not None:
        sentences.append(panels.mask_sentence(look))
    if not found[1]:
        sentences.append("The original file is not where it was, or has changed: this is its thumbnail.")
    shown, bar = panels.draw(maps, scene.at(_side(choice.columns)), look)
    st.html(markup.sheet(panels.framed(scene.at(640)), image["alt"], sentences, shown, choice.columns, bar))
    credit = describe(run, choice)
    st.html(markup.small(credit))
    downloads(image, maps, scene, look, choice, f"{credit} {sentences[0]}")
    closer_look(run, image_id, maps, scene, look, choice)


# ---- controls ---------------------------------------------------------------------------------------------------


def choose(run: dict[str, Any], stored: pd.DataFrame, mean: bool) -> Choice | None:
    """Method, layers and heads; None, with a sentence on the page, while no layer or no head is chosen."""
    known, keys = registry(), list(dict.fromkeys(stored["method"]))
    method = pick_method(keys)
    targets = sorted(stored.loc[stored["method"] == method, "target"])
    target = targets[0]
    if len(targets) > 1:
        target = st.selectbox("What is explained", targets, key="target", bind="query-params")
    left, right = st.columns(2)
    if method in known and not known[method].per_head:
        with left:
            layers = pick("Depths", "layer", run["layers"], DEPTHS)
        heads, mean = None, False
    else:
        with left:
            layers = pick("Layers", "layer", run["layers"], GRID)
        with right:
            heads = pick("Heads", "head", run["heads"], GRID, disabled=mean)
    if not layers or (heads == () and not mean):
        st.info("Choose at least one layer and one head.")
        return None
    return Choice(method, target, layers, heads, mean)


def pick_method(keys: list[str]) -> str:
    """One of the stored methods, kept in the address by its key: a bound control would put its title there."""
    state, address, known = st.session_state, st.query_params, registry()
    linked = address.get("method")
    if linked != state.get("_method_address") and linked in keys:
        state["method"] = linked
    elif state.get("method") not in keys:
        state["method"] = keys[0]
    method = st.segmented_control(
        "Method",
        keys,
        required=True,
        key="method",
        format_func=lambda key: known[key].title if key in known else key,
        help="\n".join(f"- **{known[key].title}**: {known[key].explanation}" for key in keys if key in known),
    )
    if method != keys[0] and linked != method:
        address["method"] = method
    elif method == keys[0] and linked is not None:
        del address["method"]
    state["_method_address"] = address.get("method")
    return method


def choose_look() -> tuple[Look, bool]:
    """How the maps are drawn, and whether heads are averaged: what is used all the time in a row, the rest behind
    a button."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
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
        default="map",
        required=True,
        key="scale",
        bind="query-params",
        format_func=panels.SCALES.get,
    )
    with row.popover("Colours, mask, heads", icon=":material/tune:"):
        colours = st.selectbox("Colours", list(panels.COLOURS), key="colours", bind="query-params")
        opacity = st.slider("Opacity (%)", 0, 100, 60, 5, key="opacity", bind="query-params")
        masked = st.toggle("Only the patches that hold most of it", key="mask", bind="query-params")
        share = st.slider("Share of the mass (%)", 5, 100, 60, 5, key="share", bind="query-params", disabled=not masked)
        mean = st.toggle("Mean of all heads", key="head_mean", bind="query-params")
    return Look(colours, opacity / 100, edges == "smooth", scale, share / 100 if masked else None), mean


def pick(label: str, key: str, count: int, wanted: int, disabled: bool = False) -> tuple[int, ...]:
    """Some of 0 .. count - 1, at first `wanted` of them spread evenly; a person's choice stays when the run changes."""
    default, memory = panels.spread(count, wanted), f"_{key}_default"
    before = st.session_state.get(memory)
    if before is not None and before != default and st.session_state.get(key) == before:
        st.session_state[key] = default
    st.session_state[memory] = default
    chosen = st.multiselect(label, range(count), default, key=key, bind="query-params", disabled=disabled)
    return tuple(sorted(chosen))


def _side(columns: int) -> int:
    """Pixels of a panel's long side: what the page has room for, and some more for dense screens."""
    return min(960, max(240, 1280 // max(1, columns)))


# ---- what there is ----------------------------------------------------------------------------------------------


def registry() -> dict[str, Any]:
    """The attention methods. They bring torch with them, so it is not done before somebody opens this page."""
    from ingest.vision.attention import methods

    return methods()


def find_maps(run: dict[str, Any], image_id: int, choice: Choice) -> Maps | None:
    """The chosen maps, averaged over heads if that was chosen; None if there are none."""
    heads = None if choice.mean else choice.heads
    stack = cache.maps(run["run_id"], image_id, choice.method, choice.target, choice.layers, heads)
    if stack is None:
        return None
    layers = tuple(int(layer) for layer in stack.layers)
    if choice.mean:
        return panels.head_mean(layers, stack.weights)
    heads = tuple(None if head < 0 else int(head) for head in stack.heads)
    return Maps(layers, heads, tuple(map(panels.title, layers, heads)), stack.weights)


def describe(run: dict[str, Any], choice: Choice) -> str:
    """What the maps are, for the page and for print: kind, method, formula, layers and heads, run, network."""
    method = registry().get(choice.method)
    kind = method.kind.capitalize() if method else "Map"
    what = f"{kind}: {method.title}, {method.formula}." if method else f"{kind}: {choice.method}."
    target = f" Explained: {choice.target}." if choice.target else ""
    where = f" {'Depths' if choice.heads is None else 'Layers'} {_list(choice.layers)}"
    heads = ", mean of all heads" if choice.mean else f", heads {_list(choice.heads or ())}"
    heads = "" if choice.heads is None else heads
    weights = f"weights {run['weights_sha256'][:8]}"
    network = f" Network: {run['title']}, {weights}, run {run['run_id']} of {run['collection']}"
    return f"{what}{target}{where}{heads}, counted from 0.{network}, input of {run['size']} px, fit {run['fit']}."


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


# ---- below the grid ---------------------------------------------------------------------------------------------


def downloads(image: dict[str, Any], maps: Maps, scene: Scene, look: Look, choice: Choice, credit: str) -> None:
    """The figure for print, drawn only when somebody asks for it."""

    def plate() -> figure.Plate:
        return panels.plate(image["title"], image["caption"], maps, scene.at(FIGURE_SIDE), look, choice.columns, credit)

    row = st.container(horizontal=True)
    for label, ending, mime, write in (
        ("Figure as PNG, 300 dpi", "png", "image/png", figure.png),
        ("Figure as SVG", "svg", "image/svg+xml", figure.svg),
    ):
        row.download_button(
            label,
            lambda write=write: write(plate()),
            f"{panels.file_stem(image['title'])}-{choice.method}.{ending}",
            mime,
            key=f"figure_{ending}",
            on_click="ignore",
            icon=":material/download:",
        )


def closer_look(run: dict[str, Any], image_id: int, maps: Maps, scene: Scene, look: Look, choice: Choice) -> None:
    """One of the maps large, and its head in numbers."""
    st.subheader("A closer look")
    deepest = maps.layers.index(max(maps.layers))
    chosen = st.selectbox("Map", maps.titles, deepest, key="closer", bind="query-params")
    number = maps.titles.index(chosen) if chosen in maps.titles else deepest
    one = panels.draw(maps, scene.at(900), look, only=number)[0][0]
    left, right = st.columns([3, 2])
    left.html(markup.large(one))
    layer, head = maps.layers[number], maps.heads[number]
    stats = cache.head_stats(run["run_id"], image_id)
    stats = stats[stats["layer"] == layer]
    if head is not None:
        stats = stats[stats["head"] == head]
    with right:
        if choice.heads is None:
            st.caption("Distance, entropy and masses belong to single heads: choose a method that shows heads.")
        elif stats.empty:
            st.caption("No numbers about the heads are stored for this image in this run.")
        else:
            numbers(stats.mean(numeric_only=True), len(stats), run)


def numbers(stats: pd.Series, heads: int, run: dict[str, Any]) -> None:
    """Distance, entropy and masses of one head, or their means over several."""
    of = "" if heads == 1 else f", mean of {heads} heads"
    who = "the CLS token looks" if stats["mass_cls"] > 0 else "the patches look, on average"
    st.html(markup.shares(f"Where {who}{of}", panels.masses(stats)))
    row, far = st.container(horizontal=True, gap="large"), stats["distance"]
    first, second = (row.container(width="content", gap=None) for _ in range(2))
    first.metric(
        "Mean attention distance",
        "unknown" if np.isnan(far) else f"{far:.0f} px",
        help="How far the patches lie from the one that attends to them, on average, in pixels of the "
        f"network's input of {run['size']} px.",
    )
    second.metric(
        "Entropy",
        f"{stats['entropy']:.2f} nats",
        help="How evenly this attention is spread over all tokens.",
    )
    if not np.isnan(far):
        first.caption(f"{panels.percent(stats['distance_share'])} of the input's diagonal")
    second.caption(f"as even as {math.exp(stats['entropy']):.0f} tokens with equal shares")


page()
