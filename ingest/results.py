"""What a network found out about a batch of pictures, as the store takes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ingest.vision.geometry import Frame
from store.maps import AttentionMaps, no_heads
from store.records import FrameRecord, HeadImportance, HeadStats, PredictionRecord, Results


def results_of(explanation: Any, image_ids: np.ndarray, frames: list[Frame]) -> Results:
    """An Explanation of pictures (image_ids, frames) as the store takes it."""
    blocks = [block for maps in explanation.maps for block in _blocks(maps, explanation, image_ids)]
    head_stats, importance = [], []
    if explanation.statistics:
        ids, layers, heads = _each_head(next(iter(explanation.statistics.values())).shape, image_ids)
        values = {name: values.reshape(-1).numpy() for name, values in explanation.statistics.items()}
        head_stats = [HeadStats(ids, layers, heads, values)]
    if explanation.importance is not None:
        shape = explanation.importance.shape
        ids, layers, heads = _each_head(shape, image_ids)
        targets = [target for target in explanation.targets for _ in range(shape[1] * shape[2])]
        importance = [HeadImportance(ids, targets, layers, heads, explanation.importance.reshape(-1).numpy())]
    return Results(
        image_ids=image_ids,
        vectors=None if explanation.features is None else explanation.features.numpy(),
        norms=None if explanation.norms is None else explanation.norms.numpy(),
        frames=[
            FrameRecord(int(image_id), frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols)
            for image_id, frame in zip(image_ids, frames, strict=True)
        ],
        maps=blocks,
        head_stats=head_stats,
        token_stats={name: values.numpy() for name, values in explanation.tokens.items()},
        importance=importance,
        predictions=[
            PredictionRecord(int(image_id), found.number, found.name, found.probability, found.value, found.kind)
            for image_id, found in zip(image_ids, explanation.predictions, strict=False)
        ],
    )


def _blocks(maps: Any, explanation: Any, image_ids: np.ndarray) -> Iterator[AttentionMaps]:
    """A method's maps of a batch, apart for each target: pictures may explain each their own predicted class."""
    count = maps.weights.shape[1]
    targets = np.array(maps.targets or ("",) * len(image_ids), dtype=object)
    for target in dict.fromkeys(targets):
        chosen = np.flatnonzero(targets == target)
        heads = no_heads(count) if maps.heads is None else np.array(maps.heads)
        yield AttentionMaps(
            weights=maps.weights.numpy()[chosen].reshape(-1, explanation.rows, explanation.cols),
            layers=np.tile(np.array(maps.layers), len(chosen)),
            heads=np.tile(heads, len(chosen)),
            image_ids=np.repeat(image_ids[chosen], count),
            method=maps.method,
            target=target,
        )


def _each_head(shape: tuple[int, ...], image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image ids, layers and heads of the entries of an array (images, layers, heads), in its order."""
    images, layers, heads = shape
    ids = np.repeat(image_ids, layers * heads)
    return ids, np.tile(np.repeat(np.arange(layers), heads), images), np.tile(np.arange(heads), images * layers)
