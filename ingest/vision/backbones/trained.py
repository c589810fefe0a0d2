"""Networks that were trained here without labels: a .safetensors file whose header says how to make them again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ingest.vision.backbones.backbone import BackboneError, Network
from ingest.vision.backbones.checkpoint import read_weights

FORMAT = "bilderatlas-ssl-1"
FILE = "model.safetensors"
KEY = "trained:"


@dataclass(frozen=True)
class Recipe:
    """What a file's header says: the `name` of the training, the `model` that it began with and timm's `arguments`, the
    `size` of its views and its `patch` in pixels, the colours' `mean` and `std`, and after how many epochs this was."""

    name: str
    model: str
    arguments: dict[str, Any]
    size: int
    patch: int | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    epoch: int
    epochs: int

    def header(self) -> dict[str, str]:
        """For the file's header."""
        return {"format": FORMAT, "recipe": json.dumps(vars(self))}


def read_recipe(path: str | Path) -> Recipe | None:
    """The recipe in a file's header; None for a file of something else."""
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
        if about.get("format") != FORMAT:
            return None
        found: dict[str, Any] = json.loads(about["recipe"])
        found |= {name: tuple(found[name]) for name in ("mean", "std")}
        return Recipe(**found)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def trained_file(key: str) -> tuple[Recipe, Path] | None:
    """The network trained here that a name means, its file or the folder of its training, and where it lies; None for
    any other name."""
    path = Path(key).expanduser()
    path = path / FILE if path.is_dir() else path
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    recipe = read_recipe(path)
    return (recipe, path.resolve()) if recipe else None


def key_of(recipe: Recipe, path: Path) -> str:
    """What a network trained here is called as a backbone: `trained:NAME`, and `trained:NAME@3` as it was after 3
    epochs of more."""
    return f"{KEY}{recipe.name}" + ("" if path.name == FILE else f"@{recipe.epoch}")


def trained_networks(folder: Path) -> list[tuple[Recipe, Path, dict[str, Any]]]:
    """The networks in the trainings below a folder: their recipes, files, and what their weights' names say of their
    `layers` (None where they say nothing) and `megabytes`."""
    found = []
    for path in sorted(folder.glob(f"*/{FILE}")):
        if recipe := read_recipe(path):
            with safe_open(path, "pt") as file:
                numbers = [
                    int(n) for name in file.offset_keys() for n in re.findall(r"(?:blocks|layers?)\.(\d+)\.", name)
                ]
            shape = {"layers": max(numbers) + 1 if numbers else None, "megabytes": round(path.stat().st_size / 1e6)}
            found.append((recipe, path, shape))
    return found


def load_trained(path: str, layer: int | None, open_base: Callable[[str, str | None], Network]) -> Network:
    """The network in a file; `open_base` opens the one that it began with, by its key, with other weights where they
    are given. BackboneError for a file of something else, or a network that has no attention."""
    recipe = read_recipe(path) if Path(path).is_file() else None
    if recipe is None:
        raise BackboneError(f"{path} holds no network that `train ssl` has made, or is there no more")
    family, _, name = recipe.model.partition(":")
    if recipe.model == "resnet50":
        raise BackboneError(f"{path} is a ResNet-50, which has no attention: give the --model of a vision transformer")
    if family == "timm":
        from ingest.vision.backbones.from_timm import load_timm

        network = load_timm(name, layer, read_weights(path), path, **recipe.arguments)
    else:
        own = family in ("tiny", "hf", "packaged")  # whose shape no file of weights tells
        network = open_base(recipe.model, None if own else path)
        if own:
            _fill(network, path)
    rule = replace(network.rule, size=recipe.size, resize=recipe.size, mean=recipe.mean, std=recipe.std, own=None)
    after = f"{recipe.epoch} epoch{'s' * (recipe.epoch != 1)}"
    return replace(
        network,
        rule=rule,
        title=f"{recipe.name}, {after} of training ({recipe.model})",
        note=" ".join(filter(None, (network.note, f"Trained without labels from {recipe.model}."))),
        assumed=(),
    )


def _fill(network: Network, path: str) -> None:
    try:
        network.module.load_state_dict(read_weights(path))
    except RuntimeError as error:
        raise BackboneError(
            f"{path} does not fit the network that it was trained from: {str(error).splitlines()[-1].strip()}"
        ) from error
