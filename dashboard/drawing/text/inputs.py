"""The input of a run's network in words: its pixels, its patches and how pictures were fitted to it."""

from __future__ import annotations

from ingest.vision.geometry import Frame
from ingest.vision.preprocessing import Preprocessing
from store.counts import counted
from store.records import Run


def of_picture(run: Run, frame: Frame) -> str:
    """The input that one picture became, by its frame: with the fits `aspect` and `model` each may have a shape of
    its own."""
    width, height = run.size, run.size
    if run.fit in ("aspect", "model"):
        width, height = frame.cols * run.patch, frame.rows * run.patch
    patches = f"{counted(frame.rows, 'row')} × {counted(frame.cols, 'column')} of patches"
    return f"input of {width} × {height} px, {patches}, fit {run.fit}"


def of_run(run: Run) -> str:
    """What holds for the input of every picture of the run."""
    if run.fit == "aspect":
        most = (run.size // run.patch) ** 2
        return f"input in the shape of each picture with {counted(most, 'patch')} at most, fit aspect"
    if run.fit == "model":
        own = _own(run)
        return f"input as the network's own processor makes it{f': {own.describe()}' if own else ''}, fit model"
    return f"input of {run.size} × {run.size} px, fit {run.fit}"


def shape_of_run(run: Run) -> str:
    """The same within a sentence about distances: the side of a square, or that each picture has its own."""
    if run.fit == "aspect":
        return "which has each picture's own shape"
    if run.fit == "model" and (own := _own(run)) is not None:
        if own.output is None:
            return "which has each picture's own shape"
        height, width = own.output
        return f"{width} × {height} px"
    return f"{run.size} × {run.size} px"


def _own(run: Run) -> Preprocessing | None:
    """What the processor of the run's network does, as the run has stored it."""
    rule = run.settings.get("input") or {}
    if "model" not in rule:
        return None
    return Preprocessing.from_dict(rule["model"]).scaled(run.size / rule["size"], run.patch)
