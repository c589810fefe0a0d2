"""Measures of one picture: how well maps show its truth. Their definitions are those of Quantus (Hedström et al. 2023)
and of the papers it names; computed for all maps of a picture at once.

A map is taken as it is, one weight a patch: pixels that no network has seen are not invented. Padding does not count. A
map that is the same everywhere (of zeros, too) is worth as much as chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.vision.evaluation.truth import GridTruth

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of a map's largest weight, for boxes
OVERLAPS = (0.3, 0.5, 0.7)  # IoU from which on an object counts as found
SIZES = {"small": (0.0, 0.05), "medium": (0.05, 0.2), "large": (0.2, 1.01)}  # share of the picture's area


@dataclass(frozen=True)
class Measure:
    """A measure: what it is called, what it says, whether more is better, and where it comes from."""

    key: str
    title: str
    meaning: str
    source: str
    higher: bool | None = True


MEASURES = {
    each.key: each
    for each in (
        Measure(
            "relevance_mass",
            "Energy inside",
            "the share of the map's weight that lies on the truth",
            "Relevance Mass Accuracy: Arras et al. 2022; energy-based pointing game: Wang et al. 2020",
        ),
        Measure(
            "pointing_game",
            "Pointing game",
            "how often the patch with the greatest weight lies on the truth",
            "Zhang et al. 2018, Top-down Neural Attention by Excitation Backprop",
        ),
        Measure(
            "relevance_rank",
            "Rank accuracy",
            "of as many highest patches as the truth has, the share that lies on it",
            "Relevance Rank Accuracy: Arras et al. 2022",
        ),
        Measure(
            "auprc",
            "AUPRC",
            "the area under precision and recall (average precision), patches taken in the order of the map",
            "scikit-learn's average_precision_score",
        ),
        Measure(
            "best_iou",
            "Best IoU",
            "overlap with the truth at the threshold that suits each picture best",
            "intersection over union, Everingham et al. 2010",
        ),
        Measure(
            "sparseness",
            "Sparseness",
            "how unevenly the weight is spread (Gini index, 0: even, 1: all on one patch); says nothing of the truth",
            "Chalasani et al. 2020",
            None,
        ),
        *(
            Measure(
                f"box_acc_{round(100 * overlap)}",
                f"BoxAcc {overlap:g}",
                f"the share of objects around which the map draws a box with an IoU of {overlap:g} and more, at the "
                "threshold that suits all pictures best",
                "MaxBoxAccV2: Choe et al. 2020, Evaluating Weakly Supervised Object Localization Methods Right",
            )
            for overlap in OVERLAPS
        ),
        Measure(
            "deletion",
            "Deletion",
            "what the network still says while the highest patches go; the baseline is a random order",
            "Petsiuk, Das and Saenko 2018, RISE",
            False,
        ),
        Measure(
            "insertion",
            "Insertion",
            "what the network says while the highest patches come; the baseline is a random order",
            "Petsiuk, Das and Saenko 2018, RISE",
        ),
    )
}
BY_PATCH = ("relevance_mass", "pointing_game", "relevance_rank", "auprc", "best_iou", "sparseness")


def by_patch(weights: np.ndarray, truth: GridTruth) -> dict[str, np.ndarray]:
    """The measures BY_PATCH of maps (m, rows, cols) of one picture: (m,) float64 each."""
    maps = np.asarray(weights, np.float64)[:, truth.visible]
    coverage, cells = truth.coverage[truth.visible], truth.cells[truth.visible]
    order = np.argsort(-maps, axis=1, kind="stable")
    ranked = _Ranked(np.take_along_axis(maps, order, axis=1), coverage[order], cells[order])
    total = maps.sum(axis=1)
    even = np.full(len(maps), coverage.mean())
    return {
        "relevance_mass": np.divide(maps @ coverage, total, out=even, where=total > 0),
        "pointing_game": ranked.pointing_game(),
        "relevance_rank": ranked.rank_accuracy(),
        "auprc": ranked.average_precision(),
        "best_iou": ranked.best_iou(),
        "sparseness": ranked.gini(),
    }


def chance(truth: GridTruth) -> dict[str, float]:
    """What the measures BY_PATCH give a map that is the same everywhere: the area of the truth."""
    area, cells = float(truth.coverage[truth.visible].mean()), float(truth.cells[truth.visible].mean())
    by_area = {"relevance_mass": area, "best_iou": area, "sparseness": 0.0}
    return by_area | dict.fromkeys(("pointing_game", "relevance_rank", "auprc"), cells)


@dataclass(frozen=True)
class _Ranked:
    """The patches of each map, the greatest weight first: weights, coverage and truth, each (m, p)."""

    weights: np.ndarray
    coverage: np.ndarray
    cells: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """bool (m, p): patches after which the weight falls; those of one weight come and go together."""
        falls = self.weights[:, 1:] != self.weights[:, :-1]
        return np.concatenate([falls, np.ones((len(falls), 1), bool)], axis=1)

    def pointing_game(self) -> np.ndarray:
        """1 where the greatest weight lies on the truth; of several patches that share it their mean."""
        peak = self.weights == self.weights[:, :1]
        return (peak & self.cells).sum(axis=1) / peak.sum(axis=1)

    def rank_accuracy(self) -> np.ndarray:
        """The share of truth among as many patches as it has; of patches that share the last place their mean."""
        count = int(self.cells[0].sum())
        edge = self.weights[:, count - 1 : count]
        above, tied = self.weights > edge, self.weights == edge
        share = (tied & self.cells).sum(axis=1) / tied.sum(axis=1)
        return ((above & self.cells).sum(axis=1) + (count - above.sum(axis=1)) * share) / count

    def average_precision(self) -> np.ndarray:
        """The sum of precisions at each weight, each times the recall that it adds."""
        found, last = self.cells.cumsum(axis=1), self.last
        reached = np.maximum.accumulate(np.where(last, found, 0), axis=1)
        before = np.concatenate([np.zeros((len(found), 1), int), reached[:, :-1]], axis=1)
        precision = found / np.arange(1, found.shape[1] + 1)
        return np.where(last, (found - before) * precision, 0).sum(axis=1) / found[:, -1]

    def best_iou(self) -> np.ndarray:
        """The greatest intersection over union of the truth and the patches above any weight, by area."""
        inside = self.coverage.cumsum(axis=1)
        union = np.arange(1, inside.shape[1] + 1) + inside[:, -1:] - inside
        return np.where(self.last, inside / union, 0).max(axis=1)

    def gini(self) -> np.ndarray:
        count, total = self.weights.shape[1], self.weights.sum(axis=1)
        spread = self.weights @ (count + 1 - 2 * np.arange(1, count + 1))
        return np.divide(spread, count * total, out=np.zeros_like(total), where=total > 0)


def box_overlaps(weights: np.ndarray, truth: GridTruth) -> np.ndarray:
    """The IoU of each object with the best box that each map draws at each of THRESHOLDS: float64 (m, thresholds, b).

    A map's boxes lie around the connected patches (side by side or corner to corner) whose weight is at least so much
    of its greatest one.
    """
    from scipy import ndimage

    shown = np.where(truth.visible, weights, 0)
    levels = shown.reshape(len(shown), -1).max(axis=1)[:, None] * np.array(THRESHOLDS)
    above = (shown[:, None] >= levels[..., None, None]) & truth.visible
    flat = above.reshape(-1, *above.shape[2:])
    near = np.zeros((3, 3, 3), bool)
    near[1] = True  # patches of one map and threshold alone
    labels, _ = ndimage.label(flat, near)
    found = np.zeros((len(flat), len(truth.boxes)))
    parts = np.array([[w.start, x.start, y.start, x.stop, y.stop] for w, y, x in ndimage.find_objects(labels)])
    left, top, right, bottom = parts[:, 1:].T
    drawn = np.stack([truth.xs[left], truth.ys[top], truth.xs[right], truth.ys[bottom]], axis=1)
    np.maximum.at(found, parts[:, 0], box_iou(drawn, truth.boxes))
    return found.reshape(len(weights), len(THRESHOLDS), -1)


def whole_overlaps(truth: GridTruth) -> np.ndarray:
    """The IoU (b,) of each object with the box around all that the network saw of the picture: what a map that is the
    same everywhere draws."""
    return box_overlaps(np.ones((1, *truth.visible.shape)), truth)[0, 0]


def box_iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The intersection over union (a, b) of boxes (a, 4) and boxes (b, 4), each (x0, y0, x1, y1)."""
    low, high = np.maximum(one[:, None, :2], other[:, :2]), np.minimum(one[:, None, 2:], other[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1] - shared)


def objects_found(overlaps: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The share of objects found, (…, OVERLAPS, 1 + SIZES), of IoUs (…, b): of all, then of small, medium and large
    ones; NaN where there are none."""
    found = overlaps[..., None, :] >= np.array(OVERLAPS)[:, None] - 1e-9
    kinds = [np.ones(len(sizes), bool), *((low <= sizes) & (sizes < high) for low, high in SIZES.values())]
    empty = np.full(found.shape[:-1], np.nan)
    return np.stack([found[..., kind].mean(axis=-1) if kind.any() else empty for kind in kinds], axis=-1)
