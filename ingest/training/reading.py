"""Configuration files of trainings: YAML, in which a name that is not known is an error with its nearest neighbour."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ingest.errors import SourceError

Model = TypeVar("Model", bound=BaseModel)


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
