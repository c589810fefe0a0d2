"""Whether a self-supervised training learns, and whether it has collapsed."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

KNN_TEMPERATURE = 0.07  # of the neighbours' votes, as DINO's
SAME = 0.02  # feature_std below which all pictures count as one
CLOSE = 0.005  # of ln K: how near the teacher's entropy is to an end of its range


def feature_std(features: Tensor) -> float:
    """How unlike the features (n, dim) of pictures are: the standard deviation of each dimension of vectors of length
    1, on average, times √dim. 0 where all are the same, 1 where they point everywhere (Chen and He 2021, SimSiam)."""
    unit = F.normalize(features.float(), dim=-1)
    return float(unit.std(dim=0, correction=0).mean() * math.sqrt(unit.shape[1]))


def entropy(distribution: Tensor) -> float:
    """The mean entropy in nats of distributions (n, K): between 0 and ln K."""
    return float(torch.special.entr(distribution.float()).sum(dim=-1).mean())


def knn_accuracy(features: np.ndarray, labels: np.ndarray, k: int = 20) -> float:
    """The share of pictures whose label (int, -1 where nobody knows it) most of their k nearest neighbours have.

    Each picture is left out where it is asked for; a neighbour's vote is exp(cosine / 0.07) (Caron et al. 2021). NaN
    where fewer than two have a label.
    """
    known = labels >= 0
    features, labels = features[known], labels[known]
    if len(labels) < 2:
        return math.nan
    unit = features / np.linalg.norm(features, axis=1, keepdims=True).clip(1e-12)
    right, k, count = 0, min(k, len(labels) - 1), int(labels.max()) + 1
    for start in range(0, len(labels), 1024):
        rows = np.arange(start, min(start + 1024, len(labels)))
        cosines = unit[rows] @ unit.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        weights = np.exp((np.take_along_axis(cosines, near, axis=1) - 1) / KNN_TEMPERATURE)
        votes = np.zeros((len(rows), count))
        np.add.at(votes, (np.arange(len(rows))[:, None], labels[near]), weights)
        right += int((votes.argmax(axis=1) == labels[rows]).sum())
    return right / len(labels)


def collapse(spread: float, teacher_entropy: float | None, outputs: int) -> str:
    """A sentence where a training has collapsed, '' where not: `spread` is `feature_std`, `teacher_entropy` DINO's
    (None for another loss) over so many outputs."""
    if spread < SAME:
        return (
            f"the network has collapsed: the features of all pictures are nearly the same (spread {spread:.3f}, where "
            "1 is evenly spread)"
        )
    if teacher_entropy is None:
        return ""
    most = math.log(outputs)
    if teacher_entropy < CLOSE * most:
        return (
            f"the teacher has collapsed: its distribution is a single output (entropy {teacher_entropy:.3f} of at most "
            f"{most:.3f})"
        )
    if teacher_entropy > (1 - CLOSE) * most:
        return (
            f"the teacher says nothing yet, or has collapsed: its distribution is even (entropy {teacher_entropy:.3f}, "
            f"and ln {outputs} is {most:.3f})"
        )
    return ""
