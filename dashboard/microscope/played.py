"""Block by block: a map that belongs to no head, played through the network's depth, and taken away as a film."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import panels
from dashboard.components.player import player
from dashboard.microscope import frames, looking
from dashboard.microscope.looking import Question, Subject
from dashboard.panels import Look, Maps, Scene

RATES = (0.5, 1, 2, 4, 8)  # frames a second


def show(subject: Subject, question: Question, scene: Scene, look: Look) -> Maps:
    """The section: a player of all blocks, what its frames are, and the film as a file. Returns the blocks' maps."""
    st.subheader("Block by block")
    maps = blocks(subject, question)
    stage, beside = st.columns([3, 2])
    with beside:
        gathered, scale = choose_frames(question)
        rate = st.select_slider("Frames a second", RATES, 2, key="fps", bind="query-params")
    values = frames.frame_values(maps, scene.cells(), gathered, scale)
    pictures = frames.draw_frames(values, scene, look)
    titles = [f"{title}, gathered so far" if gathered else title for title in maps.titles]
    with stage:
        player(frames.shots(pictures, titles, subject.title), "player", float(rate))
    with beside:
        st.caption(words(gathered, scale))
        stem = f"{panels.file_stem(subject.title)}-{question.key}"
        named = [f"{title}  ·  {_kind(question)}" for title in titles]
        row = st.container(horizontal=True)
        for label, ending, mime, encode in (
            ("GIF", "gif", "image/gif", frames.gif),
            ("MP4", "mp4", "video/mp4", frames.mp4),
        ):
            row.download_button(
                label,
                lambda encode=encode: encode(pictures, named, float(rate)),
                f"{stem}.{ending}",
                mime,
                key=f"film_{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
    return maps


def blocks(subject: Subject, question: Question) -> Maps:
    """The maps of every block, not only of the chosen ones."""
    return looking.find(subject, replace(question, layers=None)).maps


def choose_frames(question: Question) -> tuple[bool, str]:
    """Whether blocks are added up, which only makes sense for DAAM, and a key of frames.SCALES."""
    gathered = question.key == "daam" and (
        st.segmented_control(
            "Frames", ["gathered", "by block"], default="gathered", required=True, key="frames", bind="query-params"
        )
        == "gathered"
    )
    names = {**frames.SCALES, "own": "as the paper draws them"} if gathered else frames.SCALES
    scale = st.segmented_control(
        "Scale of the frames",
        list(names),
        default="one",
        required=True,
        key="frame_scale",
        bind="query-params",
        format_func=names.get,
    )
    return gathered, scale


def words(gathered: bool, scale: str) -> str:
    """What the colours of the frames mean."""
    if gathered and scale == "one":
        return "Each frame adds its block to what the blocks before it found; full colour is the most after the last."
    if gathered:
        return (
            "As DAAM's authors draw them: bent by a sigmoid, and each frame stretched over all colours. Early blocks "
            "look as strong as late ones, which they are not."
        )
    if scale == "one":
        return "One scale for all blocks: colours can be compared from frame to frame."
    return "Each frame is stretched over all colours: colours cannot be compared from frame to frame."


def _kind(question: Question) -> str:
    method = looking.registry().get(question.key)
    return question.method if method is None else f"{method.kind}: {question.method}"
