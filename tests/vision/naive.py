"""Attention and its methods written from their formulas with plain loops in float64: what the tests compare with."""

from __future__ import annotations

import math
from dataclasses import replace

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
    if capture.pooling is not None:
        pooled = capture.pooling.first[b].double().numpy().mean(axis=0)
        weights[len(weights) - len(pooled) :] = pooled
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
        "effective_patches",
        "entropy_mean",
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
                    raw, shares, entropies = [], [], []
                    for i in cells:
                        entropies.append(-sum(a * math.log(a) for a in A[P + i] if a > 0))
                        far = mass = 0.0
                        for j in cells:
                            D = capture.patch * math.dist(places[i], places[j])
                            far += A[P + i, P + j] * D
                            mass += A[P + i, P + j]
                        raw.append(far)
                        shares.append(far / mass)
                    out["distance_raw"][b, layer, h] = np.mean(raw)
                    out["distance"][b, layer, h] = np.mean(shares)
                    out["entropy_mean"][b, layer, h] = np.mean(entropies)
                    diagonal = capture.patch * math.hypot(capture.rows, capture.cols)
                    out["distance_share"][b, layer, h] = np.mean(shares) / diagonal
                row = summary(capture, b)[: A.shape[0]] @ A
                out["entropy"][b, layer, h] = -sum(a * math.log(a) for a in row if a > 0)
                out["mass_cls"][b, layer, h] = row[0] if capture.has_cls else 0
                out["mass_registers"][b, layer, h] = row[:P].sum() - out["mass_cls"][b, layer, h]
                out["mass_patches"][b, layer, h] = sum(row[P + p] for p in cells)
                out["peak"][b, layer, h] = max(row[P + p] for p in cells)
                mass = sum(row[P + p] for p in cells)
                entropy = -sum(row[P + p] / mass * math.log(row[P + p] / mass) for p in cells if row[P + p] > 0)
                out["effective_patches"][b, layer, h] = math.exp(entropy)
    return out


# ---- methods that fuse heads in other ways, or ask with other tokens ------------------------------------------------


def query(capture, all_rows) -> np.ndarray:
    """The rows of the patch in the middle."""
    token = capture.prefix_tokens + capture.rows // 2 * capture.cols + capture.cols // 2
    return np.stack(
        [
            [layer[b, h, token, capture.prefix_tokens :] for layer in all_rows for h in range(capture.heads)]
            for b in range(capture.batch)
        ]
    )


def hackathon(capture, all_rows) -> np.ndarray:
    """As attention_map.py: special rows and columns dropped, the (query, key) square averaged over keys."""
    P = capture.prefix_tokens
    return np.stack(
        [
            [layer[b, h, P:, P:].mean(axis=1) for layer in all_rows for h in range(capture.heads)]
            for b in range(capture.batch)
        ]
    )


def pooling(capture, all_rows) -> np.ndarray:
    return capture.pooling.first.double().numpy()


def averaged(capture, fused, residual=0.5, discard=0.0, start=0, query=summary) -> np.ndarray:
    """(batch, depths, patches) of products of (α I + (1 - α) F) with rows summing to 1; fused[l][b] (queries, tokens)."""
    out = []
    for b in range(capture.batch):
        product, maps = np.eye(capture.tokens), []
        for layer in range(start, len(fused)):
            F = fused[layer][b].copy()
            order = sorted(range(F.size), key=lambda i: F.flat[i])
            for i in order[: int(discard * F.size)]:
                if not (i == 0 and capture.has_cls):
                    F.flat[i] = 0
            mixed = np.eye(capture.tokens)
            for i in range(F.shape[0]):
                row = residual * np.eye(capture.tokens)[i] + (1 - residual) * F[i]
                mixed[i] = row / row.sum() if row.sum() > 0 else row
            product = mixed @ product
            maps.append((query(capture, b) @ product)[capture.prefix_tokens :])
        out.append(maps)
    return np.array(out)


def fused_rollout(capture, all_rows, fusion="mean", **more) -> np.ndarray:
    fuse = {"mean": np.mean, "max": np.max, "min": np.min}[fusion]
    return averaged(capture, [fuse(rows, axis=1) for rows in all_rows], **more)


def flow(capture, all_rows, residual=0.5) -> np.ndarray:
    """Edmonds and Karp's maximum flows on the layered graph."""
    import networkx as nx

    out = []
    for b in range(capture.batch):
        graph = nx.DiGraph()
        for layer, rows in enumerate(all_rows):
            mixed = np.eye(capture.tokens)
            for i in range(rows.shape[2]):
                mixed[i] = residual * np.eye(capture.tokens)[i] + (1 - residual) * rows[b, :, i].mean(axis=0)
            for i in range(capture.tokens):
                for j in range(capture.tokens):
                    if mixed[i, j] > 0:
                        graph.add_edge((layer + 1, i), (layer, j), capacity=mixed[i, j])
        for i, share in enumerate(summary(capture, b)):
            if share > 0:
                graph.add_edge("summary", (len(all_rows), i), capacity=share)
        ends = [(0, capture.prefix_tokens + p) for p in range(capture.rows * capture.cols)]
        out.append([[nx.maximum_flow_value(graph, "summary", end) for end in ends]])
    return np.array(out)


# ---- methods that explain a target: the calls hold ∂s/∂z ------------------------------------------------------------


def _arrays(call) -> tuple[np.ndarray, np.ndarray]:
    return call.value.double().numpy(), call.gradient.double().numpy()


def attention_gradients(call) -> np.ndarray:
    """∂s/∂A[b, h, i, j] = Σ_d ∂s/∂z[b, h, i, d] v[b, h, j, d]."""
    value, gradient = _arrays(call)
    batch, heads, tokens, _ = value.shape
    out = np.zeros((batch, heads, gradient.shape[2], tokens))
    for b in range(batch):
        for h in range(heads):
            for i in range(gradient.shape[2]):
                for j in range(tokens):
                    out[b, h, i, j] = sum(gradient[b, h, i] * value[b, h, j])
    return out


def read_from(capture) -> np.ndarray:
    """(batch, tokens): each token's share of the gradient after the last block that the score depends on."""
    gradients = [call.gradient.double().numpy() for call in capture.layers]
    last = next(gradient for gradient in reversed(gradients) if np.abs(gradient).max() > 0)
    out = np.zeros((capture.batch, capture.tokens))
    for b in range(capture.batch):
        for i in range(last.shape[2]):
            out[b, i] = math.sqrt(sum(float(g) ** 2 for g in last[b, :, i].flat))
        out[b] /= out[b].sum()
    return out


def evidence(capture, b: int) -> np.ndarray:
    """What the score of picture b is read from: CLS alone; the patches (pooled, or their mean); or both, by share."""
    read, P = read_from(capture)[b], capture.prefix_tokens
    if capture.has_cls and read[1:].sum() < 1e-9:
        return summary(capture, b)
    if capture.has_cls and read[:P].sum() > 1e-6:
        return read
    pooling = capture.pooling if capture.through_pooling else None
    return summary(replace(capture, has_cls=False, pooling=pooling), b)


def evidence_queries(capture) -> list[int]:
    """The queries whose terms are added: the special tokens that are read, or all where a patch is."""
    read = read_from(capture).max(axis=0) > 1e-6
    if not capture.has_cls or read[capture.prefix_tokens :].any():
        return list(range(capture.layers[0].queries))
    return np.flatnonzero(read).tolist()


def daam_terms(capture, all_rows) -> np.ndarray:
    """(batch, layers, heads, tokens), signed: the terms of the queries that the score is read through."""
    out = np.zeros((capture.batch, len(all_rows), capture.heads, capture.tokens))
    for layer, (rows, call) in enumerate(zip(all_rows, capture.layers, strict=True)):
        value, gradient = _arrays(call)
        if capture.positive:
            gradient = np.maximum(gradient, 0)
        for b in range(capture.batch):
            for h in range(capture.heads):
                for i in evidence_queries(capture):
                    for p in range(capture.tokens):
                        z = rows[b, h, i, p] * value[b, h, p]
                        out[b, layer, h, p] += sum(gradient[b, h, i] * z)
    return out


def daam(capture, all_rows) -> np.ndarray:
    return np.maximum(daam_terms(capture, all_rows).sum(axis=2), 0)[..., capture.prefix_tokens :]


def daam_heads(capture, all_rows) -> np.ndarray:
    terms = np.maximum(daam_terms(capture, all_rows), 0)[..., capture.prefix_tokens :]
    return terms.reshape(capture.batch, -1, terms.shape[-1])


def gradient_rollout(capture, all_rows, **more) -> np.ndarray:
    """Each layer's attention with its own gradient."""
    fused = []
    for rows, call in zip(all_rows, capture.layers, strict=True):
        fused.append(np.maximum((rows * attention_gradients(call)).mean(axis=1), 0))
    return averaged(capture, fused, query=evidence, **more)


def chefer(capture, all_rows, start=0) -> np.ndarray:
    out = []
    for b in range(capture.batch):
        R, maps = np.eye(capture.tokens), []
        for layer in range(start, len(all_rows)):
            E = np.zeros((capture.tokens, capture.tokens))
            relevant = np.maximum(all_rows[layer] * attention_gradients(capture.layers[layer]), 0)[b].mean(axis=0)
            E[: len(relevant)] = relevant
            R = R + E @ R
            maps.append((evidence(capture, b) @ R)[capture.prefix_tokens :])
        out.append(maps)
    return np.array(out)
