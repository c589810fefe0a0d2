"""One training in several processes: those that torchrun or Ray Train has started, on this machine or on several."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from ingest.errors import SourceError
from ingest.models import choose_device

Value = TypeVar("Value")


@dataclass(frozen=True)
class Processes:
    """How many there are, which of them this is, and its device. The first reads the source and writes."""

    rank: int
    count: int
    device: str
    met: bool = True  # by `join`, and not before it by whoever has started this process

    @staticmethod
    def join(device: str) -> Processes:
        """Meet the other processes, if torchrun or Ray Train has started any. ValueError for a device that is not
        there."""
        count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        chosen = choose_device(device)
        if count == 1:
            return Processes(0, 1, chosen)
        if torch.distributed.is_initialized():
            return Processes(torch.distributed.get_rank(), torch.distributed.get_world_size(), chosen, met=False)
        if chosen.startswith("cuda"):
            chosen = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
            torch.cuda.set_device(chosen)
        torch.distributed.init_process_group("nccl" if chosen.startswith("cuda") else "gloo")
        return Processes(rank, count, chosen)

    def leave(self) -> None:
        """At the end."""
        if self.count > 1 and self.met:
            torch.distributed.destroy_process_group()

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, make: Callable[[], Value]) -> Value:
        """What the first process makes, in all of them."""
        if self.count == 1:
            return make()
        found: list[Any] = [make() if self.first else None]
        torch.distributed.broadcast_object_list(found, 0)
        return found[0]

    def check_same(self, value: Any, sentence: str) -> None:
        """SourceError with this sentence where the processes have not all the same value."""
        if self.count > 1:
            found: list[Any] = [None] * self.count
            torch.distributed.all_gather_object(found, value)
            if any(each != found[0] for each in found):
                raise SourceError(sentence)

    def own(self, group: Sequence[int]) -> Sequence[int]:
        """The part of a batch that is this process's."""
        size = len(group) // self.count
        return group[self.rank * size : (self.rank + 1) * size]

    def wrap(self, module: nn.Module) -> nn.Module:
        """A module whose gradients are means over all processes."""
        if self.count == 1:
            return module
        # A mask token, or the last layer while it is still, has no gradient.
        places = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return nn.parallel.DistributedDataParallel(module, device_ids=places, find_unused_parameters=True)
