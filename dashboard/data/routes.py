"""Addresses of the routes of dashboard/app.py."""

from urllib.parse import quote, urlsplit

import streamlit as st

from dashboard.data.cache.file import db, default

OPENSEADRAGON = "6.1.1"  # the version in dashboard/components/openseadragon


def route(path: str, version: str, **query: str) -> str:
    """The address of one of the routes for the database in view."""
    chosen = db()
    which = query if chosen == default() else query | {"db": chosen.name}
    rest = "".join(f"&{name}={quote(text, safe='')}" for name, text in which.items())
    return f"{_base()}{path}?v={version}{rest}"


def thumb_route(image_id: int, version: str) -> str:
    """The address of a thumbnail of this version."""
    return route(f"/thumb/{int(image_id)}", version)


def library_route() -> str:
    """The address of OpenSeadragon."""
    return f"{_base()}/openseadragon.js?v={OPENSEADRAGON}"


def services() -> str | None:
    """The address of the image service for the database in view, to which the number of an image is added; None where
    it is not known at which address people look at this dashboard."""
    parts = urlsplit(st.context.url or "")
    if not parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc}{service_route()}"


def service_route() -> str:
    """The same without the server."""
    chosen = db()
    return f"{_base()}/iiif" + ("" if chosen == default() else f"/{quote(chosen.name, safe='')}")


def _base() -> str:
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""
