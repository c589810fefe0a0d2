"""What was found as files: a table of pairs, and IIIF annotations that link one place to the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ingest.vision.details.search import Hit
from ingest.vision.geometry import Box
from store import manifest
from store.manifest import Place
from store.spreadsheets import csv_of_rows

NAMES = (
    "rank", "image_id", "path", "title", "x", "y", "width", "height", "score", "stage", "matches", "mirrored",
    "from_image_id", "from_path", "from_x", "from_y", "from_width", "from_height",
)  # fmt: skip
EDGES = ("x", "y", "width", "height")
CONTEXT = "http://iiif.io/api/presentation/3/context.json"
Row = Mapping[str, Any]


def table(own: Row | None, part: Box | None, found: Sequence[tuple[Hit, Row]]) -> str:
    """A CSV with a row for each pair: where the part was found, and the part, in pixels of the originals. `own` is the
    row of the picture searched with, None for one that somebody brought."""
    source = (own["image_id"], own["path"]) if own else ("", "")
    cells = sized(part) if part is not None else ("", "", "", "")
    rows = [
        (
            *(rank, hit.image_id, row["path"], row["title"], *sized(hit.box)),
            *(round(hit.score, 4), hit.stage, hit.matches, hit.mirrored, *source, *cells),
        )
        for rank, (hit, row) in enumerate(found, start=1)
    ]
    return csv_of_rows(NAMES, rows)


def annotations(own: Row, part: Box, found: Sequence[tuple[Hit, Row]], services: str | None) -> str | None:
    """A IIIF annotation page with an annotation of the motivation `linking` for each pair, from the part to the place
    where it was found; None where a viewer could fetch none of the pictures."""
    start = _link(own, part, services)
    items = [
        {
            "id": manifest.made_up(f"detail-{own['image_id']}-{hit.image_id}"),
            "type": "Annotation",
            "motivation": "linking",
            "target": start,
            "body": [
                {"id": end, "type": "Canvas"},
                {
                    "type": "TextualBody",
                    "value": f"{row['title']}: {hit.stage}, similarity {hit.score:.3f}",
                    "format": "text/plain",
                },
            ],
        }
        for hit, row in found
        if start is not None and (end := _link(row, hit.box, services)) is not None
    ]
    if not items:
        return None
    page = {"@context": CONTEXT, "id": manifest.made_up("details.json"), "type": "AnnotationPage", "items": items}
    return json.dumps(page, ensure_ascii=False, indent=1)


def _link(row: Row, box: Box, services: str | None) -> str | None:
    picture = manifest.as_picture(row, manifest.made_up("details.json"), None, services)
    return None if picture is None else picture.link(Place(box, ""))


def sized(box: Box) -> tuple[float, float, float, float]:
    """A box as x, y, width, height, to a tenth of a pixel."""
    x0, y0, x1, y1 = box
    return round(x0, 1), round(y0, 1), round(x1 - x0, 1), round(y1 - y0, 1)
