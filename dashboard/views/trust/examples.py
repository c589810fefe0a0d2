"""Pictures behind a figure: the map over them, and the truth outlined."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from dashboard.data import cache
from dashboard.data.results import evaluations
from dashboard.drawing import markup, panels
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.views.trust import figures
from ingest.vision.geometry import Frame
from store.evaluations import PREDICTED, StoredTruth
from store.maps import FUSED, AttentionMaps

SIDE = 256  # pixels of a picture's long side
TRUTH, AROUND = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True)
class Chosen:
    """One map of an evaluation."""

    evaluation_id: int
    run_id: int
    method: str
    target: str
    layer: int
    head: int


def items(chosen: Chosen, pictures: Sequence[dict[str, Any]], patches: bool) -> list[dict[str, Any]]:
    """The items of a gallery, of rows with image_id, split and value. The truth is outlined by its patches, or by its
    boxes."""
    ids = [int(each["image_id"]) for each in pictures]
    thumbnails, truths = cache.thumbnails(ids), evaluations.truths(chosen.evaluation_id, ids)
    found = cache.items(ids)
    for item, row in zip(found, pictures, strict=True):
        image_id = int(row["image_id"])
        item["caption"] = f"{row['value']:.2f} · {row['split']}"
        drawn = _drawn(chosen, image_id, thumbnails.get(image_id), truths.get(image_id), patches)
        if drawn is not None:
            item |= {"src": markup.source(drawn[0]), "alt": drawn[1]}
    return found


def _drawn(
    chosen: Chosen, image_id: int, small: bytes | None, truth: StoredTruth | None, patches: bool
) -> tuple[Image.Image, str] | None:
    """The picture and its description; None where something of it is not stored any more."""
    frame, image, weights = cache.frame(chosen.run_id, image_id), cache.image(image_id), _weights(chosen, image_id)
    if small is None or truth is None or frame is None or image is None or weights is None:
        return None
    if weights.grid != (frame.rows, frame.cols):
        return None
    seen = Frame(frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols)
    thumbnail = Image.open(io.BytesIO(small)).convert("RGB")
    enlarged = panels.fitted(thumbnail, SIDE, enlarge=True)
    scene = Scene(enlarged, (image["width"], image["height"]), seen, image["title"])
    panel = panels.draw(weights, scene, MapStyle())[0][0]
    picture = panel.picture.copy()
    outline(picture, truth, seen, scene.size, patches)
    share = f"{truth.area:.0%}"
    return picture, f"{panel.alt} The truth is outlined; it covers {share} of what the network saw."


def _weights(chosen: Chosen, image_id: int) -> AttentionMaps | None:
    target = chosen.target
    if target == PREDICTED:
        target = f"class:{cache.predicted_class(chosen.run_id, image_id)}"
    heads = None if chosen.head == FUSED else [chosen.head]
    found = cache.maps(chosen.run_id, image_id, chosen.method, target, [chosen.layer], heads)
    if found is None or not len(found):
        return None
    title = figures.place(chosen.layer, chosen.head)
    return AttentionMaps(
        found.weights[:1], found.layers[:1], found.heads[:1], method=chosen.method, titles=(title.capitalize(),)
    )


def outline(picture: Image.Image, truth: StoredTruth, frame: Frame, size: tuple[int, int], patches: bool) -> None:
    """Draw the truth's edges into a picture of an original with this (width, height), white on black."""
    across, down = picture.width / size[0], picture.height / size[1]
    if patches:
        lines = edges(truth.coverage >= min(0.5, float(truth.coverage.max())) - 1 / 255, frame)
    else:
        lines = [
            line
            for x0, y0, x1, y1 in truth.boxes.tolist()
            for line in ((x0, y0, x1, y0), (x1, y0, x1, y1), (x1, y1, x0, y1), (x0, y1, x0, y0))
        ]
    pen = ImageDraw.Draw(picture)
    scaled = [
        (
            min(x0 * across, picture.width - 2),
            min(y0 * down, picture.height - 2),
            min(x1 * across, picture.width - 2),
            min(y1 * down, picture.height - 2),
        )
        for x0, y0, x1, y1 in lines
    ]
    for colour, width in ((AROUND, 4), (TRUTH, 2)):
        for line in scaled:
            pen.line(line, fill=colour, width=width)


def edges(cells: np.ndarray, frame: Frame) -> list[tuple[float, float, float, float]]:
    """The lines (x0, y0, x1, y1), in pixels of the original, between patches that belong to something and those that
    do not; cells bool (rows, cols)."""
    xs, ys, padded = frame.column_edges(), frame.row_edges(), np.pad(cells, 1)
    found = []
    for row, col in np.argwhere(padded[:, :-1] != padded[:, 1:]):  # to the right of col - 1
        if 1 <= row <= frame.rows:
            found.append((float(xs[col]), float(ys[row - 1]), float(xs[col]), float(ys[row])))
    for row, col in np.argwhere(padded[:-1] != padded[1:]):
        if 1 <= col <= frame.cols:
            found.append((float(xs[col - 1]), float(ys[row]), float(xs[col]), float(ys[row])))
    return found
