"""Some pictures of the test with what the trained network selects in them, to be shown."""

from __future__ import annotations

import numpy as np

from ingest.training.bags import BagReader
from ingest.training.labels import Labelled
from ingest.vision.loader import decode, thumbnail
from ingest.vision.training.ips import TaskSettings
from ingest.vision.training.ips.epoch import Trainer
from ingest.vision.training.ips.losses import UNKNOWN
from store.training import TrainingExample

EXAMPLES = 8
SIDE = 768  # pixels of the small copy


def examples_of(trainer: Trainer, reader: BagReader, labelled: Labelled) -> list[TrainingExample]:
    """The first pictures of the test; none where there are bags of features alone."""
    test = labelled.test.only(range(min(EXAMPLES, len(labelled.test))))
    if reader.settings.encoder.kind == "features":
        return []
    tally = trainer.evaluate(reader.batches(test, range(len(test)), len(test)))
    tasks, found = reader.settings.tasks, []
    for i, (name, file) in enumerate(zip(test.names, test.files, strict=True)):
        image, grid = decode(file).image, reader.read(file).grid
        assert grid is not None
        patches = [(*grid.box(index), float(score)) for index, score in zip(*tally.selected[i], strict=True)]
        labels = {task.name: shown_label(task, test.labels[task.name][i]) for task in tasks}
        predicted = {task.name: shown_prediction(task, tally.together(task.name)[0][i]) for task in tasks}
        jpeg, boxes = thumbnail(image, SIDE)[0], test.boxes[i]
        found.append(TrainingExample(name, image.width, image.height, jpeg, labels, predicted, boxes, patches))
    return found


def shown_label(task: TaskSettings, label: np.ndarray) -> str | list[str] | None:
    """A label in the user's words; None where nobody knows it."""
    classes = task.classes or ()
    if task.activation == "softmax":
        return None if label == UNKNOWN else classes[int(label)]
    if np.isnan(label).any():
        return None
    return classes[int(label[0])] if task.metric == "auc" else [w for w, on in zip(classes, label, strict=True) if on]


def shown_prediction(task: TaskSettings, logits: np.ndarray) -> str | list[str]:
    """What the network says, as a label is written."""
    classes = task.classes or ()
    if task.activation == "softmax":
        return classes[int(logits.argmax())]
    if task.metric == "auc":
        return classes[int(logits[0] >= 0)]
    return [word for word, logit in zip(classes, logits, strict=True) if logit >= 0]
