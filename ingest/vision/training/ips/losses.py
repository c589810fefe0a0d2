"""What a patch-selecting network is trained on: its tasks, and two regularisers of its heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ingest.vision.training.ips.network import Prediction
from ingest.vision.training.ips.settings import TaskSettings
from ingest.vision.training.settings import Strict

UNKNOWN = -1  # the label of a softmax task that nobody knows; NaN of a sigmoid task

Weight = Annotated[float, Field(ge=0)]


class LossSettings(Strict):
    """Weights of what is added to the loss of the tasks; 0 leaves it out.

    `semantic`: the tasks' loss of each head alone, averaged. `diversity`: the mean cosine between two heads of a
    picture, on their `outputs` or on their `attention` (https://github.com/MRiffiAslett/ips_MaxRiffiAslett).
    """

    semantic: Weight = 0.0
    diversity: Weight = 0.0
    diversity_on: Literal["outputs", "attention"] = "outputs"


@dataclass(frozen=True)
class Losses:
    """The `total` that is minimised, and what it is made of: the loss of each task, by name, those that were left out
    are not there."""

    total: Tensor
    tasks: dict[str, Tensor]
    semantic: Tensor | None = None
    diversity: Tensor | None = None


def total_loss(
    prediction: Prediction, labels: Mapping[str, Tensor], tasks: tuple[TaskSettings, ...], settings: LossSettings
) -> Losses:
    """The mean over the tasks, plus the weighted regularisers. Labels are int64 (batch,) for softmax, UNKNOWN where
    nobody knows them, and float (batch, outputs) for sigmoid, NaN where nobody knows them: such pictures, and tasks
    without any label in this batch, do not count."""
    own = {task.name: task_loss(prediction.logits[task.name], labels[task.name], task) for task in tasks}
    own = {name: loss for name, loss in own.items() if loss is not None}
    if not own:
        raise ValueError("no picture of this batch has a label")
    total = torch.stack(list(own.values())).mean()
    semantic = diversity = None
    if settings.semantic:
        semantic = semantic_loss(prediction.heads, labels, tasks)
        total = total + settings.semantic * semantic
    if settings.diversity:
        pooled = prediction.pooled
        diversity = diversity_loss(pooled.outputs if settings.diversity_on == "outputs" else pooled.attention)
        total = total + settings.diversity * diversity
    return Losses(total, own, semantic, diversity)


def task_loss(logits: Tensor, labels: Tensor, task: TaskSettings) -> Tensor | None:
    """The mean over the pictures (batch) with a label, None where there are none: cross-entropy of softmax, for
    sigmoid binary cross-entropy, its mean over the outputs too. In float32."""
    labels = labels.to(logits.device)
    known = labels != UNKNOWN if task.activation == "softmax" else ~torch.isnan(labels).any(dim=-1)
    if not known.any():
        return None
    logits, labels = logits[known].float(), labels[known]
    if task.activation == "softmax":
        return F.cross_entropy(logits, labels)
    return F.binary_cross_entropy_with_logits(logits, labels)


def semantic_loss(heads: Mapping[str, Tensor], labels: Mapping[str, Tensor], tasks: tuple[TaskSettings, ...]) -> Tensor:
    """The mean over heads and tasks of the loss of one head's prediction; heads are (batch, heads, outputs)."""
    losses = [
        task_loss(heads[task.name][:, head], labels[task.name], task)
        for task in tasks
        for head in range(heads[task.name].shape[1])
    ]
    return torch.stack([loss for loss in losses if loss is not None]).mean()


def diversity_loss(heads: Tensor) -> Tensor:
    """The mean cosine of two heads, over all pairs and pictures, of (batch, heads, queries, numbers): 1 where all heads
    are alike, 0 where they have nothing in common. 0 of a single head. In float32."""
    flat = F.normalize(heads.float().flatten(2), dim=-1, eps=1e-8)
    count = flat.shape[1]
    if count < 2:
        return flat.sum() * 0
    cosines = flat @ flat.transpose(1, 2)
    off_diagonal = cosines.sum(dim=(1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(dim=1)
    return (off_diagonal / (count * (count - 1))).mean()
