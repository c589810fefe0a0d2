"""Does a map explain the network? Curves of taking away and putting back what it marks, and maps of networks that have
forgotten what they learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.drawing.colours import NAMED
from dashboard.selection.maps import lookup
from dashboard.selection.maps.lookup import PictureMaps, Question, Subject
from store.maps import FUSED, AttentionMaps

STEPS, ORDERS = 20, 5
SHARES = 6  # of the blocks that forget, from none to all


def show(subject: Subject, question: Question, found: PictureMaps, one: AttentionMaps) -> None:
    """The section about `one` map of those that were found. The network works when asked to."""
    title = one.titles[0]
    with st.expander("Does this map explain the network?", icon=":material/science:"):
        st.markdown(
            f"A test of *{title}*: its brightest patches are hidden from the network first, and one sees how soon it "
            "no longer recognises the picture as the same; then they are shown to it first. Hidden in a random order, "
            "patches say nothing: a map that does no better than that does not explain what the network goes by."
        )
        key = (subject.digest, subject.stored, subject.run.weights_sha256, question, title)
        curves = _asked(
            "Hide patches",
            "faithful",
            "Running the network with patches hidden …",
            key,
            lambda: _curves(subject, found, one),
        )
        if curves is not None:
            _draw_curves(curves, found, _score_of(subject, found))
        st.markdown(
            "Another test: the network's blocks are filled with random weights, from the last one to the first. A map "
            "that stays the same then shows the picture, and nothing that the network has learnt."
        )
        randomised = _asked(
            "Randomise the weights",
            "forgetting",
            "Randomising the weights, block by block …",
            key,
            lambda: _randomised(subject, question, found, one),
        )
        if randomised is not None:
            _draw_randomised(randomised)


def _asked(label: str, name: str, spinner: str, key: tuple, make: Callable[[], Any]) -> Any:
    """What `make` finds, once somebody has pressed the button; None before, or with a sentence where it fails."""
    if st.button(label, key=name):
        st.session_state[f"_{name}"] = key
    if st.session_state.get(f"_{name}") != key:
        return None
    try:
        with st.spinner(spinner):
            return cache.computed(make, name, *map(str, key))
    except Exception as error:  # networks that cannot do without patches, weights that are gone: a sentence each
        st.info(markup.markdown(f"This cannot be tested: {error}"))
        return None


def _score_of(subject: Subject, found: PictureMaps) -> str:
    """What the curves measure."""
    if _class(found.maps.target) is None:
        return "similarity"
    return "estimate" if cache.backbone(subject.run).network.problem == "regression" else "probability"


def _draw_curves(curves: Any, found: PictureMaps, score: str) -> None:
    st.markdown(conclusion(curves))
    left, right = st.columns(2)
    left.plotly_chart(_chart("Hidden first", "patches hidden", score, curves, "deletion"), key="deletion")
    right.plotly_chart(_chart("Shown first", "patches shown", score, curves, "insertion"), key="insertion")
    measured = "Similarity to the whole picture (cosine of the features)"
    measured = measured if score == "similarity" else f"{score.capitalize()} of {found.maps.target}"
    st.caption(
        f"{measured}, in {STEPS} steps; random: mean of {ORDERS} orders. "
        "After Petsiuk, Das and Saenko 2018 (RISE), with tokens dropped where RISE paints pixels grey."
    )


def _draw_randomised(randomised: Any) -> None:
    st.markdown(randomised_sentence(randomised))
    chart = go.Figure(
        go.Scatter(x=randomised.blocks, y=randomised.correlations, mode="lines+markers", line={"color": NAMED[0]})
    )
    chart.update_layout(
        height=280,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis={"title": "blocks with random weights, from the last"},
        yaxis={"title": "similarity to this map"},
    )
    st.plotly_chart(chart, key="forgetting_chart")
    st.caption("Similarity: Spearman's rank correlation of the patches. After Adebayo et al. 2018, Sanity Checks.")


def randomised_sentence(randomised: Any) -> str:
    """What the last correlation says, in words."""
    last = randomised.correlations[-1]
    if not np.isfinite(last):
        return "Once all blocks are random the map is the same everywhere: it depends on what the network has learnt."
    blocks = randomised.blocks[-1]
    sentence = f"Once all {blocks} blocks are random, the map is like this one to **{last:.2f}** (1: the same)."
    if last < 0.3:
        return f"{sentence} The map depends on what the network has learnt."
    if last < 0.7:
        return f"{sentence} A part of the map depends on the picture alone."
    return f"{sentence} The map hardly depends on what the network has learnt: it does not explain it."


def conclusion(curves: Any) -> str:
    """What the curves say in words: what is lost beside what a random order loses, and the areas' ratios."""
    lost, missing = curves.deletion_loss_ratio, curves.insertion_loss_ratio
    sentence = (
        f"Hidden first, the map's patches cost **{lost:.1f} times** as much as patches in random order (above 1 is "
        f"better); shown first, **{missing:.1f} times** as much is still missing (below 1 is better). Areas under the "
        f"curves, by those of a random order: {curves.deletion_ratio:.2f} and {curves.insertion_ratio:.2f}."
    )
    if lost > 1.1 and missing < 0.9:
        return f"{sentence} The network goes by what this map marks."
    if lost < 0.9 and missing > 1.1:
        return f"{sentence} The network goes by what this map leaves dark."
    if 0.9 <= lost <= 1.1 and 0.9 <= missing <= 1.1:
        return f"{sentence} That is no better than chance."
    return f"{sentence} The two do not agree, so little follows from this map."


def _curves(subject: Subject, found: PictureMaps, one: AttentionMaps) -> Any:
    import torch

    from ingest.vision.faithfulness import faithfulness
    from ingest.vision.geometry import fit_image
    from ingest.vision.problems import scores_of

    backbone = cache.backbone(subject.run)
    pixels, _ = fit_image(subject.picture, backbone.rule, subject.run.fit, subject.run.size, subject.size)
    cells = subject.scene(found.frame).cells()
    batch = backbone.pixels(torch.from_numpy(pixels[None].copy()))
    score, problem, classify = None, backbone.network.problem, backbone.network.classify
    if (number_of := _class(found.maps.target)) is not None and classify is not None:
        score = lambda pixels: scores_of(problem, classify(pixels).float())[:, number_of]  # noqa: E731
    return faithfulness(backbone, batch, one.weights[0], STEPS, ORDERS, score=score, cells=cells)


def _randomised(subject: Subject, question: Question, found: PictureMaps, one: AttentionMaps) -> Any:
    import torch

    from ingest.vision.embedding import cells_of
    from ingest.vision.explaining import Asked, explain_pictures
    from ingest.vision.geometry import fit_image
    from ingest.vision.randomisation import block_parameters, randomisation

    backbone, asked, ids = cache.backbone(subject.run), Asked.parse(question.method), [subject.image_id]
    pixels, frame = fit_image(subject.picture, backbone.rule, subject.run.fit, subject.run.size, subject.size)
    cells = cells_of([frame], [subject.picture.size])
    batch = torch.from_numpy(pixels[None].copy())
    target = None
    if question.target:  # what was explained stays the same while the network forgets
        target = lookup.target_of(subject, question.target, backbone).fixed(backbone, backbone.pixels(batch), ids)
    head, layer = int(one.heads[0]), int(one.layers[0])

    def explain(randomised_backbone: Any, _: Any) -> np.ndarray:
        maps = explain_pictures(randomised_backbone, batch, [asked], target, cells, ids).maps[0]
        chosen = [
            number
            for number, depth in enumerate(maps.layers)
            if (depth <= layer if question.accumulated else depth == layer)
            and (head == FUSED or maps.heads is None or maps.heads[number] == head)
        ]
        weights = maps.weights[0, chosen].numpy()  # the mean of blocks ranks patches as their sum does
        return weights.max(axis=0) if question.fuse == "max" else weights.mean(axis=0)

    blocks = len(block_parameters(backbone.network.module))
    steps = sorted({round(blocks * share / SHARES) for share in range(SHARES + 1)})
    return randomisation(backbone, backbone.pixels(batch), explain, steps)


def _class(target: str) -> int | None:
    """The class that a target explains."""
    kind, _, rest = target.partition(":")
    return int(rest) if kind == "class" and rest.isdecimal() else None


def _chart(title: str, across: str, up: str, curves: Any, which: str) -> go.Figure:
    lines = ((f"random_{which}", "in random order", "#8a8a8a", "dot"), (which, "by this map", NAMED[0], "solid"))
    chart = go.Figure(
        [
            go.Scatter(
                x=100 * curves.fractions,
                y=getattr(curves, name),
                name=words,
                mode="lines",
                line={"color": colour, "dash": dash, "width": 2.5},
            )
            for name, words, colour, dash in lines
        ]
    )
    chart.update_layout(
        title=title,
        height=300,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        legend={"orientation": "h", "y": -0.25},
        xaxis={"title": f"{across} (%)", "range": [0, 100]},
        yaxis={"title": up},
    )
    return chart
