"""Where a picture came from, if that is on the web: its page at the museum, its manifest, a viewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd
import streamlit as st

from dashboard.compute import words
from store.manifest import content_state, own_canvas
from store.records import image_titles

MIRADOR = "https://projectmirador.org/embed/?iiif-content="
THESEUS = "https://theseusviewer.org/?iiif-content="  # opens a single canvas, or a part of one; Mirador does not yet


@dataclass(frozen=True)
class Link:
    """A way out of the dashboard: words to click, the address, the name of an icon."""

    label: str
    address: str
    icon: str


def links(metadata: Mapping[str, Any]) -> list[Link]:
    """The ways out that a picture's metadata knows; only addresses of web pages, since others wrote them."""
    found = []
    if host := _host(metadata.get("homepage")):
        found.append(Link(f"Page at {host}", metadata["homepage"], ":material/museum:"))
    if _host(metadata.get("iiif_manifest")):
        manifest = metadata["iiif_manifest"]
        found.append(Link("Mirador viewer", f"{MIRADOR}{quote(manifest, safe='')}", ":material/open_in_new:"))
        found.append(Link("Manifest", manifest, ":material/data_object:"))
    if (canvas := own_canvas(metadata)) and (viewer := viewer_at(metadata, canvas)):
        found.append(viewer)
    return found


def viewer_at(metadata: Mapping[str, Any], target: str) -> Link | None:
    """A viewer that opens at a canvas of the picture's manifest, or at a part of it, canvas#xywh=…."""
    manifest = metadata.get("iiif_manifest")
    if manifest is None or not _host(manifest) or not _host(target):
        return None
    state = content_state(target, manifest)
    label = "This part in the Theseus viewer" if "#" in target else "This picture in the Theseus viewer"
    return Link(label, f"{THESEUS}{state}", ":material/open_in_new:")


def show(metadata: Mapping[str, Any]) -> None:
    """The ways out as buttons; only a click opens one."""
    if found := links(metadata):
        with st.container(horizontal=True, gap="small"):
            for link in found:
                st.link_button(words.plain(link.label), link.address, icon=link.icon, type="tertiary")


def facts(metadata: Mapping[str, Any]) -> dict[str, str]:
    """What is said about the picture, without what only machines read; the years beside a date in one line, or not at
    all where the date says no less."""
    known = {
        key: str(value) for key, value in metadata.items() if value not in (None, "") and not key.startswith("iiif_")
    }
    for first in [key for key in known if key.endswith("_from")]:
        name, last = first.removesuffix("_from"), f"{first.removesuffix('_from')}_to"
        if last in known:
            low, high = known.pop(first), known.pop(last)
            years = low if low == high else f"{low} – {high}"
            if name not in known:
                known[name] = years
            elif low != high or low not in known[name]:
                known[f"{name}, in years"] = years
    return known


def facts_of(image: Mapping[str, Any]) -> dict[str, str]:
    """What else the database knows of an image, a row of `cache.images`, by the titles that its columns have."""
    known = {title: image.get(name) for name, title in image_titles().items()}
    return {title: str(value) for title, value in known.items() if not pd.isna(value) and value != ""}


def _host(address: Any) -> str | None:
    """The server of an address that may be opened: http or https, no name and password, no signs that hide."""
    if not isinstance(address, str) or not address.isprintable() or any(sign in address for sign in ' "<>\\'):
        return None
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or parts.username is not None or not host:
        return None
    return host.removeprefix("www.")
