"""What a self-supervised training is made of, as a configuration says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ingest.vision.training.settings import Strict

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Momentum = Annotated[float, Field(ge=0, le=1)]
Range = tuple[PositiveFloat, PositiveFloat]


class ModelSettings(Strict):
    """Which network is trained: any name of `--model` (timm:NAME, a published model's key, hf:FOLDER, packaged), or
    `resnet50`, whose features alone are measured.

    `weights` are `pretrained` ones, `random` ones (timm's and resnet50 unless said), or those of a file. `arguments` go
    to timm: {embed_dim: 64, …}. `drop_path` is stochastic depth of the student, of timm's networks.
    """

    name: str = "timm:vit_tiny_patch16_224"
    weights: str = "random"
    arguments: dict[str, Any] = Field(default_factory=dict)
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _usual_weights(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("weights") is None:
            return {**given, "weights": "random" if _may_be_random(given.get("name")) else "pretrained"}
        return given

    @model_validator(mode="after")
    def _agree(self) -> ModelSettings:
        of_timm = self.name.startswith("timm:")
        if self.weights == "random" and not _may_be_random(self.name):
            raise ValueError(f"only timm:NAME and resnet50 begin with weights: random, not {self.name}")
        if not of_timm and (self.arguments or self.drop_path):
            raise ValueError(f"arguments and drop_path are for timm:NAME, not for {self.name}")
        return self


def _may_be_random(name: Any) -> bool:
    return name is None or name == "resnet50" or str(name).startswith(("timm:", "tiny:"))


class HeadSettings(Strict):
    """The perceptron behind the network: three layers of `hidden` and `bottleneck`, normalised, then `outputs` (DINO's
    head). With `batch_norm` in between it learns from random weights in short trainings; without it not."""

    hidden: PositiveInt = 2048
    bottleneck: PositiveInt = 256
    outputs: Annotated[int, Field(ge=2)] = 1024
    batch_norm: bool = False
    norm_last_layer: bool = True


class LossSettings(Strict):
    """`dino`: cross-entropy between the teacher's distribution, centred and sharpened, and the student's. `nce`: which
    picture of the batch is it, one way, from the teacher's to the student's (InfoNCE); with `views: concatenated` the
    outputs of a branch's views are one vector, as in the study of cluttered digits.

    `temperature` is the student's, and that of nce; the teacher's rises from `teacher_temperature_start` to
    `teacher_temperature` in `teacher_warmup_epochs`.
    """

    kind: Literal["dino", "nce"] = "dino"
    temperature: PositiveFloat = 0.1
    teacher_temperature: PositiveFloat = 0.04
    teacher_temperature_start: PositiveFloat | None = None
    teacher_warmup_epochs: NotNegative = 0
    center_momentum: Momentum = 0.9
    views: Literal["pairs", "concatenated"] = "pairs"


class AugmentationSettings(Strict):
    """How a view is drawn. A `preset` (photographs, prints, binary, none) gives what is not said here.

    `scale` and `aspect` of the part that is cut out; `rotation` in degrees either way; then each with its probability:
    `flip`, `jitter` of brightness, contrast, saturation and hue by these amounts, `grey`, `blur` with a sigma between
    two bounds of a kernel of `blur_kernel` pixels, `solarize`.
    """

    preset: Literal["photographs", "prints", "binary", "none"] = "photographs"
    scale: Range | None = None
    aspect: Range | None = None
    rotation: NotNegative | None = None
    flip: Share | None = None
    jitter: Share | None = None
    jitter_amounts: tuple[NotNegative, NotNegative, NotNegative, Annotated[float, Field(ge=0, le=0.5)]] | None = None
    grey: Share | None = None
    blur: Share | None = None
    blur_sigma: Range | None = None
    blur_kernel: Annotated[int, Field(ge=1)] | None = None
    solarize: Share | None = None

    @model_validator(mode="after")
    def _agree(self) -> AugmentationSettings:
        for name in ("scale", "aspect", "blur_sigma"):
            bounds = getattr(self, name)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"{name} is [least, most], not [{bounds[0]:g}, {bounds[1]:g}]")
        if self.scale is not None and self.scale[1] > 1:
            raise ValueError(f"scale is a share of the picture, at most 1, not {self.scale[1]:g}")
        if self.blur_kernel is not None and self.blur_kernel % 2 == 0:
            raise ValueError(f"blur_kernel is odd, not {self.blur_kernel}")
        return self


class ViewSettings(Strict):
    """What the two branches see: `views` of `size` pixels each, and the student `local_views` of `local_size` more.

    With `branches: same` both see the same views, and no view is compared with itself unless there is but one; with
    `different` each has views of its own. `mean` and `std` of the colours, in place of the network's own.
    """

    size: PositiveInt = 224
    views: PositiveInt = 2
    local_views: Annotated[int, Field(ge=0)] = 0
    local_size: PositiveInt = 96
    local_scale: Range = (0.05, 0.4)
    branches: Literal["same", "different"] = "same"
    mean: tuple[float, float, float] | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    augmentation: AugmentationSettings = AugmentationSettings()

    @model_validator(mode="after")
    def _agree(self) -> ViewSettings:
        least, most = self.local_scale
        if least > most or most > 1:
            raise ValueError(f"local_scale is [least, most], at most 1, not [{least:g}, {most:g}]")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std are given together")
        return self


class OptimisationSettings(Strict):
    """AdamW: the learning rate rises for `warmup_epochs` and falls in a cosine to `final_learning_rate`; weight decay
    and the momentum of the teacher go from one value to the other in a cosine.

    A step takes `accumulate` batches of `batch_size` pictures (over all processes). Gradients longer than `clip` are
    shortened, each parameter's alone or all together (`clip_each`); 0 leaves them. The last layer of the head is still
    for `freeze_last_layer` epochs. `precision` bfloat16 is mixed precision. With the `momentum` auto the teacher, which
    is what comes of a training, can follow the student within as few steps as there are.
    """

    epochs: PositiveInt = 100
    batch_size: Annotated[int, Field(ge=2)] = 64
    accumulate: PositiveInt = 1
    learning_rate: PositiveFloat = 5e-4
    final_learning_rate: NotNegative = 1e-6
    warmup_epochs: NotNegative = 10
    weight_decay: NotNegative = 0.04
    final_weight_decay: NotNegative = 0.4
    momentum: Momentum | Literal["auto"] = 0.996
    final_momentum: Momentum = 1.0
    clip: NotNegative = 3.0
    clip_each: Literal["parameter", "all"] = "parameter"
    freeze_last_layer: NotNegative = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    evaluate_every: PositiveInt = 1
    checkpoint_every: PositiveInt = 1

    @model_validator(mode="after")
    def _agree(self) -> OptimisationSettings:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs is less than epochs, which is {self.epochs}, not {self.warmup_epochs:g}")
        return self


def first_momentum(momentum: float | str, steps: int) -> float:
    """The teacher's momentum at first, in a training of so many steps. `auto` is 1 - 10 / steps, at most 0.99: until a
    cosine has brought it to 1, the teacher has taken over about 1 - exp(-5) of what the student is then."""
    return min(0.99, max(0.0, 1 - 10 / steps)) if isinstance(momentum, str) else momentum


class SSLSettings(Strict):
    """All that decides what is learned from given pictures."""

    model: ModelSettings = ModelSettings()
    head: HeadSettings = HeadSettings()
    loss: LossSettings = LossSettings()
    views: ViewSettings = ViewSettings()
    training: OptimisationSettings = OptimisationSettings()

    @model_validator(mode="after")
    def _agree(self) -> SSLSettings:
        if self.loss.views == "concatenated" and (self.loss.kind != "nce" or self.views.local_views):
            raise ValueError("loss.views: concatenated is for kind: nce, and for as many views in both branches")
        return self
