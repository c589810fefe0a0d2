"""What was measured of each picture, as the rows of the view `evaluations`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from ingest.evaluation.measuring import Group, Measured
from ingest.vision.evaluation.measures import BY_PATCH, MEASURES, OVERLAPS, SIZES
from ingest.vision.evaluation.statistics import ALL, CHOOSING, HELD_OUT, Summary, holm, summarise

Key = tuple[str, str]  # method, target


@dataclass(frozen=True)
class Block:
    """One metric of the k maps of a method in one split: its Summary, and both baselines (k,)."""

    key: Key
    group: Group
    metric: str
    size: str
    split: str
    summary: Summary
    area: np.ndarray
    random: np.ndarray


def summarised(measured: Measured, random: Measured | None, choosing: Collection[int], seed: int = 0) -> list[Block]:
    """All metrics of all maps, in all splits: `choosing` are the pictures by which a map may be chosen. `random` is the
    same of the network with random weights, if there is such."""
    return [block for key, group in measured.groups.items() for block in _of_group(key, group, random, choosing, seed)]


def _of_group(key: Key, group: Group, random: Measured | None, choosing: Collection[int], seed: int) -> Iterator[Block]:
    other = random.groups.get(key) if random else None
    for split, chosen in _splits(group.image_ids, choosing):
        others = None if other is None else dict(_splits(other.image_ids, choosing))[split]
        for metric in BY_PATCH:
            values, chance = group.values(metric)
            summary = summarise(values[:, chosen], chance[chosen], MEASURES[metric].higher, seed)
            beside = None if other is None else other.values(metric)[0][:, others]
            yield _block(key, group, metric, "", split, summary, chance[chosen], other, beside)
        thresholds = _thresholds(group, choosing, split)
        own = None if other is None else _thresholds(other, choosing, split)
        for place, overlap in enumerate(OVERLAPS):
            for at, size in enumerate(("", *SIZES)):
                values = _found(group, thresholds[place], place, at)[:, chosen]
                chance = np.array([found[place, at] for found in group.found_by_chance])[chosen]
                summary = summarise(values, chance, True, seed)
                beside = None if other is None or own is None else _found(other, own[place], place, at)[:, others]
                metric = f"box_acc_{round(100 * overlap)}"
                yield _block(key, group, metric, size, split, summary, chance, other, beside)


def _splits(image_ids: list[int], choosing: Collection[int]) -> list[tuple[str, np.ndarray]]:
    first = np.array([each in choosing for each in image_ids], bool)
    return [(ALL, np.ones(len(image_ids), bool)), (CHOOSING, first), (HELD_OUT, ~first)]


def _thresholds(group: Group, choosing: Collection[int], split: str) -> np.ndarray:
    """For each overlap and map the place of the threshold at which most objects are found (overlaps, k): the held-out
    half takes over that of the other."""
    chosen = dict(_splits(group.image_ids, choosing))[ALL if split == ALL else CHOOSING]
    every = group.objects[..., 0, :][..., chosen]
    there = ~np.isnan(every)
    means = np.where(there, every, 0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    return means.argmax(axis=1).T


def _found(group: Group, thresholds: np.ndarray, overlap: int, size: int) -> np.ndarray:
    """The share of objects found (k, n) with each map's own threshold."""
    every = group.objects[:, :, overlap, size]
    return every[np.arange(len(every)), thresholds].astype(np.float64)


def _block(
    key: Key,
    group: Group,
    metric: str,
    size: str,
    split: str,
    summary: Summary,
    chance: np.ndarray,
    other: Group | None,
    beside: np.ndarray | None,
) -> Block:
    count = len(group.layers)
    there = chance[~np.isnan(chance)]
    area = np.full(count, there.mean() if len(there) else np.nan)
    random = np.full(count, np.nan)
    if other is not None and beside is not None:
        for layer in np.unique(group.layers):
            values = beside[other.layers == layer]
            if values.size and not np.isnan(values).all():
                random[group.layers == layer] = np.nanmean(values)
    return Block(key, group, metric, size, split, summary, area, random)


def columns(blocks: list[Block]) -> dict[str, Any]:
    """The blocks as columns of the table `evaluation_result`; p-values corrected over all maps of a metric and split.
    Maps without a picture have no row."""
    parts: list[dict[str, Any]] = []
    corrected = _corrected(blocks)
    for block, p_holm in zip(blocks, corrected, strict=True):
        summary, there = block.summary, block.summary.images > 0
        count = int(there.sum())
        same = {
            "method": block.key[0],
            "target": block.key[1],
            "metric": block.metric,
            "size": block.size,
            "split": block.split,
        }
        numbers = {
            "layer": block.group.layers,
            "head": block.group.heads,
            "value": summary.value,
            "low": summary.low,
            "high": summary.high,
            "baseline_area": block.area,
            "baseline_random": block.random,
            "p_value": summary.p_value,
            "p_holm": p_holm,
            "n": summary.images,
        }
        parts.append(
            {name: [value] * count for name, value in same.items()}
            | {name: values[there] for name, values in numbers.items()}
        )
    texts = [name for name, values in parts[0].items() if isinstance(values, list)]
    return {
        name: [*chain.from_iterable(part[name] for part in parts)]
        if name in texts
        else np.concatenate([part[name] for part in parts])
        for name in parts[0]
    }


def _corrected(blocks: list[Block]) -> list[np.ndarray]:
    """Holm's correction of the p-values of each block, over all maps of the same metric, size and split."""
    found = [np.full(len(block.summary.p_value), np.nan) for block in blocks]
    together: dict[tuple[str, str, str], list[int]] = {}
    for place, block in enumerate(blocks):
        together.setdefault((block.metric, block.size, block.split), []).append(place)
    for places in together.values():
        p = np.concatenate([blocks[place].summary.p_value for place in places])
        all_corrected = np.full(len(p), np.nan)
        all_corrected[~np.isnan(p)] = holm(p[~np.isnan(p)])
        ends = np.cumsum([len(found[place]) for place in places])[:-1]
        for place, part in zip(places, np.split(all_corrected, ends), strict=True):
            found[place] = part
    return found


def image_columns(measured: Measured) -> dict[str, Any]:
    """What was measured of each picture and map, as columns of the table `evaluation_image`."""
    found: dict[str, list[Any]] = {name: [] for name in ("image_id", "method", "target", "layer", "head", *BY_PATCH)}
    for (method, target), group in measured.groups.items():
        count, pictures = len(group.layers), len(group.image_ids)
        found["image_id"].append(np.repeat(np.array(group.image_ids, np.int64), count))
        found["method"] += [method] * (count * pictures)
        found["target"] += [target] * (count * pictures)
        found["layer"].append(np.tile(group.layers, pictures))
        found["head"].append(np.tile(group.heads, pictures))
        for metric in BY_PATCH:
            found[metric].append(np.concatenate([each[metric] for each in group.by_patch]).astype(np.float32))
    return {name: values if isinstance(values[0], str) else np.concatenate(values) for name, values in found.items()}
