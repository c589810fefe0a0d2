"""Attention and its methods written from their formulas with plain loops in float64: what the tests compare with."""

from __future__ import annotations

import math

import numpy as np


def softmax_rows(call) -> np.ndarray:
    """A[b, h, i, j] of an attention call, float64, from its queries, keys, bias and scale."""
    q, k = (tensor.detach().cpu().double().numpy() for tensor in (call.query, call.key))
    batch, heads, queries, width = q.shape
    tokens = k.shape[2]
    bias = np.zeros((batch, heads, queries, tokens))
    if call.bias is not None:
        bias += call.bias.detach().cpu().double().numpy()
    out = np.zeros((batch, heads, queries, tokens))
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                scores = [call.scale * float(q[b, h, i] @ k[b, h, j]) + bias[b, h, i, j] for j in range(tokens)]
                top = max(scores)
                exponentials = [math.exp(score - top) for score in scores]
                out[b, h, i] = np.array(exponentials) / sum(exponentials)
    return out


def matrices(capture) -> list[np.ndarray]:
    return [softmax_rows(call) for call in capture.layers]


def summary(capture, b: int) -> np.ndarray:
    """The query that stands for the picture: CLS, or the mean of the patches that show picture."""
    weights = np.zeros(capture.tokens)
    if capture.has_cls:
        weights[0] = 1
        return weights
    cells = capture.picture_cells[b].numpy()
    for p, shown in enumerate(cells):
        weights[capture.prefix_tokens + p] = shown / cells.sum()
    return weights


def cls(capture, all_rows) -> np.ndarray:
    """(batch, layers * heads, patches)"""
    return np.stack(
        [
            [layer[b, h, 0, capture.prefix_tokens :] for layer in all_rows for h in range(capture.heads)]
            for b in range(capture.batch)
        ]
    )


def received(capture, all_rows) -> np.ndarray:
    out = []
    for b in range(capture.batch):
        cells = capture.picture_cells[b].numpy()
        maps = []
        for layer in all_rows:
            for h in range(capture.heads):
                total = np.zeros(capture.rows * capture.cols)
                for p, shown in enumerate(cells):
                    i = capture.prefix_tokens + p
                    if shown and i < layer.shape[2]:
                        total += layer[b, h, i, capture.prefix_tokens :] / cells.sum()
                maps.append(total)
        out.append(maps)
    return np.array(out)


def rollout(capture, all_rows, residual: float = 0.5) -> np.ndarray:
    """(batch, depths, patches): full matrix products, first layer to last."""
    out = []
    for b in range(capture.batch):
        product = np.eye(capture.tokens)
        maps = []
        for layer in all_rows:
            mixed = np.eye(capture.tokens)
            for i in range(layer.shape[2]):
                mean = sum(layer[b, h, i] for h in range(capture.heads)) / capture.heads
                mixed[i] = residual * np.eye(capture.tokens)[i] + (1 - residual) * mean
            product = mixed @ product
            maps.append((summary(capture, b) @ product)[capture.prefix_tokens :])
        out.append(maps)
    return np.array(out)


def statistics(capture, all_rows) -> dict[str, np.ndarray]:
    """Each statistic (batch, layers, heads)."""
    shape = (capture.batch, len(all_rows), capture.heads)
    names = (
        "distance",
        "distance_share",
        "distance_raw",
        "entropy",
        "mass_cls",
        "mass_registers",
        "mass_patches",
        "peak",
    )
    out = {name: np.full(shape, np.nan) for name in names}
    P = capture.prefix_tokens
    places = [(r, c) for r in range(capture.rows) for c in range(capture.cols)]
    for b in range(capture.batch):
        cells = [p for p in range(len(places)) if capture.picture_cells[b, p]]
        for layer, rows in enumerate(all_rows):
            for h in range(capture.heads):
                A = rows[b, h]
                if A.shape[0] == capture.tokens:
                    raw, shares = [], []
                    for i in cells:
                        far = mass = 0.0
                        for j in cells:
                            D = capture.patch * math.dist(places[i], places[j])
                            far += A[P + i, P + j] * D
                            mass += A[P + i, P + j]
                        raw.append(far)
                        shares.append(far / mass)
                    out["distance_raw"][b, layer, h] = np.mean(raw)
                    out["distance"][b, layer, h] = np.mean(shares)
                    diagonal = capture.patch * math.hypot(capture.rows, capture.cols)
                    out["distance_share"][b, layer, h] = np.mean(shares) / diagonal
                row = summary(capture, b)[: A.shape[0]] @ A
                out["entropy"][b, layer, h] = -sum(a * math.log(a) for a in row if a > 0)
                out["mass_cls"][b, layer, h] = row[0] if capture.has_cls else 0
                out["mass_registers"][b, layer, h] = row[:P].sum() - out["mass_cls"][b, layer, h]
                out["mass_patches"][b, layer, h] = sum(row[P + p] for p in cells)
                out["peak"][b, layer, h] = max(row[P + p] for p in cells)
    return out
