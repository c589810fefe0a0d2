"""What is measured of a self-supervised training: whether it learns, and what tells of a collapse."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

KNN_TEMPERATURE = 0.07  # of the neighbours' votes, as DINO's


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
