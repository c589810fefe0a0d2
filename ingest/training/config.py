"""Configuration files of trainings: YAML, in which a name that is not known is an error with its nearest neighbour."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, PositiveInt, ValidationError, model_validator

from ingest.errors import SourceError
from ingest.vision.training.ips import LossSettings, NetworkSettings, Strict

Model = TypeVar("Model", bound=BaseModel)


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


def read_config(path: Path, model: type[Model]) -> Model:
    """The configuration in a YAML file. SourceError with a sentence for all that is wrong with it."""
    return checked(read_yaml(path), model, path.name)


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, nothing in which is run."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"The configuration {path} could not be read: {error.strerror or error}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name} is no YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise SourceError(f"{path.name} holds no settings; a line of it looks like  training: {{epochs: 100}}")
    return content


def checked(content: dict[str, Any], model: type[Model], source: str) -> Model:
    """The settings as a model; SourceError that says what of them is wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        sentences = [_sentence(each, model) for each in error.errors(include_url=False)]
        raise SourceError(f"{source}: {'; '.join(sentences)}.") from None


def _sentence(error: Any, model: type[BaseModel]) -> str:
    place = ".".join(str(each) for each in error["loc"])
    if error["type"] == "extra_forbidden":
        return _unknown(place, model)
    if error["type"] == "missing":
        return f"{place} is missing"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not place or error["type"] == "value_error":
        return f"{place}: {message}" if place else message
    return f"{place} is {error['input']!r}: {message}"


def _unknown(place: str, model: type[BaseModel]) -> str:
    """What to say of a name that is not known: the name that is nearest to it, beside it or in another section."""
    section, _, name = place.rpartition(".")
    plain = ".".join(each for each in section.split(".") if not each.isdecimal())
    known = settings_of(model)
    beside = {each.rpartition(".")[2]: each for each in known if each.rpartition(".")[0] == plain}
    near = difflib.get_close_matches(name, beside, 1, 0.6)
    if near:
        return f"there is no setting {place}; perhaps {beside[near[0]]} is meant"
    elsewhere = {each.rpartition(".")[2]: each for each in known}
    near = difflib.get_close_matches(name, elsewhere, 1, 0.6)
    hint = f"perhaps {elsewhere[near[0]]} is meant" if near else f"there are {', '.join(sorted(beside))}"
    return f"there is no setting {place}; {hint}"


def settings_of(model: type[BaseModel], above: str = "") -> list[str]:
    """The names of all settings of a model, with those of the sections that they lie in: training.epochs."""
    names = []
    for name, field in model.model_fields.items():
        names.append(above + name)
        kinds = [field.annotation, *get_args(field.annotation)]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names += settings_of(kind, f"{above}{name}.")
    return names
