"""Which pictures are for training and which for the test, and what is known of them, from a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingest.errors import SourceError
from ingest.files import find
from ingest.tables.table import Metadata, find_table, read_metadata
from ingest.training.config import DataSettings
from ingest.vision.geometry import Box
from ingest.vision.paths import natural_key
from ingest.vision.training.ips import TaskSettings
from ingest.vision.training.ips.losses import UNKNOWN
from store.counts import counted

FEATURES = (".npy", ".safetensors")
Cells = Mapping[str, str | None]


@dataclass(frozen=True)
class Split:
    """Pictures, or bags of features, with the labels of each task as `total_loss` takes them, and their boxes."""

    names: list[str]
    files: list[Path]
    labels: dict[str, np.ndarray]
    boxes: list[list[Box]]

    def __len__(self) -> int:
        return len(self.names)

    def only(self, places: Iterable[int]) -> Split:
        """Those at these places."""
        chosen = list(places)
        labels = {task: values[chosen] for task, values in self.labels.items()}
        names, files = [self.names[i] for i in chosen], [self.files[i] for i in chosen]
        return Split(names, files, labels, [self.boxes[i] for i in chosen])


@dataclass(frozen=True)
class Labelled:
    """What a training works with: the tasks with their classes, both splits, and what is to be said of them."""

    tasks: tuple[TaskSettings, ...]
    train: Split
    test: Split
    notes: list[str]


def read_labelled(data: DataSettings, tasks: tuple[TaskSettings, ...], features: bool, seed: int) -> Labelled:
    """The splits of a folder. SourceError where there is no table, a column of it is missing, or a task has fewer than
    two classes among the training pictures; what is missing of single pictures is noted."""
    folder = Path(data.folder).expanduser()
    files = _feature_files(folder) if features else {each.name: each.path for each in find(folder).files}
    table = Path(data.table).expanduser() if data.table else find_table(folder)
    if table is None:
        raise SourceError(f"{folder} has no metadata.csv with the labels; name a table with data: table: FILE.")
    found = read_metadata(table, files, data.file_column)
    _check_columns(table, found, [task.source for task in tasks], data)
    names = sorted(found.rows, key=natural_key)
    train, test = _split(names, found.rows, data, seed)
    for split, members in (("training", train), ("test", test)):
        if not members:
            words = data.train if split == "training" else data.test
            raise SourceError(f"No picture is for {split}: no cell of {data.split!r} is {' or '.join(words)}.")
    tasks = tuple(_with_classes(task, [found.rows[name] for name in train]) for task in tasks)
    notes = [f"{counted(len(found.unmatched_files), 'file')} without a row in {table.name}"] * bool(
        found.unmatched_files
    )
    splits = []
    for word, members in (("training", train), ("test", test)):
        split = _labelled(members, files, found.rows, tasks, data, notes, word)
        if word == "training" and data.train_size is not None:
            split = _some(split, data.train_size, seed)
        splits.append(split)
    return Labelled(tasks, splits[0], splits[1], notes)


def _feature_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}. Check the spelling, or type its full path.")
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.suffix.lower() in FEATURES}
    if not files:
        raise SourceError(
            f"There are no bags of features in {folder}: files .npy or .safetensors, (patches, features)."
        )
    return files


def _check_columns(table: Path, found: Metadata, tasks: list[str], data: DataSettings) -> None:
    columns = list(dict.fromkeys(name for row in found.rows.values() for name in row))
    wanted = [*tasks, *([data.split] if data.split else []), *([data.boxes] if data.boxes else [])]
    missing = [name for name in wanted if name not in columns]
    if missing:
        also = "; without a column of splits write  split: null" if data.split in missing else ""
        raise SourceError(f"{table.name} has no column {', '.join(missing)}; it has {', '.join(columns)}{also}.")


def _split(names: list[str], rows: Mapping[str, Cells], data: DataSettings, seed: int) -> tuple[list[str], list[str]]:
    if data.split:
        of = {name: (rows[name].get(data.split) or "").strip() for name in names}
        return [n for n in names if of[n] in data.train], [n for n in names if of[n] in data.test]
    order = np.random.default_rng([seed, 1]).permutation(len(names))
    tested = set(order[: max(1, round(data.test_share * len(names)))].tolist())
    return [n for i, n in enumerate(names) if i not in tested], [n for i, n in enumerate(names) if i in tested]


def _some(split: Split, size: int, seed: int) -> Split:
    if size > len(split):
        raise SourceError(f"data.train_size is {size}, and there are {counted(len(split), 'picture')} to train with.")
    return split.only(sorted(np.random.default_rng([seed, 2]).permutation(len(split))[:size].tolist()))


def words_of(task: TaskSettings, row: Cells) -> list[str]:
    """The labels of a picture: one, several of a task that may have several, or none where nobody knows them."""
    cell = (row.get(task.source) or "").strip()
    words = re.split(r"[;|]", cell) if task.multilabel else [cell]
    return [word.strip() for word in words if word.strip()]


def _with_classes(task: TaskSettings, rows: list[Cells]) -> TaskSettings:
    if task.classes is not None:
        return task
    classes = sorted({word for row in rows for word in words_of(task, row)}, key=natural_key)
    if len(classes) < 2 or (task.metric == "auc" and len(classes) != 2):
        wanted = "two classes" if task.metric == "auc" else "two classes or more"
        raise SourceError(
            f"The task {task.name} needs {wanted} among the training pictures, and the column {task.source} has "
            f"{len(classes)} ({', '.join(classes[:12]) or 'no label at all'})."
        )
    return replace_classes(task, classes)


def replace_classes(task: TaskSettings, classes: Iterable[str]) -> TaskSettings:
    """The same task with these classes."""
    return TaskSettings.model_validate({**task.model_dump(), "classes": tuple(classes)})


def _labelled(
    names: list[str],
    files: Mapping[str, Path],
    rows: Mapping[str, Cells],
    tasks: tuple[TaskSettings, ...],
    data: DataSettings,
    notes: list[str],
    word: str,
) -> Split:
    """The pictures that have a label of any task."""
    labels, known = {}, np.zeros(len(names), bool)
    for task in tasks:
        values, there, foreign = _labels(task, [rows[name] for name in names])
        labels[task.name], known = values, known | there
        if missing := int((~there).sum()) - len(foreign):
            notes.append(
                f"{missing} of {counted(len(names), f'{word} picture')} have no label in the column {task.source}: "
                f"they do not count for {task.name}"
            )
        if foreign:
            notes.append(
                f"{counted(len(foreign), f'{word} picture')} with a label of {task.name} that is no class of it "
                f"({', '.join(sorted(set(foreign))[:5])}): they do not count for it"
            )
    if not known.any():
        raise SourceError(f"No {word} picture has a label of {', '.join(task.name for task in tasks)}.")
    found = [_boxes(rows[name].get(data.boxes)) if data.boxes else [] for name in names]
    if unread := [name for name, boxes in zip(names, found, strict=True) if boxes is None]:
        notes.append(
            f"{counted(len(unread), f'{word} picture')} whose {data.boxes} are not written [[x, y, width, height], …] "
            f"({', '.join(unread[:3])}): where their objects lie is not known"
        )
    boxes = [each or [] for each in found]
    return Split(names, [files[name] for name in names], labels, boxes).only(np.flatnonzero(known).tolist())


def _labels(task: TaskSettings, rows: list[Cells]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, which of them are known, and the words that are no class of the task."""
    places = {word: place for place, word in enumerate(task.classes or ())}
    softmax = task.activation == "softmax"
    values: np.ndarray = np.full(len(rows), UNKNOWN)
    if not softmax:
        values = np.full((len(rows), task.outputs), np.nan, np.float32)
    foreign = []
    for i, row in enumerate(rows):
        words = words_of(task, row)
        other = [word for word in words if word not in places]
        if other:
            foreign.append(other[0])
        elif words and not task.multilabel:
            values[i] = places[words[0]]
        elif words:
            values[i] = np.isin(np.arange(task.outputs), [places[word] for word in words])
    there = np.asarray(values != UNKNOWN if softmax else ~np.isnan(values).any(axis=1))
    return values, there, foreign


def _boxes(cell: str | None) -> list[Box] | None:
    """The boxes in a cell, None where it holds something else."""
    if not cell or not cell.strip():
        return []
    try:
        boxes = [(float(x), float(y), float(width), float(height)) for x, y, width, height in json.loads(cell)]
    except (ValueError, TypeError):
        return None
    return boxes if all(width > 0 and height > 0 for _, _, width, height in boxes) else None


def without(labelled: Labelled, bad: set[str]) -> Labelled:
    """The same without the pictures that cannot be read."""
    kept = [
        split.only([place for place, name in enumerate(split.names) if name not in bad])
        for split in (labelled.train, labelled.test)
    ]
    return replace(labelled, train=kept[0], test=kept[1])
