"""Backbones filled from a weights file: which naming it follows, and which part of it is the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ingest.vision.backbones.backbone import BackboneError, Network
from ingest.vision.backbones.checkpoint import check_loaded, read_weights
from ingest.vision.backbones.from_timm import Twin, load_timm, twin_of
from ingest.vision.backbones.from_transformers import build_transformers, names_of
from ingest.vision.backbones.positions import table_side
from ingest.vision.backbones.processors import published_rule
from ingest.vision.backbones.registry import PUBLISHED, Published, usual_fit
from ingest.vision.backbones.unwrapping import NetworkWeights, Shapes, find_network, places, shapes_of


def load_file(key: str, weights: str, layer: int | None = None, timm_positions: bool = False) -> Network:
    """The network `key`, a published model's short name or `timm:NAME`, with the weights of a file.

    The file may have transformers' names or its author's, which timm reads; `timm_positions` as for `load_timm`.
    Raises BackboneError with a sentence for a network or a file that does not do.
    """
    family, _, name = key.partition(":")
    published = PUBLISHED.get(key)
    if published is None and family != "timm":
        raise BackboneError(
            "--weights needs to know the network: --model timm:NAME or one of the names that "
            f"`python -m ingest models` lists, not {key!r}"
        )
    tensors = read_weights(weights)
    timm_name = published.timm if published is not None else name
    twin = twin_of(timm_name) if timm_name else None
    theirs = names_of(published) if published is not None else []
    namings = [*theirs, *([twin.shapes] if twin else [])]
    found = find_network(tensors, namings) or (_converted(tensors, twin, len(theirs)) if twin else None)
    if found is None:
        check_loaded(weights, [n for n in namings[-1] if n not in tensors], list(tensors), len(namings[-1]))
        raise BackboneError(f"{weights} does not fit this model: its weights have other names")
    if published is not None and found.naming < len(theirs):
        network = _by_transformers(published, found, weights, layer, theirs[found.naming])
    elif twin is not None:
        network = _by_timm(published, timm_name, twin, found, weights, layer, timm_positions)
    else:
        raise BackboneError(f"{weights} does not fit this model: timm has no network of its kind")
    described = found.describe(weights)
    return replace(network, assumed=(*((described,) if described else ()), *network.assumed))


def _by_transformers(
    published: Published, found: NetworkWeights, weights: str, layer: int | None, shapes: Shapes
) -> Network:
    patches = table_side(found.tensors, shapes, published.grid // published.patch)
    side = patches * published.patch if patches else None
    network = build_transformers(published, found.tensors, weights, layer, side)
    return replace(network, assumed=_size(weights, patches, side))


def _by_timm(
    published: Published | None,
    name: str,
    twin: Twin,
    found: NetworkWeights,
    weights: str,
    layer: int | None,
    timm_positions: bool,
) -> Network:
    _check_patch(name, twin, found, weights)
    patches = table_side(found.tensors, twin.shapes, twin.grid) if twin.grid else None
    side = patches * twin.patch if patches else None
    sized: dict[str, Any] = {"img_size": side} if side else {}
    network = load_timm(name, layer, found.tensors, weights, timm_positions=timm_positions, **sized)
    assumed = _size(weights, patches, side)
    if published is None:
        return replace(network, assumed=assumed)
    return replace(
        network,
        rule=published_rule(published, side),
        title=f"{published.key} ({Path(weights).name})",
        licence=published.licence,
        fit=usual_fit(published.family),
        assumed=assumed,
    )


def _check_patch(name: str, twin: Twin, found: NetworkWeights, weights: str) -> None:
    """BackboneError for a file of other patches: timm would stretch its filters to those of the network unasked."""
    own, theirs = (shapes.get("patch_embed.proj.weight", ()) for shapes in (twin.shapes, shapes_of(found.tensors)))
    if len(own) == len(theirs) == 4 and own[2:] != theirs[2:]:
        sides = [f"{shape[2]} × {shape[3]}" for shape in (theirs, own)]
        raise BackboneError(
            f"{weights} is of a network with patches of {sides[0]} pixels, and {name} has {sides[1]}: give the --model "
            "that it was trained for (`python -m ingest models` lists them)"
        )


def _size(weights: str, patches: int | None, side: int | None) -> tuple[str, ...]:
    if not patches:
        return ()
    name = Path(weights).name
    return (f"{name} has {patches} × {patches} positions: its usual input has {side} × {side} pixels.",)


def _converted(tensors: Mapping[str, Tensor], twin: Twin, naming: int) -> NetworkWeights | None:
    """The part of the file that timm turns into its own names best; None where it turns none into enough of them."""
    best: tuple[float, NetworkWeights] | None = None
    for place in places(tensors, max(1, len(twin.shapes) // 4)):
        part = {name.removeprefix(place): tensor for name, tensor in tensors.items() if name.startswith(place)}
        found = find_network(twin.convert(part), [twin.shapes])
        if found is None or found.place:
            continue
        fits = sum(name in found.tensors for name in twin.shapes)
        if best is None or fits > best[0]:
            best = fits, NetworkWeights(part, place.rstrip("."), (), naming)
    return best and best[1]
