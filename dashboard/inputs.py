"""The input of a run's network in words: its pixels, its patches and how pictures were fitted to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.vision.geometry import Frame
from store.counts import counted


def of_picture(run: Mapping[str, Any], frame: Frame) -> str:
    """The input that one picture became, by its frame: with the fit `aspect` each has a shape of its own."""
    width, height = run["size"], run["size"]
    if run["fit"] == "aspect":
        width, height = frame.cols * run["patch"], frame.rows * run["patch"]
    patches = f"{counted(frame.rows, 'row')} × {counted(frame.cols, 'column')} of patches"
    return f"input of {width} × {height} px, {patches}, fit {run['fit']}"


def of_run(run: Mapping[str, Any]) -> str:
    """What holds for the input of every picture of the run."""
    if run["fit"] == "aspect":
        most = (run["size"] // run["patch"]) ** 2
        return f"input in the shape of each picture with {counted(most, 'patch')} at most, fit aspect"
    return f"input of {run['size']} × {run['size']} px, fit {run['fit']}"


def shape_of_run(run: Mapping[str, Any]) -> str:
    """The same within a sentence about distances: the side of a square, or that each picture has its own."""
    if run["fit"] == "aspect":
        return "which has each picture's own shape"
    return f"{run['size']} × {run['size']} px"
