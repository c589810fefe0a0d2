"""One step and one epoch of training: select without gradients, then predict and learn from what was selected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ingest.vision.patches import take
from ingest.vision.training.ips.losses import Losses, LossSettings, total_loss
from ingest.vision.training.ips.metrics import metric_of
from ingest.vision.training.ips.network import IPSNet, Prediction
from ingest.vision.training.ips.weights import load_own, own_state
from ingest.vision.training.schedule import warmup_cosine
from ingest.vision.training.settings import autocast


@dataclass(frozen=True)
class Batch:
    """Pictures as bags of patches, each (N, channels, height, width) or (N, features), with N its own; their labels as
    `total_loss` takes them."""

    bags: list[Tensor]
    labels: Mapping[str, Tensor]


@dataclass(frozen=True)
class Packed:
    """What was selected of a batch: patches (batch, m, …), their indices (batch, m) and scores (batch, m), and which of
    them count (batch, m), None if all do."""

    patches: Tensor
    indices: Tensor
    scores: Tensor
    valid: Tensor | None

    def selected(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each picture the indices of the selected patches and their scores, the best first."""
        valid = torch.ones_like(self.indices, dtype=torch.bool) if self.valid is None else self.valid
        rows = zip(self.indices.cpu(), self.scores.cpu(), valid.cpu(), strict=True)
        return [(indices[kept].numpy(), scores[kept].float().numpy()) for indices, scores, kept in rows]


def pack(network: IPSNet, bags: list[Tensor], generator: torch.Generator | None) -> Packed:
    """The best patches of each bag; bags of one shape are selected from together."""
    groups: dict[torch.Size, list[int]] = {}
    for place, bag in enumerate(bags):
        groups.setdefault(bag.shape, []).append(place)
    found: list[tuple[Tensor, Tensor, Tensor]] = [(bag, bag, bag) for bag in bags]
    for places in groups.values():
        stacked = torch.stack([bags[place] for place in places])
        chosen = network.select(stacked, generator)
        patches = take(stacked, chosen.indices)
        for row, place in enumerate(places):
            found[place] = (patches[row], chosen.indices[row].cpu(), chosen.scores[row].cpu())
    counts = [len(indices) for _, indices, _ in found]
    columns = zip(*found, strict=True)
    patches, indices, scores = (torch.nn.utils.rnn.pad_sequence(list(each), batch_first=True) for each in columns)
    full = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    return Packed(patches, indices, scores, None if full.all() else full)


@dataclass
class Tally:
    """What comes together over the batches of an epoch."""

    pictures: int = 0
    losses: dict[str, float] = field(default_factory=dict)  # sums over pictures; '' is the total
    counted: dict[str, int] = field(default_factory=dict)
    logits: dict[str, list[np.ndarray]] = field(default_factory=dict)
    labels: dict[str, list[np.ndarray]] = field(default_factory=dict)
    selected: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def add(self, batch: Batch, packed: Packed, prediction: Prediction, losses: Losses) -> None:
        size = len(batch.bags)
        self.pictures += size
        named = {"": losses.total, "semantic": losses.semantic, "diversity": losses.diversity}
        for name, loss in {**named, **{f"task:{task}": loss for task, loss in losses.tasks.items()}}.items():
            if loss is not None:
                self.losses[name] = self.losses.get(name, 0.0) + float(loss.detach()) * size
                self.counted[name] = self.counted.get(name, 0) + size
        for task, logits in prediction.logits.items():
            self.logits.setdefault(task, []).append(logits.detach().float().cpu().numpy())
            self.labels.setdefault(task, []).append(batch.labels[task].cpu().numpy())
        self.selected += packed.selected()

    def mean(self, name: str) -> float:
        return self.losses[name] / self.counted[name]

    def together(self, task: str) -> tuple[np.ndarray, np.ndarray]:
        """Logits (n, outputs) and labels of a task, over all pictures."""
        return np.concatenate(self.logits[task]), np.concatenate(self.labels[task])

    def rows(self, network: IPSNet) -> list[tuple[str, str, float]]:
        """(task, metric, value), where '' is all tasks together; what has no value is left out."""
        rows = [("", name or "loss", self.mean(name)) for name in self.losses if "task:" not in name]
        for task in network.settings.tasks:
            if f"task:{task.name}" in self.losses:
                rows.append((task.name, "loss", self.mean(f"task:{task.name}")))
            rows.append((task.name, task.metric, metric_of(task, *self.together(task.name))))
        return [row for row in rows if not math.isnan(row[2])]


class Trainer:
    """A network with all that changes while it is trained. `steps` is how many there will be in all."""

    def __init__(
        self,
        network: IPSNet,
        losses: LossSettings,
        highest: float,
        decay: float,
        warmup: int,
        steps: int,
        precision: str,
    ) -> None:
        self.network, self.losses, self.precision = network, losses, precision
        self.highest, self.warmup, self.steps, self.step = highest, warmup, steps, 0
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=highest, weight_decay=decay)
        self.scaler = torch.amp.GradScaler(network.device.type, enabled=precision == "float16")

    @property
    def rate(self) -> float:
        """The learning rate of the step that was last taken."""
        return self.optimizer.param_groups[0]["lr"]

    def state(self) -> dict[str, Any]:
        """All that is needed to go on, for a checkpoint."""
        return {
            "step": self.step,
            "network": own_state(self.network),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_network(self, state: Mapping[str, Any], source: str) -> None:
        """Take the weights of a `state`. BackboneError for those of another network."""
        load_own(self.network, state["network"], source)

    def load_progress(self, state: Mapping[str, Any]) -> None:
        """Take all else of it."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def train(self, batches: Iterable[Batch], generator: torch.Generator) -> Tally:
        """One pass over the batches. ValueError if the loss is no number any more."""
        tally = Tally()
        self.network.train()
        for batch in batches:
            self.step += 1
            rate = warmup_cosine(self.step, self.steps, self.warmup, self.highest)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.zero_grad(set_to_none=True)
            packed, prediction, losses = self._pass(batch, generator)
            if not torch.isfinite(losses.total):
                raise ValueError(
                    f"the loss is no number any more at step {self.step}; take a smaller training.learning_rate"
                    + ("" if self.precision == "float32" else ", or training.precision: float32")
                )
            self.scaler.scale(losses.total).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            tally.add(batch, packed, prediction, losses)
        return tally

    @torch.no_grad()
    def evaluate(self, batches: Iterable[Batch]) -> Tally:
        """The same batches' losses and predictions, from which nothing is learned."""
        tally, generator = Tally(), torch.Generator().manual_seed(0)
        self.network.eval()
        for batch in batches:
            tally.add(batch, *self._pass(batch, generator))
        return tally

    def _pass(self, batch: Batch, generator: torch.Generator) -> tuple[Packed, Prediction, Losses]:
        with autocast(self.network.device, self.precision):
            packed = pack(self.network, batch.bags, generator)
            each_head = self.losses.semantic > 0
            prediction = self.network(packed.patches, packed.indices, packed.valid, each_head)
        return packed, prediction, total_loss(prediction, batch.labels, self.network.settings.tasks, self.losses)
