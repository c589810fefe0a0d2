"""The network inside whatever a training code has saved: found by what fits, not by what its keys are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ingest.vision.backbones.backbone import BackboneError

Shapes = Mapping[str, tuple[int, ...]]  # a network's names of weights and their shapes

# Of two copies that fit alike the one that its authors evaluate: the average over training where training keeps one
# (DINO, iBOT, DINOv2, I-JEPA, data2vec), but the trained encoder of MoCo, whose average only makes keys.
_PREFERRED = ("teacher", "ema", "averaged", "swa", "target")
_AVOIDED = ("student", "momentum", "encoder_k", "predictor", "decoder", "optimizer", "exp_avg", "exp_avg_sq")
# Not what features and maps are made from: these may lack or be too many.
UNNEEDED = ("head", "pooler", "mask_token", "classifier")
# What PyTorch calls a part that it has wrapped, wherever it stands in a name: compiled, sharded, recomputed.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_ENOUGH = 0.5  # of the names: below that it is another network


@dataclass(frozen=True)
class NetworkWeights:
    """The tensors of one network under its own names, where in the file they lay ('' for the whole of it), which other
    places would have fitted alike, and the number of the naming that they follow."""

    tensors: dict[str, Tensor]
    place: str
    others: tuple[str, ...]
    naming: int

    def describe(self, path: str | Path) -> str:
        """Which of several networks was taken; '' where the file is nothing but the network."""
        name = Path(path).name
        if self.others:
            own = self.place or "weights without a prefix"
            return f"{name} holds {own} and {', '.join(self.others)}, which fit alike: {own} was taken."
        return f"Of {name} the part {self.place} was taken." if self.place else ""


def flatten(loaded: Any, path: str | Path = "the file") -> dict[str, Tensor]:
    """All tensors in nested containers under dotted names: {"teacher": {"blocks.0": …}} gives `teacher.blocks.0`, and
    so does {"teacher": {"blocks.0._orig_mod": …}}.

    Raises BackboneError where there are none.
    """
    tensors = {_unwrapped(name): tensor for name, tensor in _leaves(loaded, "")}
    if not tensors:
        raise BackboneError(f"{path} holds no named tensors: a state dict of a network is expected")
    return tensors


def find_network(tensors: Mapping[str, Tensor], namings: Sequence[Shapes]) -> NetworkWeights | None:
    """The part of a file's tensors whose names, without what stands before them, and shapes fit a network best.

    `namings` are the ways in which this network's weights may be called. None where fewer than half of the names of
    each are there.
    """
    scored = [
        (needed / _most(naming), preference(place), total, -place.count("."), place, number)
        for number, naming in enumerate(namings)
        for place, (needed, total) in _scores(tensors, naming).items()
    ]
    if not scored or max(scored)[0] < _ENOUGH:
        return None
    best = max(scored)
    place, number = best[-2:]
    alike = {row[-2] for row in scored if row[0] == best[0] and row[-1] == number and row[-2] != place}
    others = tuple(sorted(each.rstrip(".") for each in alike if not each.startswith(place) or not place))
    return NetworkWeights(
        {name.removeprefix(place): tensor for name, tensor in tensors.items() if name.startswith(place)},
        place.rstrip("."),
        others,
        number,
    )


def places(tensors: Mapping[str, Tensor], least: int) -> list[str]:
    """The beginnings of names that at least so many tensors share, the preferred first: '' or ending in a dot."""
    counts: dict[str, int] = {}
    for name in tensors:
        for place, _ in _splits(name):
            counts[place] = counts.get(place, 0) + 1
    found = [place for place, count in counts.items() if count >= least]
    return sorted(found, key=lambda place: (-preference(place), -place.count(".")))


def preference(place: str) -> int:
    """How likely the network under these containers and prefixes is the one that was meant: -1, 0 or 1."""
    parts = place.lower().replace("/", ".").split(".")
    words = {word for part in parts for word in (part, *part.split("_"))}
    if words.intersection(_AVOIDED) and not words.intersection(("teacher", "ema")):
        return -1
    return int(bool(words.intersection(_PREFERRED)))


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Names and shapes, of a state dict."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _leaves(loaded: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(loaded, Tensor):
        if name:
            yield name, loaded
    elif isinstance(loaded, Mapping):
        for key, value in loaded.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(loaded, list | tuple):
        for place, value in enumerate(loaded):
            yield from _leaves(value, f"{name}.{place}" if name else str(place))


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS) or name


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """A dotted name cut at each of its dots: ('', 'a.b'), ('a.', 'b')."""
    yield "", name
    at = name.find(".")
    while at >= 0:
        yield name[: at + 1], name[at + 1 :]
        at = name.find(".", at + 1)


def _scores(tensors: Mapping[str, Tensor], naming: Shapes) -> dict[str, tuple[int, int]]:
    """By place, how well the needed weights fit and how well all do: a name counts 1, with its shape 2."""
    scores: dict[str, tuple[int, int]] = {}
    for name, tensor in tensors.items():
        for place, rest in _splits(name):
            if rest in naming:
                points = 1 + (tuple(tensor.shape) == naming[rest])
                needed, total = scores.get(place, (0, 0))
                scores[place] = (needed + points * _is_needed(rest), total + points)
    return scores


def _most(naming: Shapes) -> int:
    return max(1, 2 * sum(map(_is_needed, naming)))


def _is_needed(name: str) -> bool:
    return not any(word in name for word in UNNEEDED)
