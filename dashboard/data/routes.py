"""Addresses of the routes of dashboard/app.py."""

from urllib.parse import quote

import streamlit as st

from dashboard.data.cache.file import databases, db


def route(path: str, version: str, **query: str) -> str:
    """The address of one of the routes for the database in view."""
    chosen = db()
    which = query if chosen == databases()[0] else query | {"db": chosen.name}
    rest = "".join(f"&{name}={quote(text, safe='')}" for name, text in which.items())
    return f"{_base()}{path}?v={version}{rest}"


def thumb_route(image_id: int, version: str) -> str:
    """The address of a thumbnail of this version."""
    return route(f"/thumb/{int(image_id)}", version)


def _base() -> str:
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""
