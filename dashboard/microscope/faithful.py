"""Does a map explain the network? Curves of taking away and putting back what it marks."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard import cache, markup
from dashboard.colours import NAMED
from dashboard.microscope.looking import Found, Question, Subject
from dashboard.panels import Maps

STEPS, ORDERS = 20, 5


def show(subject: Subject, question: Question, found: Found, one: Maps) -> None:
    """The section about `one` map of those that were found. The network works when asked to."""
    title = one.titles[0]
    with st.expander("Does this map explain the network?", icon=":material/science:"):
        st.markdown(
            f"A test of *{title}*: its brightest patches are hidden from the network first, and one sees how soon it "
            "no longer recognises the picture as the same; then they are shown to it first. Hidden in a random order, "
            "patches say nothing: a map that does no better than that does not explain what the network goes by."
        )
        key = (subject.digest, subject.run["run_id"], subject.run["weights_sha256"], question, title)
        if st.button("Test this map", key="faithful"):
            st.session_state["_faithful"] = key
        if st.session_state.get("_faithful") != key:
            return
        try:
            with st.spinner("The network looks at the picture with patches hidden …"):
                curves = cache.looked(lambda: _curves(subject, found, one), "curves", *map(str, key))
        except Exception as error:  # networks that cannot do without patches, weights that are gone: a sentence each
            st.info(markup.markdown(f"This cannot be tested: {error}"))
            return
        st.markdown(verdict(curves))
        left, right = st.columns(2)
        score = "likeness" if _class(found.target) is None else "probability"
        left.plotly_chart(_chart("Hidden first", "patches hidden", score, curves, "deletion"), key="deletion")
        right.plotly_chart(_chart("Shown first", "patches shown", score, curves, "insertion"), key="insertion")
        measured = "Likeness to the whole picture (cosine of the features)"
        measured = measured if score == "likeness" else f"Probability of {found.target}"
        st.caption(
            f"{measured}, in {STEPS} steps; random: mean of {ORDERS} orders. "
            "After Petsiuk, Das and Saenko 2018 (RISE), with tokens dropped where RISE paints pixels grey."
        )


def verdict(curves: Any) -> str:
    """The two ratios in words."""
    gone, come = curves.deletion_ratio, curves.insertion_ratio
    sentence = (
        f"With the map's patches hidden first, the area under the curve is **{gone:.2f}** of a random order's (below 1 "
        f"is better); with them shown first **{come:.2f}** (above 1 is better)."
    )
    if gone < 0.95 and come > 1.05:
        return f"{sentence} The network goes by what this map marks."
    if gone > 1.05 and come < 0.95:
        return f"{sentence} The network goes by what this map leaves dark."
    if 0.95 <= gone <= 1.05 and 0.95 <= come <= 1.05:
        return f"{sentence} That is no better than chance."
    return f"{sentence} The two do not agree, so little follows from this map."


def _curves(subject: Subject, found: Found, one: Maps) -> Any:
    import torch

    from ingest.vision.faithfulness import faithfulness
    from ingest.vision.geometry import fit_image

    backbone = cache.backbone(subject.run)
    pixels, _ = fit_image(subject.picture, backbone.rule, subject.run["fit"], subject.run["size"])
    cells = subject.scene(found.frame).cells()
    batch = backbone.pixels(torch.from_numpy(pixels[None].copy()))
    score = None
    if (number_of := _class(found.target)) is not None:
        score = lambda pixels: backbone.network.classify(pixels).float().softmax(dim=1)[:, number_of]  # noqa: E731
    return faithfulness(backbone, batch, one.weights[0], STEPS, ORDERS, score=score, cells=cells)


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
