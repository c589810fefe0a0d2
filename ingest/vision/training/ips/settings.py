"""What a patch-selecting network is made of, as a configuration says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from ingest.vision.training.settings import Strict

Share = Annotated[float, Field(ge=0, le=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Sides = tuple[PositiveInt, PositiveInt]  # (height, width) in pixels
RESNETS = ("resnet18", "resnet50")
OWN = (*RESNETS, "small", "features")


class EncoderSettings(Strict):
    """What makes a vector of a patch: `resnet18`, `resnet50`, `small` (three convolutions, for small patches and
    machines without a GPU), any backbone by its key, or `features` where the patches are vectors of `features` numbers
    already.

    Of a ResNet the first 2 or all 4 `blocks` are used, on grey (1) or colour (3) `channels`; `pretrained` takes
    torchvision's ImageNet weights, `weights` those of a file. A `frozen` encoder is not trained, but for the linear
    layer that brings its vectors to the width of the pooling. `layer` is the block after which a backbone is read.
    """

    kind: str = "resnet18"
    blocks: Literal[2, 4] = 2
    channels: Literal[1, 3] = 3
    pretrained: bool = False
    weights: str | None = None
    frozen: bool = False
    layer: int | None = None
    features: PositiveInt | None = None

    @model_validator(mode="after")
    def _agree(self) -> EncoderSettings:
        if (self.kind == "features") != (self.features is not None):
            raise ValueError("kind: features and features: NUMBER (how long the vectors are) go together")
        if self.is_backbone and self.channels != 3:
            raise ValueError(f"{self.kind} takes pictures in colour: channels: 3")
        if self.kind == "small" and (self.pretrained or self.weights):
            raise ValueError("there are no weights of kind: small to begin with")
        if self.frozen and self.kind in OWN and not (self.pretrained or self.weights):
            raise ValueError(f"a frozen {self.kind} needs weights: pretrained: true, or weights: FILE")
        return self

    @property
    def is_backbone(self) -> bool:
        return self.kind not in OWN


class PatchSettings(Strict):
    """How patches are cut and selected: `size` and `stride` in pixels (height, width), `memory` (M) patches are
    selected, `iteration` (I) come in at a time, by `selection` in rounds or exact.

    `shuffle` is the order in which they come, `positions` whether they know their place. In training each of the
    `mask_top` highest scores becomes 0 with `mask_probability`.
    """

    size: Sides = (50, 50)
    stride: Sides | None = None
    memory: PositiveInt = 100
    iteration: PositiveInt = 100
    selection: Literal["rounds", "exact"] = "rounds"
    shuffle: Literal["none", "batch", "instance"] = "none"
    positions: bool = True
    mask_top: Annotated[int, Field(ge=0)] = 0
    mask_probability: Share = 0.0


class PoolingSettings(Strict):
    """Cross-attention of learned queries to the selected patches: `dim` is the width of the vectors, `key_dim` and
    `value_dim` those of a head, `inner_dim` that of the perceptron after it."""

    heads: PositiveInt = 8
    dim: PositiveInt = 128
    key_dim: PositiveInt = 16
    value_dim: PositiveInt = 16
    inner_dim: PositiveInt = 512
    attention_dropout: Dropout = 0.1
    dropout: Dropout = 0.1


class TaskSettings(Strict):
    """One thing to be predicted, from a `column` of the table (named like the task unless said).

    `id` is the query that answers it (the task's place in the list unless said). `activation` softmax: one of several
    classes; sigmoid: yes or no (metric auc), or any number of classes (metric multilabel_accuracy). `classes` are the
    labels in the order of the outputs; those found in the training data unless said.
    """

    name: str
    column: str | None = None
    id: Annotated[int, Field(ge=0)] | None = None
    activation: Literal["softmax", "sigmoid"] = "softmax"
    metric: Literal["accuracy", "multilabel_accuracy", "auc"] = "accuracy"
    classes: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _agree(self) -> TaskSettings:
        if (self.activation == "softmax") != (self.metric == "accuracy"):
            raise ValueError("activation: softmax has metric: accuracy; sigmoid has multilabel_accuracy or auc")
        if self.classes is not None and (len(set(self.classes)) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ValueError(f"a task has two or more classes, each once, not {', '.join(self.classes) or 'none'}")
        if self.metric == "auc" and self.classes is not None and len(self.classes) != 2:
            raise ValueError(f"metric: auc is for two classes, the second of which is yes, not {len(self.classes)}")
        return self

    @property
    def source(self) -> str:
        return self.column or self.name

    @property
    def multilabel(self) -> bool:
        return self.metric == "multilabel_accuracy"

    @property
    def outputs(self) -> int:
        """Numbers that the network gives; ValueError before the classes are known."""
        if self.classes is None:
            raise ValueError(f"the classes of {self.name} are not known yet")
        return 1 if self.metric == "auc" else len(self.classes)


class NetworkSettings(Strict):
    """All that decides which weights a network has and how it is used."""

    encoder: EncoderSettings = EncoderSettings()
    patches: PatchSettings = PatchSettings()
    pooling: PoolingSettings = PoolingSettings()
    tasks: Annotated[tuple[TaskSettings, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> NetworkSettings:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"each task has a name of its own, not {', '.join(names)}")
        if self.patches.positions and self.pooling.dim % 2:
            raise ValueError(f"positions need an even pooling.dim, not {self.pooling.dim}")
        return self

    def query(self, task: TaskSettings) -> int:
        """Which query answers a task."""
        return self.tasks.index(task) if task.id is None else task.id

    @property
    def queries(self) -> int:
        return 1 + max(self.query(task) for task in self.tasks)
