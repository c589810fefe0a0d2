"""How well a task is done, over all pictures of a split."""

from __future__ import annotations

import math

import numpy as np

from ingest.vision.training.ips.losses import UNKNOWN
from ingest.vision.training.ips.settings import TaskSettings


def metric_of(task: TaskSettings, logits: np.ndarray, labels: np.ndarray) -> float:
    """A task's own metric, over the pictures with a label; NaN where it has none (no label, one class alone for auc).

    `logits` (n, outputs), `labels` as `total_loss` takes them. accuracy: the share whose largest logit is the label.
    multilabel_accuracy: the share of which every class is right, at a probability of 0.5. auc: the area under the ROC.
    """
    known = labels != UNKNOWN if task.activation == "softmax" else ~np.isnan(labels).any(axis=-1)
    logits, labels = logits[known], labels[known]
    if not len(labels):
        return math.nan
    if task.metric == "accuracy":
        return float((logits.argmax(axis=-1) == labels).mean())
    if task.metric == "multilabel_accuracy":
        return float(((logits >= 0) == (labels >= 0.5)).all(axis=-1).mean())
    if len(np.unique(labels)) < 2:
        return math.nan
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels[:, 0], logits[:, 0]))
