"""Small charts that filter: bars of values, and histograms of numbers, days and years."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def charts(documents: Sequence[dict[str, Any]], key: str, on_done: Callable[[], None], wide: bool = False) -> None:
    """Charts as `dashboard.compute.charts.described` describes them, each with a `title` and its word for pictures
    without a value, `none`; side by side, or each as `wide` as the page.

    `on_done` is called when somebody clicked a bar or drew over a histogram; `done(key)` says what.
    """
    _charts()(key=key, data={"charts": list(documents), "wide": wide}, on_done_change=on_done, height="content")


def done(key: str) -> dict[str, Any] | None:
    """What was done with a chart just now: `column` and `act`, which is 'toggle' with a `value`, 'missing', 'brush'
    with the bins `first` and `last`, or 'clear'."""
    return (st.session_state.get(key) or {}).get("done")


@cache
def _charts():
    return st.components.v2.component(
        "bilderatlas_charts",
        html='<div class="charts"></div>',
        css=(_HERE / "charts.css").read_text(encoding="utf-8"),
        js=(_HERE / "charts.js").read_text(encoding="utf-8"),
    )
