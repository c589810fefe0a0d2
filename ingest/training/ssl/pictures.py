"""The pictures of a self-supervised training: read once, made small, and kept while there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ingest.task import Task
from ingest.vision.bad_image import BadImage
from ingest.vision.loader import decode
from ingest.vision.paths import natural_key
from ingest.vision.training.ssl.augmentations import Augmentation, augmentations, draw_view, middle, resized
from ingest.vision.training.ssl.settings import ViewSettings
from ingest.vision.training.ssl.trainer import Views

ROOM = 2 * 2**30  # bytes of pictures that are kept in memory
LARGER = 2  # times the size of a view is what the short side of a picture is kept at
THREADS = 4
UNKNOWN = -1  # the label that nobody knows

TEACHER, STUDENT, LOCAL = 0, 1, 2  # whose views are drawn: part of each view's seed


class Pictures(Protocol):
    """What views are drawn from."""

    def __len__(self) -> int: ...

    def draw(self, index: int, rng: np.random.Generator) -> Tensor:
        """A picture uint8 (3, height, width) for one view; what is random in the picture itself comes from `rng`."""
        ...

    def stored(self, index: int) -> Tensor:
        """A picture as its file has it."""
        ...


@dataclass(frozen=True)
class Labels:
    """Of each picture the number of its class, UNKNOWN where nobody knows it, and the classes' names."""

    column: str
    values: np.ndarray
    classes: tuple[str, ...]

    def largest(self) -> float:
        """The share of the largest class: how often one is right who always says that."""
        known = self.values[self.values != UNKNOWN]
        return float(np.bincount(known).max() / len(known)) if len(known) else 0.0


class SourcePictures:
    """Pictures of a source, as a `Pictures`. `short` is the number of pixels that their short sides are kept at."""

    def __init__(self, tasks: Sequence[Task], short: int, room: int = ROOM) -> None:
        self.tasks, self.short, self.room = list(tasks), short, room
        self.kept: dict[str, Tensor] = {}
        self.sides: dict[str, int] = {}  # the short side of each picture's file

    def __len__(self) -> int:
        return len(self.tasks)

    def draw(self, index: int, rng: np.random.Generator) -> Tensor:
        return self.stored(index)

    def stored(self, index: int) -> Tensor:
        return self.read(self.tasks[index])

    def read(self, task: Task) -> Tensor:
        """A picture uint8 (3, height, width). BadImage with a sentence for one that cannot be read."""
        if (there := self.kept.get(task.name)) is not None:
            return there
        image = (task.read() if task.read else decode(task.file)).image.convert("RGB")
        self.sides[task.name] = min(image.size)
        picture = resized(torch.from_numpy(np.array(image)).permute(2, 0, 1), self.short).contiguous()
        if picture.numel() <= self.room or task.in_order:  # frames of a film cannot be read in any order
            self.room -= picture.numel()
            self.kept[task.name] = picture
        return picture

    def check(self, advance: Callable[[int], object]) -> dict[str, str]:
        """What is wrong with those that cannot be read, by name; they are left out from now on. All are read once."""

        def reason(task: Task) -> str | None:
            try:
                self.read(task)
            except BadImage as error:
                return error.reason
            except Exception as error:  # one strange file never stops a collection
                return f"{type(error).__name__}: {error}"
            finally:
                advance(1)
            return None

        in_order = [task for task in self.tasks if task.in_order]
        with ThreadPoolExecutor(1 if in_order else THREADS) as pool:
            reasons = dict(zip([task.name for task in self.tasks], pool.map(reason, self.tasks), strict=True))
        failed = {name: why for name, why in reasons.items() if why}
        self.tasks = [task for task in self.tasks if task.name not in failed]
        return failed

    def labels(self, column: str) -> Labels:
        """What their tables say in a column."""
        cells = [str(task.metadata.get(column) or "").strip() for task in self.tasks]
        classes = tuple(sorted({cell for cell in cells if cell}, key=natural_key))
        places = {word: place for place, word in enumerate(classes)}
        return Labels(column, np.array([places.get(cell, UNKNOWN) for cell in cells], int), classes)


class ViewMaker:
    """Draws the views of batches, in several threads: each from the seed, the epoch, the picture and its own number, so
    that it is the same whichever process draws it."""

    def __init__(self, pictures: Pictures, settings: ViewSettings, seed: int) -> None:
        self.pictures, self.settings, self.seed = pictures, settings, seed
        self.large, self.local = augmentations(settings)

    def batches(self, epoch: int, groups: Sequence[Sequence[int]]) -> Iterator[Views]:
        """The views of the pictures in each group; the next group's are drawn while one is in use."""
        with ThreadPoolExecutor(THREADS) as pool:
            ahead = [pool.map(lambda i: self.of_picture(epoch, i), group) for group in groups[:1]]
            for number in range(len(groups)):
                found = list(ahead.pop())
                if number + 1 < len(groups):
                    ahead.append(pool.map(lambda i: self.of_picture(epoch, i), groups[number + 1]))
                teacher, student = zip(*found, strict=True)
                yield Views(_stacked(teacher), _stacked(student))

    def of_picture(self, epoch: int, index: int) -> tuple[list[Tensor], list[Tensor]]:
        """The teacher's views and the student's of one picture."""
        own = self.settings
        teacher = [self.view(epoch, index, TEACHER, number, self.large) for number in range(own.views)]
        student = teacher
        if own.branches == "different":
            student = [self.view(epoch, index, STUDENT, number, self.large) for number in range(own.views)]
        local = [self.view(epoch, index, LOCAL, number, self.local) for number in range(own.local_views)]
        return teacher, [*student, *local]

    def view(self, epoch: int, index: int, whose: int, number: int, how: Augmentation) -> Tensor:
        """One view, uint8 (3, size, size)."""
        rng = np.random.default_rng([self.seed, epoch, index, whose, number])
        return draw_view(self.pictures.draw(index, rng), how, rng)

    def whole(self, indices: Sequence[int], size: int = 64) -> Iterator[Tensor]:
        """Batches uint8 (n, 3, size, size) of the pictures themselves: the short side resized, the middle cut out."""
        for start in range(0, len(indices), size):
            stored = [self.pictures.stored(index) for index in indices[start : start + size]]
            yield torch.stack([middle(picture, self.settings.size) for picture in stored])


def _stacked(pictures: Sequence[list[Tensor]]) -> list[Tensor]:
    """Of each picture its views; of each view its pictures."""
    return [torch.stack(list(views)) for views in zip(*pictures, strict=True)]
