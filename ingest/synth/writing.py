"""Folders of generated pictures: written one whole file after another, and gone on with by the same command."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.errors import SourceError
from ingest.synth.digits import SPLITS
from store.spreadsheets import csv_of_rows

PARAMETERS, MASKS = "parameters.json", ".masks"  # hidden: an ingest of the folder reads no mask as a picture


@dataclass(frozen=True)
class Drawn:
    """One picture (height, width) uint8, what metadata.csv says of it, and the mask (height, width) bool of what it
    shows, if there is one."""

    pixels: np.ndarray
    row: Mapping[str, Any]
    mask: np.ndarray | None = None


def write_set(
    folder: Path,
    parameters: Mapping[str, Any],
    counts: Mapping[str, int],
    drawer: Callable[[str], Callable[[int], Drawn]],
    advance: Callable[[int], object] = lambda number: None,
) -> dict[str, int]:
    """Write `counts` pictures of each split as folder/SPLIT/00000.png, masks as folder/.masks/SPLIT/00000.png, what is
    said of them as metadata.csv, and the parameters as parameters.json. Pictures that are there already stay. Returns
    how many are new. `drawer` gives for a split the function that draws its picture of a number.

    SourceError if the folder holds pictures made with other parameters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check_same(folder, json.loads(json.dumps(parameters)), counts)
    rows, new = [], dict.fromkeys(counts, 0)
    for split, count in counts.items():
        draw = drawer(split) if count else None
        for index in range(count):
            assert draw is not None
            drawn, file = draw(index), folder / split / f"{index:05d}.png"
            if index == 0:
                _write_atomically(folder / PARAMETERS, json.dumps({**parameters, **counts}, indent=2).encode())
            if drawn.mask is not None:
                _write_picture(folder / MASKS / split / file.name, drawn.mask.astype(np.uint8) * 255)
            new[split] += _write_picture(file, drawn.pixels)
            rows.append({"file": f"{split}/{file.name}", "split": split, **drawn.row})
            advance(1)
    _write_table(folder / "metadata.csv", rows)
    return new


def _write_picture(file: Path, pixels: np.ndarray) -> bool:
    """Write a PNG unless it is there; whether it was not."""
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    _write_atomically(file, buffer.getvalue())
    return True


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0]) if rows else ["file"]
    _write_atomically(path, csv_of_rows(names, ([row[name] for name in names] for row in rows)).encode())


def _write_atomically(path: Path, content: bytes) -> None:
    """The whole file or none of it, whenever this process is killed."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _check_same(folder: Path, wanted: dict[str, Any], counts: Mapping[str, int]) -> None:
    path = folder / PARAMETERS
    strange = f"{folder} has pictures of something else; name another folder, or an empty one."
    if not path.exists():
        if any((folder / split).exists() for split in SPLITS):
            raise SourceError(strange)
        return
    try:
        there = json.loads(path.read_text())
    except ValueError:
        there = {}
    if not set(wanted) <= set(there):
        raise SourceError(strange)
    other = [f"{name} {there[name]!r}" for name in wanted if there[name] != wanted[name]]
    other += [f"{there[split]} pictures to {split}" for split in SPLITS if there.get(split, 0) > counts.get(split, 0)]
    if other:
        raise SourceError(f"{folder} was made with {', '.join(other)}; name another folder, or the same settings.")
