"""The settings of a training of patch selection."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from ingest.vision.training.ips import LossSettings, NetworkSettings
from ingest.vision.training.settings import Strict


class DataSettings(Strict):
    """A `folder` of pictures, or of bags of features, and the `table` that describes them (the folder's metadata.csv
    unless said).

    The column `split` says which are for training (one of the words in `train`) and which for the test; without it
    (null) `test_share` of them, drawn by the seed, are. `train_size` takes only so many for training, drawn by the
    seed too. `boxes` is a column with where the objects lie: [[x, y, width, height], …] in pixels.
    """

    folder: str
    table: str | None = None
    file_column: str | None = None
    split: str | None = "split"
    train: tuple[str, ...] = ("train",)
    test: tuple[str, ...] = ("test",)
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    train_size: PositiveInt | None = None
    boxes: str | None = None

    @model_validator(mode="after")
    def _apart(self) -> DataSettings:
        if both := set(self.train) & set(self.test):
            raise ValueError(f"what is trained with is not tested with: {', '.join(sorted(both))} stands in both")
        return self


class OptimisationSettings(Strict):
    """AdamW with a linear warm-up of some epochs and a cosine; `precision` other than float32 is mixed precision. The
    test is made every `test_every` epochs, and after the last."""

    epochs: PositiveInt = 100
    batch_size: PositiveInt = 16
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    warmup_epochs: Annotated[float, Field(ge=0)] = 10
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: Annotated[int, Field(ge=0)] = 0
    test_every: PositiveInt = 1

    @model_validator(mode="after")
    def _agree(self) -> OptimisationSettings:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs is less than epochs, which is {self.epochs}, not {self.warmup_epochs:g}")
        return self


class IPSConfig(NetworkSettings):
    """All of a training of patch selection: data, network, losses, optimisation."""

    data: DataSettings
    losses: LossSettings = LossSettings()
    training: OptimisationSettings = OptimisationSettings()

    @model_validator(mode="after")
    def _heads(self) -> IPSConfig:
        if self.losses.diversity and self.pooling.heads < 2:
            raise ValueError("losses.diversity compares heads: pooling.heads is 2 or more, not 1")
        return self

    def network(self, tasks: tuple[Any, ...]) -> NetworkSettings:
        """The network alone, with the classes of its tasks."""
        return NetworkSettings(encoder=self.encoder, patches=self.patches, pooling=self.pooling, tasks=tasks)
