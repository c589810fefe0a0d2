"""What the canvas of the map asks the server for, besides thumbnails. No Streamlit: any thread may ask."""

import json
from pathlib import Path

import numpy as np

from dashboard import words
from store import atlas, connection, read
from store.atlas import Layout


def points(path: Path, projection_id: int) -> bytes | None:
    """A projection as the canvas reads it; None if there is none."""
    with connection.reading(path, wait=2.0) as con:
        layout = atlas.layout(con, projection_id)
    return layout and packed(layout)


def packed(layout: Layout) -> bytes:
    """n and whether there are places, int32 each; then n of each, little-endian: ids float64, x, y and the logarithm to
    base 2 of width by height, float32, places int32."""
    ratio = np.log2(np.maximum(layout.sizes[:, 0], 1) / np.maximum(layout.sizes[:, 1], 1))
    head = np.array([len(layout.ids), layout.places is not None], dtype="<i4")
    parts = [head, layout.ids.astype("<f8"), layout.xy[:, 0].astype("<f4"), layout.xy[:, 1].astype("<f4")]
    parts += [ratio.astype("<f4")] + ([] if layout.places is None else [layout.places.astype("<i4")])
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def page(path: Path, collection_id: int, version: str, cell: int, number: int) -> bytes | None:
    """The JPEG of an atlas page; None if there is none of this version."""
    with connection.reading(path, wait=2.0) as con:
        return atlas.page(con, collection_id, version, cell, number)


def about(path: Path, image_id: int) -> bytes | None:
    """Title and caption of a picture as JSON; None if there is no such picture."""
    if image_id >= 2**63:
        return None  # no BIGINT
    with connection.reading(path, wait=2.0) as con:
        found = read.images(con, ids=[image_id]).to_pylist()
    if not found:
        return None
    title = found[0]["title"]
    said = {"title": title, "caption": words.caption(json.loads(found[0]["metadata"] or "{}"), title)}
    return json.dumps(said, ensure_ascii=False).encode()
