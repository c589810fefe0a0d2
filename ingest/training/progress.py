"""What all trainings need beside their networks: seeds, and what an epoch costs."""

from __future__ import annotations

import resource
import sys

import numpy as np
import torch


def peak_memory(device: torch.device) -> float:
    """The most memory so far, in MB: of a GPU what PyTorch has held there, else of this whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def seed_of(*words: int) -> int:
    """A seed from several numbers, all of which matter."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0])
