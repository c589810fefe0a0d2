"""Selected patches as files: a table, and IIIF annotations on the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from store import manifest
from store.manifest import Place
from store.spreadsheets import csv_of_frame

CONTEXT = "http://iiif.io/api/presentation/3/context.json"
NAMES = ("image_id", "path", "title", "rank", "x", "y", "width", "height", "score")


def table(found: pd.DataFrame, images: pd.DataFrame) -> bytes:
    """A CSV with a row for each patch of `found` (image_id, rank, x0, y0, x1, y1, score), in pixels of the originals;
    `images`, by image_id, has their path and title."""
    rows = found.join(images[["path", "title"]], on="image_id")
    rows = rows.assign(x=rows["x0"], y=rows["y0"], width=rows["x1"] - rows["x0"], height=rows["y1"] - rows["y0"])
    return csv_of_frame(rows[list(NAMES)], None).encode("utf-8-sig")


def annotations(
    image: Mapping[str, Any], found: Sequence[Mapping[str, Any]], words: Sequence[str], services: str | None
) -> str | None:
    """A IIIF annotation page that highlights the patches `found` (x0, y0, x1, y1) of an image, with `words` on each;
    None where a viewer could not fetch the picture."""
    address = manifest.made_up("patches.json")
    picture = manifest.as_picture(image, address, None, services)
    items = [
        {
            "id": manifest.made_up(f"patch-{image['image_id']}-{number}"),
            "type": "Annotation",
            "motivation": "highlighting",
            "target": target,
            "body": {"type": "TextualBody", "value": text, "format": "text/plain"},
        }
        for number, (row, text) in enumerate(zip(found, words, strict=True), start=1)
        if picture is not None
        and (target := picture.link(Place((row["x0"], row["y0"], row["x1"], row["y1"]), text))) is not None
    ]
    if not items:
        return None
    page = {"@context": CONTEXT, "id": address, "type": "AnnotationPage", "items": items}
    return json.dumps(page, ensure_ascii=False, indent=1)
