"""A picture with what a network selected in it: the rest dimmed, each patch framed in the colour of its score."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ingest.vision.colour_maps import colour_table

DIM = 0.35  # of its light a picture keeps where nothing was selected
COLOURS = "viridis"
OBJECT = (255, 255, 255)


def drawn(example: Mapping[str, Any], count: int, objects: bool) -> Image.Image:
    """The small copy of a picture with its `count` best patches and, if wanted, the boxes of its objects.

    Scores are shown between the least and the largest of the picture's selected patches.
    """
    image = Image.open(io.BytesIO(example["jpeg"])).convert("RGB")
    scale = np.array([image.width / example["width"], image.height / example["height"]] * 2)
    patches = example["patches"][:count]
    boxes = [_pixels([p["x0"], p["y0"], p["x1"], p["y1"]], scale) for p in patches]
    result = Image.fromarray((np.asarray(image) * DIM).astype(np.uint8))
    for box in boxes:
        result.paste(image.crop(box), box)
    pen = ImageDraw.Draw(result)
    for box, colour in reversed(list(zip(boxes, colours(example), strict=False))):
        pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=colour, width=2)
    if objects:
        for x, y, width, height in example["boxes"]:
            left, top, right, bottom = _pixels([x, y, x + width, y + height], scale)
            pen.rectangle((left, top, right - 1, bottom - 1), outline=OBJECT, width=1)
    return result


def colours(example: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """A colour for each selected patch, the brighter the higher its score."""
    scores = np.array([patch["score"] for patch in example["patches"]], float)
    if not len(scores):
        return []
    span = scores.max() - scores.min()
    shares = (scores - scores.min()) / span if span else np.ones_like(scores)
    table = colour_table(COLOURS)[np.rint(255 * shares).astype(int)]
    return [(int(red), int(green), int(blue)) for red, green, blue in table]


def _pixels(box: list[float], scale: np.ndarray) -> tuple[int, int, int, int]:
    left, top, right, bottom = np.rint(np.array(box) * scale).astype(int).tolist()
    return left, top, max(right, left + 1), max(bottom, top + 1)


def described(example: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row for each task: what the picture shows, what the network says, whether that is right."""
    rows = []
    for task, label in example["labels"].items():
        predicted = example["predictions"].get(task)
        right = "" if label is None else "yes" if label == predicted else "no"
        rows.append({"task": task, "label": _words(label), "prediction": _words(predicted), "right": right})
    return rows


def _words(label: Any) -> str:
    return "not known" if label is None else ", ".join(map(str, label)) if isinstance(label, list) else str(label)
