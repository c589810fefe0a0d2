"""Cluttered digits that are drawn anew for each view: what the study of self-supervised attention compares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ingest.errors import SourceError
from ingest.synth.digits import SPLITS, load_digits
from ingest.synth.writing import PARAMETERS
from ingest.task import Task
from ingest.training.ssl.pictures import SourcePictures
from ingest.vision.cluttered import Clutter, cluttered
from ingest.vision.training.ssl.augmentations import resized


class ClutteredPictures(SourcePictures):
    """A folder of `synth cluttered` of which every view has clutter of its own, and with `place` its digit in another
    place too. SourceError for a folder of something else."""

    def __init__(self, folder: Path, tasks: Sequence[Task], short: int, place: bool) -> None:
        super().__init__(tasks, short)
        self.place = place
        try:
            self.about: dict[str, Any] = json.loads((folder / PARAMETERS).read_text())
        except (OSError, ValueError):
            self.about = {}
        if self.about.get("set") != "cluttered":
            raise SourceError(
                f"data.redraw is for folders of `synth cluttered`, which {folder} is not; leave it out, or make one"
            )
        own: dict[str, Any] = {each.name: self.about[each.name] for each in fields(Clutter)}
        own["canvas"] = tuple(own["canvas"])
        self.clutter = Clutter(**own)

    @cached_property
    def digits(self) -> dict[str, np.ndarray]:
        """The digits of each split, uint8 (n, side, side)."""
        name = self.about["digits"]
        folder = None if name == "scikit-learn" else Path(name)
        found = {}
        for split in SPLITS:
            source = load_digits(split, folder)
            found[split] = np.stack([source.resized(i, self.clutter.digit) for i in range(len(source.labels))])
        return found

    def draw(self, index: int, rng: np.random.Generator) -> Tensor:
        """The digit of a picture among clutter from `rng`; in its own place, or in one from `rng` too."""
        split, _, file = self.tasks[index].name.partition("/")
        number, digits = int(file.partition(".")[0]), self.digits[split]
        place = rng if self.place else np.random.default_rng([self.about["seed"], SPLITS.index(split), number, 0])
        pixels, _ = cluttered(digits[number % len(digits)], digits, self.clutter, place, rng)
        return resized(torch.from_numpy(pixels).expand(3, -1, -1), self.short)
