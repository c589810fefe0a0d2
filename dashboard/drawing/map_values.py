"""The values of attention maps: the units they are in, and one map out of several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from store.counts import counted
from store.maps import FUSED, AttentionMaps, no_heads

FUSIONS = {"mean": ("mean", np.mean), "max": ("maximum", np.max)}


def title(layer: int, head: int) -> str:
    """What a map is called: layers and heads count from 0."""
    return f"Depth {layer}" if head == FUSED else f"Layer {layer} · head {head}"


def uniform(maps: AttentionMaps, cells: np.ndarray) -> AttentionMaps:
    """The same maps as multiples of the mean over their patches: those of other grids, networks and methods can be
    compared with them. `cells` as Scene.cells gives them; a map of zeros stays one."""
    inside = np.where(cells, maps.weights, 0).astype(np.float64)
    mean = inside.sum(axis=(1, 2), keepdims=True) / cells.sum()
    weights = np.divide(inside, mean, out=np.zeros_like(inside), where=mean > 0)
    return replace(maps, weights=weights.astype(np.float32), unit="uniform")


def renormalised(maps: AttentionMaps, cells: np.ndarray) -> AttentionMaps:
    """The same maps as shares that sum to 1 over the patches: what lies on special tokens and padding left out."""
    return replace(maps, weights=uniform(maps, cells).weights / cells.sum(), unit="share")


def per_uniform(maps: AttentionMaps, cells: np.ndarray) -> AttentionMaps:
    """Maps that scale_values multiplies by the number of patches to get multiples of uniform attention."""
    if maps.unit == "share":
        return maps
    even = maps if maps.unit == "uniform" else uniform(maps, cells)
    return replace(even, weights=even.weights / even.weights[0].size)


def multiples(maps: AttentionMaps, number: int, cells: np.ndarray) -> np.ndarray:
    """One map's weights as multiples of uniform attention, or of its own mean where it is evidence."""
    if maps.unit == "share":
        return maps.weights[number] * maps.weights[number].size
    one = replace(maps, weights=maps.weights[number : number + 1])
    return (one if maps.unit == "uniform" else uniform(one, cells)).weights[0]


def fuse_heads(maps: AttentionMaps, how: str) -> AttentionMaps:
    """One map a layer: the mean or the maximum over each layer's heads, `how` a key of FUSIONS."""
    named, fuse = FUSIONS[how]
    layers = maps.layer_numbers
    weights = np.stack([fuse(maps.weights[maps.layers == layer], axis=0) for layer in layers])
    heads = len(maps) // len(layers)
    titles = tuple(f"Layer {layer} · {named} of {counted(heads, 'head')}" for layer in layers)
    return replace(maps, layers=np.array(layers), heads=no_heads(len(layers)), titles=titles, weights=weights)


def deepest(maps: AttentionMaps) -> int:
    """The number of the first map of the deepest layer in which any map shows something."""
    shows = maps.weights.max(axis=(1, 2)) > 0
    layers = maps.layers[shows] if shows.any() else maps.layers
    return int((maps.layers == layers.max()).argmax())


def chosen(maps: AttentionMaps, numbers: np.ndarray | slice) -> AttentionMaps:
    """Some of the maps, by their numbers."""
    picked = np.arange(len(maps))[numbers]
    return replace(
        maps,
        weights=maps.weights[picked],
        layers=maps.layers[picked],
        heads=maps.heads[picked],
        image_ids=maps.image_ids[picked] if len(maps.image_ids) else maps.image_ids,
        titles=tuple(maps.titles[number] for number in picked) if maps.titles else (),
    )


def single(maps: AttentionMaps, number: int) -> AttentionMaps:
    """One of the maps alone."""
    return chosen(maps, slice(number, number + 1))


def answer(maps: AttentionMaps) -> AttentionMaps:
    """One map that stands for all: the mean over the deepest layer's heads; of blocks added up, the last sum."""
    layer = maps.layers[deepest(maps)]
    of_layer = chosen(maps, np.flatnonzero(maps.layers == layer))
    count = len(of_layer)
    title = of_layer.titles[0] if count == 1 else f"Layer {layer} · mean of the {count} heads shown"
    first = single(of_layer, 0)
    return replace(first, heads=no_heads(1), titles=(title,), weights=of_layer.weights.mean(axis=0, keepdims=True))
