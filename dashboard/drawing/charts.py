"""What the dashboard's Plotly figures share: colours, and what hovering says. No Streamlit, no database."""

from collections.abc import Mapping
from html import escape
from typing import Any

PICTURES = 2000  # of so many points a map without an atlas is still quick
ACCENT, GREY = "#b4553a", "#8f8a83"


def hover(title: str, facts: Mapping[str, Any], most: int = 8) -> str:
    """What hovering says, as Plotly's HTML: everything from the database is escaped and held short."""
    lines = [f"<b>{_short(title, 90)}</b>"]
    for key, value in facts.items():
        if value not in (None, "", title) and len(lines) <= most:
            lines.append(f"{_short(key, 30)}: {_short(value, 80)}")
    return "<br>".join(lines)


def _short(value: Any, most: int) -> str:
    text = " ".join(str(value).split())
    return escape(text if len(text) <= most else text[: most - 1] + "…")
