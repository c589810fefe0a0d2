"""Block by block: a map that belongs to no head, played through the network's depth, and taken away as a film."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from dashboard.components.player import player
from dashboard.compute.words import named
from dashboard.drawing import panels
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.drawing.text import glossary
from dashboard.selection.maps import lookup
from dashboard.selection.maps.lookup import Question, Subject
from dashboard.state import controls
from dashboard.views.attention import frames
from store.maps import AttentionMaps

RATES = (0.5, 1, 2, 4, 8)  # frames a second
PNGS = "Each frame as a picture of its own, and what they show, in a ZIP file."


def show(
    subject: Subject, question: Question, scene: Scene, style: MapStyle, describe: Callable[[AttentionMaps], str]
) -> AttentionMaps:
    """The section: a player of all blocks, what its frames are, and the frames as files, with what `describe` says of
    them. Returns the blocks' maps, added up if the question asks for that."""
    st.subheader("Block by block")
    maps = blocks(subject, question)
    single = blocks(subject, replace(question, alone=True)) if question.accumulated else maps
    stage, beside = st.columns([3, 2])
    with beside:
        scale = choose_scale(question.accumulated)
        rate = controls.select_slider("Frames a second", RATES, RATES.index(2), key="fps")
    values = frames.frame_values(single, scene.cells(), question.accumulated, scale)
    pictures = frames.draw_frames(values, scene, style)
    with stage:
        player(frames.shots(pictures, maps.titles, subject.title), "player", float(rate))
    with beside:
        scale_note = words(question.accumulated, scale)
        st.caption(scale_note)
        stem = f"{panels.file_stem(subject.title)}-{question.key}{'-alone' * question.alone}"
        named = [f"{title}  ·  {_kind(question)}" for title in maps.titles]
        made = {
            "GIF": ("gif", "image/gif", lambda: frames.gif(pictures, named, float(rate))),
            "MP4": ("mp4", "video/mp4", lambda: frames.mp4(pictures, named, float(rate))),
            "PNGs": (
                "zip",
                "application/zip",
                lambda: frames.pngs(pictures, maps.titles, f"{describe(maps)} {scale_note}"),
            ),
        }
        row = st.container(horizontal=True)
        for label, (ending, mime, make) in made.items():
            row.download_button(
                label,
                make,
                f"{stem}.{ending}",
                mime,
                key=f"film_{ending}",
                on_click="ignore",
                icon=":material/download:",
                help=PNGS if ending == "zip" else None,
            )
    return maps


def blocks(subject: Subject, question: Question) -> AttentionMaps:
    """The maps of every block, not only of the chosen ones."""
    return lookup.find(subject, replace(question, layers=None)).maps


def choose_scale(accumulated: bool) -> str:
    """A key of frames.SCALES."""
    names = {**frames.SCALES, "own": "as the paper draws them"} if accumulated else frames.SCALES
    # Not a row of buttons: in this narrow column a second one would be cut off, or not be there at all.
    meaning = glossary.sense_of("scale")
    return controls.selectbox(
        "Scale of the frames", list(names), key="frame_scale", format_func=named(names), help=meaning
    )


def words(accumulated: bool, scale: str) -> str:
    """What the colours of the frames mean."""
    if accumulated and scale == "one":
        return "Each frame adds its block to what the blocks before it found; full colour is the most after the last."
    if accumulated:
        return (
            "As DAAM's authors draw them: bent by a sigmoid, and each frame stretched over all colours. Early blocks "
            "look as strong as late ones, which they are not."
        )
    if scale == "one":
        return "One scale for all blocks: colours can be compared from frame to frame."
    return "Each frame is stretched over all colours: colours cannot be compared from frame to frame."


def _kind(question: Question) -> str:
    method = question.entry
    return question.method if method is None else f"{method.kind}: {question.method}"
