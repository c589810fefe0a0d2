"""A database whose truth is planted: one head points at it always, the others know nothing of it."""

from pathlib import Path

import numpy as np
from PIL import Image

from ingest.vision.loader import thumbnail
from store import regions, tags, write
from store.connection import writing
from store.records import FrameRecord, ImageRecord, Results, Run
from tests.support.maps import stored_maps

WIDTH, HEIGHT = 80, 50
X0, Y0, ROWS, COLS, PATCH = 15, 5, 4, 5, 10  # what a crop has left of the picture
PERFECT = (1, 1)  # layer and head

# What is said of pictures that have no truth to go by, and what the reason begins with.
ODD = {
    "outside.png": ("[[0, 0, 10, 50]]", "the network saw 0% of its truth"),
    "half.png": ("[[5, 10, 15, 10]]", "the network saw 33% of its truth"),
    "empty.png": ("[]", "its truth is empty"),
    "broken.png": ("[[1, 2, 3]]", "its boxes are expected as"),
    "text.png": ("over there", "its boxes are expected as"),
    "unseen.png": ("[[25, 15, 10, 10]]", "run 1 has not seen it"),
}


def boxes(count: int, seed: int = 0) -> list[tuple[int, int, int, int]]:
    """(x, y, width, height) of two by two patches each, somewhere on the grid."""
    rng = np.random.default_rng(seed)
    corners = [(int(rng.integers(COLS - 1)), int(rng.integers(ROWS - 1))) for _ in range(count)]
    return [(X0 + PATCH * col, Y0 + PATCH * row, 2 * PATCH, 2 * PATCH) for col, row in corners]


def covered(box: tuple[int, int, int, int]) -> np.ndarray:
    """bool (ROWS, COLS): the patches that a box of `boxes` covers."""
    col, row = (box[0] - X0) // PATCH, (box[1] - Y0) // PATCH
    found = np.zeros((ROWS, COLS), bool)
    found[row : row + 2, col : col + 2] = True
    return found


def planted(path: Path, count: int = 24) -> dict[str, int]:
    """Run 1 with the planted head, run 2 with none, over `count` pictures with boxes in the column `boxes`, the ODD
    ones, and one of which nothing is known. Returns {file: image_id}."""
    where = boxes(count)
    cells = {f"{i:02}.png": f"[{list(box)}]" for i, box in enumerate(where)}
    cells |= {name: cell for name, (cell, _) in ODD.items()}
    facts = {name: {"boxes": cell, "school": "first" if "0" in name else "second"} for name, cell in cells.items()}
    facts["nothing.png"] = {"school": "first"}
    small, _, _ = thumbnail(Image.new("RGB", (WIDTH, HEIGHT), "grey"))
    with writing(path) as con:
        collection = write.add_collection(con, "planted", "/nowhere")
        records = [
            ImageRecord(name, name, WIDTH, HEIGHT, 1, 0.0, said, small, WIDTH, HEIGHT) for name, said in facts.items()
        ]
        ids = write.add_images(con, collection, records)
        for seed, perfect in ((0, True), (1, False)):
            own = Run("tiny", f"{seed}", 2, 2, 4, PATCH, 1, "crop", 50, {"model": "tiny"}, {})
            run = write.add_run(con, collection, own)
            write.add_results(
                con, run, _results({n: i for n, i in ids.items() if n != "unseen.png"}, where, seed, perfect)
            )
        _draw(con, ids, where)
    return ids


def _results(ids: dict[str, int], where: list, seed: int, perfect: bool) -> Results:
    rng, image_ids = np.random.default_rng(seed), np.array(list(ids.values()))
    image, layer, head = (each.ravel() for each in np.meshgrid(image_ids, range(2), range(2), indexing="ij"))
    weights = rng.random((len(image), ROWS * COLS)).astype(np.float32)
    if perfect:
        for name, image_id in ids.items():
            if name[:2].isdecimal():
                place = (image == image_id) & (layer == PERFECT[0]) & (head == PERFECT[1])
                weights[place] = covered(where[int(name[:2])]).ravel() / 4
    fused = rng.random((2 * len(image_ids), ROWS * COLS)).astype(np.float32)
    depth = np.tile([0, 1], len(image_ids))
    frames = [FrameRecord(int(i), X0, Y0, X0 + PATCH * COLS, Y0 + PATCH * ROWS, ROWS, COLS) for i in image_ids]
    maps = [
        stored_maps("cls", "", ROWS, COLS, image, layer, head, weights),
        stored_maps("rollout", "", ROWS, COLS, np.repeat(image_ids, 2), depth, None, fused),
    ]
    return Results(image_ids, rng.normal(size=(len(image_ids), 4)).astype(np.float32), frames, maps)


def _draw(con, ids: dict[str, int], where: list) -> None:
    """Regions with the note "face" where the boxes of the first eight pictures are, and one with another note; the
    first four pictures have the tag "portrait"."""
    for i, (x, y, width, height) in enumerate(where[:8]):
        box = (x / WIDTH, y / HEIGHT, (x + width) / WIDTH, (y + height) / HEIGHT)
        regions.add(con, ids[f"{i:02}.png"], box, "Face")
    regions.add(con, ids["09.png"], (0.3, 0.3, 0.6, 0.6), "hand")
    tags.add(con, [ids[f"{i:02}.png"] for i in range(4)], ["portrait"])
