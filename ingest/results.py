"""What a network found out about a batch of pictures, as the store takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.vision.geometry import Frame
from store import companding
from store.maps import AttentionMaps, CodedMaps, no_heads
from store.records import FrameRecord, HeadImportance, HeadStats, PredictionRecord, Results


@dataclass(frozen=True)
class BatchCodes:
    """What a method found in a batch (`ingest.vision.attention.Maps`), its weights coded already as the database holds
    them: `codes` uint8 (batch, maps, rows * cols), `scales` and `minima` float32 (batch, maps)."""

    method: str
    layers: tuple[int, ...]
    heads: tuple[int, ...] | None
    codes: np.ndarray
    scales: np.ndarray
    minima: np.ndarray
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodedExplanation:
    """An Explanation without a target as the parts of a cluster hold it: NumPy's arrays in place of tensors, and the
    maps coded."""

    features: np.ndarray
    rows: int
    cols: int
    maps: list[BatchCodes]
    statistics: dict[str, np.ndarray]
    tokens: dict[str, np.ndarray]
    norms: np.ndarray | None
    importance: None = None
    targets: tuple[str, ...] = ()
    predictions: tuple[Any, ...] = ()


def coded(maps: Any) -> BatchCodes:
    """The maps of a batch, coded. StoreError for weights that are negative or not finite."""
    pictures, count, cells = maps.weights.shape
    codes, scales, minima = companding.encode(maps.weights.numpy().reshape(pictures * count, cells))
    shape = (pictures, count)
    scaling = (scales.reshape(shape), minima.reshape(shape))
    return BatchCodes(maps.method, maps.layers, maps.heads, codes.reshape(*shape, cells), *scaling, maps.targets)


def results_of(explanation: Any, image_ids: np.ndarray, frames: list[Frame]) -> Results:
    """An Explanation of pictures (image_ids, frames), or a CodedExplanation, as the store takes it."""
    blocks = [block for maps in explanation.maps for block in _blocks(maps, explanation, image_ids)]
    head_stats, importance = [], []
    if explanation.statistics:
        ids, layers, heads = _each_head(next(iter(explanation.statistics.values())).shape, image_ids)
        values = {name: np.asarray(values).reshape(-1) for name, values in explanation.statistics.items()}
        head_stats = [HeadStats(ids, layers, heads, values)]
    if explanation.importance is not None:
        shape = explanation.importance.shape
        ids, layers, heads = _each_head(shape, image_ids)
        targets = [target for target in explanation.targets for _ in range(shape[1] * shape[2])]
        importance = [HeadImportance(ids, targets, layers, heads, explanation.importance.reshape(-1).numpy())]
    return Results(
        image_ids=image_ids,
        vectors=None if explanation.features is None else np.asarray(explanation.features),
        norms=None if explanation.norms is None else np.asarray(explanation.norms),
        frames=[
            FrameRecord(int(image_id), frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols)
            for image_id, frame in zip(image_ids, frames, strict=True)
        ],
        maps=blocks,
        head_stats=head_stats,
        token_stats={name: np.asarray(values) for name, values in explanation.tokens.items()},
        importance=importance,
        predictions=[
            PredictionRecord(int(image_id), found.number, found.name, found.probability, found.value, found.kind)
            for image_id, found in zip(image_ids, explanation.predictions, strict=False)
        ],
    )


def _blocks(maps: Any, explanation: Any, image_ids: np.ndarray) -> Iterator[AttentionMaps | CodedMaps]:
    """A method's maps of a batch, coded or not, apart for each target: pictures may explain each their own predicted
    class."""
    count = len(maps.layers)
    targets = np.array(maps.targets or ("",) * len(image_ids), dtype=object)
    heads = no_heads(count) if maps.heads is None else np.array(maps.heads)
    grid = (-1, explanation.rows, explanation.cols)
    for target in dict.fromkeys(targets):
        same = targets == target
        chosen = slice(None) if same.all() else np.flatnonzero(same)  # a slice copies nothing
        ids = image_ids[chosen]
        which = {
            "layers": np.tile(np.array(maps.layers), len(ids)),
            "heads": np.tile(heads, len(ids)),
            "image_ids": np.repeat(ids, count),
            "method": maps.method,
            "target": target,
        }
        if isinstance(maps, BatchCodes):
            codes, scales, minima = maps.codes[chosen], maps.scales[chosen], maps.minima[chosen]
            yield CodedMaps(codes.reshape(grid), scales.reshape(-1), minima.reshape(-1), **which)
        else:
            yield AttentionMaps(maps.weights.numpy()[chosen].reshape(grid), **which)


def _each_head(shape: tuple[int, ...], image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image ids, layers and heads of the entries of an array (images, layers, heads), in its order."""
    images, layers, heads = shape
    ids = np.repeat(image_ids, layers * heads)
    return ids, np.tile(np.repeat(np.arange(layers), heads), images), np.tile(np.arange(heads), images * layers)
