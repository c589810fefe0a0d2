"""The map as a page of its own, for a publication: one HTML file with the program and the pictures in it, that needs
neither Bilderatlas nor the internet. No Streamlit: it is made outside of a page."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from dashboard.components import canvas
from dashboard.compute.rows import described
from dashboard.data import layouts
from dashboard.data.thumbnails import read_thumbnails
from store import atlas
from store.counts import counted

_HERE = Path(__file__).parent
MOST = 30_000_000  # bytes of pictures: mail programs and browsers still take such a page
COLUMNS, LONGEST = 20, 300  # of the metadata of a picture, and letters of a value
BATCH = 500  # thumbnails in memory at a time


@dataclass(frozen=True)
class View:
    """What a map shows: a projection's `layout`, laid out as `layout_options`, with what `canvas.described` takes:
    `source`, `frames`, the colours of the frames as CSS texts, and the rest as `looks`, its `marked` (n,) bool among
    it. `images` are those of the collection, as `cache.images` has them; `begin` says, when the file is made, which
    part is in view at first, as `canvas.described` takes it."""

    title: str
    paragraphs: Sequence[str]
    projection_id: int
    layout_options: layouts.LayoutOptions
    source: canvas.Source = field(repr=False)
    layout: atlas.Layout = field(repr=False)
    frames: Sequence[str] | None = field(repr=False)
    looks: Mapping[str, Any] = field(repr=False)
    images: pd.DataFrame = field(repr=False)
    begin: Callable[[], str] = str


def page(path: Path, view: View, most: int = MOST) -> bytes:
    """The HTML file, with at most `most` bytes of pictures in it: first the whole map in small, then sharper, then
    single pictures, what is selected first; it says what it left out. Raises what `store` raises."""
    pages, thumbs = pictures(path, view, most)
    shown = described(view.images.loc[view.layout.ids])
    tints = None if view.frames is None else canvas.rgb(view.frames)
    given = {
        "canvas": canvas.described(
            replace(view.source, view="", tiles=""),
            f"Map of {counted(len(shown), 'picture')}",
            tints,
            **view.looks,
            begin=view.begin(),
        ),
        "ids": view.layout.ids.tolist(),
        "titles": [_short(title) for title in shown["title"]],
        "captions": [_short(caption) for caption in shown["caption"]],
        **table(shown["metadata"].tolist()),
        "points": _base64(layouts.points(path, view.projection_id, view.layout_options) or b""),
        "clusters": _base64(layouts.outlines(path, view.projection_id, view.layout_options.level) or b"")
        if view.source.clusters
        else "",
        "pages": {name: _base64(data) for name, data in pages.items()},
        "thumbs": {image_id: _base64(data) for image_id, data in thumbs.items()},
    }
    paragraphs = [*view.paragraphs, *left_out(view, pages, thumbs)]
    return (
        Template(_text("page.html"))
        .substitute(
            title=escape(view.title),
            style=canvas.style() + "\n" + _text("page.css"),
            canvas=canvas.markup(),
            paragraphs="\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs),
            given=_harmless(given),
            script=re.sub(r"^export default function", "function showMap", canvas.script(), flags=re.M),
            page=_text("page.js"),
        )
        .encode(errors="replace")
    )


def pictures(path: Path, view: View, most: int) -> tuple[dict[str, bytes], dict[int, bytes]]:
    """Atlas pages by 'cell/page', and thumbnails by id, as many as there is room for."""
    pages: dict[str, bytes] = {}
    thumbs: dict[int, bytes] = {}
    far, near = ([(cell, page) for cell, page in _pages(view.layout) if cell == which] for which in atlas.CELLS)
    marked = view.looks["marked"]
    chosen, others = view.layout.ids[marked], view.layout.ids[~marked]
    left = _take(pages, _pages_at(path, view.layout, far), most)
    spare = left - left // 3  # what is selected gets a third of the room before all is made sharper
    left = spare + _take(thumbs, _thumbnails(path, chosen), left - spare)
    left = _take(pages, _pages_at(path, view.layout, near), left)
    rest = np.r_[chosen[~np.isin(chosen, list(thumbs))], others]
    _take(thumbs, _thumbnails(path, rest), left)
    return pages, thumbs


def left_out(view: View, pages: dict[str, bytes], thumbs: dict[int, bytes]) -> list[str]:
    """What the file does not hold, in sentences."""
    n = len(view.layout.ids)
    if len(thumbs) == n:
        return []
    if not view.layout.atlas:
        held = f"{len(thumbs):,} of the {counted(n, 'picture')}"
        return [f"To keep this file small, it holds {held}, and words for the others."]
    whole = len(pages) == len(list(_pages(view.layout)))
    rest = "the others are small" if whole else "the others are small, and some very small"
    sharp = f"{len(thumbs):,} of the {counted(n, 'picture')}"
    return [f"To keep this file small, only {sharp} are sharp from near; {rest}."]


def table(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The metadata as `columns` and `facts`, a list of values for each picture; no more than COLUMNS of them."""
    columns = list(dict.fromkeys(name for row in facts for name in row))[:COLUMNS]
    rows = [[_value(row.get(name)) for name in columns] for row in facts]
    return {"columns": [_short(name) for name in columns], "facts": rows}


def _pages(layout: atlas.Layout) -> Iterator[tuple[int, int]]:
    """(cell, page) of the atlas, for far before for near, the most spread before the rest."""
    if layout.places is None:
        return
    for cell in atlas.CELLS:
        yield from ((cell, number) for number in range(int(layout.places.max()) // atlas.columns(cell) ** 2 + 1))


def _pages_at(path: Path, layout: atlas.Layout, which: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bytes]]:
    for cell, number in which:
        data = layouts.page(path, layout.collection_id, layout.atlas, cell, number)
        if data is not None:
            yield f"{cell}/{number}", data


def _thumbnails(path: Path, ids: np.ndarray) -> Iterator[tuple[int, bytes]]:
    """In the order of the layout any beginning is spread over the map."""
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH].tolist()
        found = read_thumbnails(path, part)
        yield from ((image_id, found[image_id]) for image_id in part if image_id in found)


def _take(into: dict[Any, bytes], found: Iterator[tuple[Any, bytes]], room: int) -> int:
    """Puts in what there is room for, up to the first that is too large; returns the bytes that are left."""
    for name, data in found:
        if len(data) > room:
            break
        into[name] = data
        room -= len(data)
    return room


def _value(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else _short(value)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _harmless(given: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
