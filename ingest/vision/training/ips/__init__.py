"""Training of iterative patch selection (Bergner et al. 2023, arXiv 2210.13007): network, losses, metrics."""

from __future__ import annotations

from ingest.vision.training.ips.losses import Losses, LossSettings, total_loss
from ingest.vision.training.ips.metrics import metric_of
from ingest.vision.training.ips.network import IPSNet, Prediction
from ingest.vision.training.ips.scorer import TrainedSelection
from ingest.vision.training.ips.settings import (
    EncoderSettings,
    NetworkSettings,
    PatchSettings,
    PoolingSettings,
    TaskSettings,
)
from ingest.vision.training.ips.weights import from_file, to_bytes

__all__ = [
    "EncoderSettings",
    "IPSNet",
    "LossSettings",
    "Losses",
    "NetworkSettings",
    "PatchSettings",
    "PoolingSettings",
    "Prediction",
    "TaskSettings",
    "TrainedSelection",
    "from_file",
    "metric_of",
    "to_bytes",
    "total_loss",
]
