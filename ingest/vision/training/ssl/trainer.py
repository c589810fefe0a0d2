"""Steps of self-supervised training: the student learns from the teacher, and the teacher follows the student."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ingest.vision.backbones import BackboneError
from ingest.vision.training.schedule import warmup_cosine
from ingest.vision.training.settings import autocast
from ingest.vision.training.ssl.losses import dino_loss, nce_loss, pairs_of, teacher_distribution, wide
from ingest.vision.training.ssl.metrics import entropy, feature_std
from ingest.vision.training.ssl.network import Branch
from ingest.vision.training.ssl.settings import SSLSettings, first_momentum


@dataclass(frozen=True)
class Views:
    """What the branches see of a batch: views uint8 (pictures, 3, size, size). Where they share their views, the
    student's begin with the teacher's."""

    teacher: list[Tensor]
    student: list[Tensor]


@dataclass
class Tally:
    """Sums over the batches of an epoch, by metric."""

    sums: dict[str, float] = field(default_factory=dict)
    batches: int = 0

    def add(self, **values: float) -> None:
        """Count one batch."""
        self.batches += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        return {name: value / self.batches for name, value in self.sums.items()}


class Trainer:
    """Two branches with all that changes while they are trained; `steps` of the optimiser are one epoch.

    `wrap` is what makes several processes of one (DistributedDataParallel).
    """

    def __init__(self, settings: SSLSettings, student: Branch, teacher: Branch, steps: int, wrap: Any = None) -> None:
        from lightly.models.modules.center import Center

        self.settings, self.student, self.teacher = settings, student, teacher
        self.steps, self.step = steps, 0
        self.wrapped: nn.Module = wrap(student) if wrap else student
        self.center = Center((1, settings.head.outputs), momentum=settings.loss.center_momentum).to(student.device)
        named = [(name, each) for name, each in student.named_parameters() if each.requires_grad]
        plain = [each for name, each in named if name.endswith(".bias") or each.ndim == 1]
        others = [each for name, each in named if not (name.endswith(".bias") or each.ndim == 1)]
        self.optimizer = torch.optim.AdamW([{"params": others}, {"params": plain, "weight_decay": 0.0}])
        views = settings.views
        count = views.views + views.local_views
        self.pairs = pairs_of(views.views, count, views.branches == "same")

    # ---- one step -------------------------------------------------------------------------------------------------

    def train(self, batches: Iterable[Views]) -> Tally:
        """One epoch. ValueError if the loss is no number any more."""
        tally, accumulate = Tally(), self.settings.training.accumulate
        self.student.train()
        self.teacher.train()
        for number, views in enumerate(batches):
            last = (number + 1) % accumulate == 0
            if number % accumulate == 0:
                self._begin_step()
            with nullcontext() if last else self._alone():
                found = self._learn(views)
            tally.add(**found)
            if last:
                self._finish_step()
        return tally

    def _begin_step(self) -> None:
        from lightly.utils.scheduler import cosine_schedule

        own, every = self.settings.training, self.settings.training.epochs * self.steps
        rate = warmup_cosine(
            self.step + 1, every, int(own.warmup_epochs * self.steps), own.learning_rate, own.final_learning_rate
        )
        decay = cosine_schedule(self.step, every, own.weight_decay, own.final_weight_decay)
        self.momentum = cosine_schedule(self.step, every, first_momentum(own.momentum, every), own.final_momentum)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.param_groups[0]["weight_decay"] = decay
        self.optimizer.zero_grad(set_to_none=True)

    def _learn(self, views: Views) -> dict[str, float]:
        """Gradients of a batch; what is measured of it."""
        own = self.settings.loss
        with autocast(self.student.device, self.settings.training.precision):
            with torch.no_grad():
                features, wanted = self.teacher(views.teacher)
            _, said = self.wrapped(views.student)
        measured: dict[str, float] = {}
        if own.kind == "nce":
            loss = nce_loss(wanted, said, self.pairs, own.temperature, own.views == "concatenated")
        else:
            center, sharp = self.center.value.clone(), self.teacher_temperature
            loss = dino_loss(wanted, said, self.pairs, center, sharp, own.temperature)
            every = torch.cat(wanted)
            measured["teacher_entropy"] = entropy(teacher_distribution(every, center, sharp))
            self.center.update(wide(every))
        measured = {"loss": float(loss.detach()), **measured, "feature_std": feature_std(features[0])}
        measured = _over_processes(measured, self.student.device)
        if not np.isfinite(measured["loss"]):
            small = "" if self.settings.training.precision == "float32" else ", or training.precision: float32"
            raise ValueError(
                f"the loss is no number any more at step {self.step + 1}; take a smaller training.learning_rate{small}"
            )
        (loss / self.settings.training.accumulate).backward()
        return measured

    def _finish_step(self) -> None:
        from lightly.models.utils import update_momentum

        own = self.settings.training
        with_gradients = [each for each in self.student.parameters() if each.grad is not None]
        if own.clip:
            for group in [with_gradients] if own.clip_each == "all" else [[each] for each in with_gradients]:
                nn.utils.clip_grad_norm_(group, own.clip)
        if self.step < own.freeze_last_layer * self.steps:
            for each in self.student.head.last_layer.parameters():
                each.grad = None
        self.optimizer.step()
        update_momentum(self.student, self.teacher, self.momentum)
        self.step += 1

    def _alone(self) -> AbstractContextManager:
        """While gradients gather, processes need not agree on them."""
        if isinstance(self.wrapped, nn.parallel.DistributedDataParallel):
            return self.wrapped.no_sync()
        return nullcontext()

    @property
    def teacher_temperature(self) -> float:
        """That of the step which is being taken."""
        own = self.settings.loss
        start, warmup = own.teacher_temperature_start, own.teacher_warmup_epochs * self.steps
        if start is None or self.step >= warmup:
            return own.teacher_temperature
        return start + (own.teacher_temperature - start) * self.step / warmup

    # ---- what it knows --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def features(self, batches: Iterable[Tensor]) -> np.ndarray:
        """The teacher's features, float32 (pictures, dim), of pictures uint8 (n, 3, size, size)."""
        self.teacher.eval()
        with autocast(self.student.device, self.settings.training.precision):
            return np.concatenate([self.teacher.features(each).float().cpu().numpy() for each in batches])

    @property
    def rates(self) -> dict[str, float]:
        """Learning rate, weight decay and momentum of the step that was last taken."""
        first = self.optimizer.param_groups[0]
        return {"learning_rate": first["lr"], "weight_decay": first["weight_decay"], "momentum": self.momentum}

    # ---- checkpoints ----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that is needed to go on, for a checkpoint."""
        return {
            "step": self.step,
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "center": self.center.state_dict(),
        }

    def load_network(self, state: Mapping[str, Any], source: str) -> None:
        """Take the weights of a `state`. BackboneError for those of another network."""
        for branch, name in ((self.student, "student"), (self.teacher, "teacher")):
            there, here = state.get(name, {}), branch.state_dict()
            other = [key for key in {**here, **there} if _shape(there, key) != _shape(here, key)]
            if other:
                raise BackboneError(
                    f"{source} is of another network: {len(other)} of its weights differ, as {other[0]} "
                    f"({_shape(there, other[0])} there, {_shape(here, other[0])} here). Use the configuration that it "
                    "was trained with, or another output folder."
                )
            branch.load_state_dict(there)

    def load_progress(self, state: Mapping[str, Any]) -> None:
        """Take all else of it."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.center.load_state_dict(state["center"])
        self.step = state["step"]


def _shape(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...] | str:
    return tuple(tensors[name].shape) if name in tensors else "nothing"


def _over_processes(values: dict[str, float], device: torch.device) -> dict[str, float]:
    """The means over all processes."""
    from lightly.utils import dist

    if dist.world_size() == 1:
        return values
    found = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    torch.distributed.all_reduce(found)
    return dict(zip(values, (found / dist.world_size()).tolist(), strict=True))
