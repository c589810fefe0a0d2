"""What the page Attention gives away: the figure of what it shows, and the way to the page Figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.drawing import figure, panels
from dashboard.drawing.panels import Scene
from dashboard.selection import selected
from dashboard.selection.maps import columns, figures
from dashboard.selection.maps.columns import Column
from dashboard.selection.maps.figures import MOST_COLUMNS
from dashboard.selection.maps.lookup import Question, Subject
from dashboard.selection.maps.options import Drawing
from dashboard.state import widgets
from store.maps import AttentionMaps

FIGURE_SIDE = 600  # pixels of a panel in print: 2 inches at 300 dpi


def show(
    beside: int,
    subject: Subject,
    maps: AttentionMaps,
    scene: Scene,
    drawing: Drawing,
    question: Question,
    credit: str,
    key: str = "figure",
) -> None:
    """The figure for print with so many maps `beside` each other, drawn only when somebody asks for it."""
    seen = panels.seen_sentence(scene, subject.run.fit)

    def plate() -> figure.Plate:
        print_scene, words = scene.at(FIGURE_SIDE), f"{credit} {seen}"
        return panels.plate(subject.title, subject.caption, maps, print_scene, drawing.style, beside, words)

    shown = []
    if subject.stored is not None:
        shown = columns.shown_in(subject.stored[0], question, maps.layer_numbers, maps.head_numbers)
        if len(shown) > MOST_COLUMNS:  # rather whole layers, the last ones, than some of all
            shown = [column for column in shown if column.layer == max(maps.layer_numbers)]
        figures.remember(shown)
    unit = "patches" if drawing.over_patches else "uniform"
    buttons(plate, f"{panels.file_stem(subject.title)}-{question.key}", key, subject, shown, unit)


def buttons(plate: Any, stem: str, key: str, subject: Subject, shown: Sequence[Column], unit: str = "uniform") -> None:
    """Buttons for the figure that `plate` makes, as PNG and as SVG, and to the page Figure with the columns that are
    shown, of the picture and of what is selected with it."""
    with st.container(horizontal=True):
        widgets.figures(key, stem, plate)
        if subject.image_id is not None and shown:
            marked = [each for each in selected.ids().tolist() if each != subject.image_id]
            st.button(
                "Figure of several pictures" if marked else "Figure with more pictures",
                key=f"{key}_grid",
                icon=":material/grid_view:",
                on_click=figures.open_with,
                args=([subject.image_id, *marked], subject.image_id, shown),
                kwargs={"figure_unit": unit},
                help="The same maps for this picture and those that are selected, on one scale, for print.",
            )
