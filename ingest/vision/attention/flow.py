"""Attention flow: the most that can run from each patch of the input to the picture's summary, layer by layer."""

from __future__ import annotations

import numpy as np
import torch

from ingest.vision.attention.method import Maps, Method, Option
from ingest.vision.tap import Capture, Tile

LARGEST = 100  # tokens: a flow for each patch through a graph of layers × tokens² edges
_UNIT = 2**30  # capacities are whole numbers: this many to 1


class Flow:
    wants_tiles = True

    def __init__(self, capture: Capture, residual: float = 0.5) -> None:
        if capture.tokens > LARGEST:
            raise ValueError(
                f"attention flow is for small grids, of at most {LARGEST} tokens, and this one has {capture.tokens}; "
                "take rollout, or a smaller --size"
            )
        self.capture, self.residual = capture, residual
        shape = (len(capture.layers), capture.batch, capture.tokens, capture.tokens)
        self.matrices = torch.eye(capture.tokens).expand(shape).clone()

    def tile(self, tile: Tile) -> None:
        own = self.residual * self.matrices[tile.layer, tile.samples, tile.queries]
        self.matrices[tile.layer, tile.samples, tile.queries] = (
            own + (1 - self.residual) * tile.weights.mean(dim=1).cpu()
        )

    def end_layer(self, layer: int) -> None:
        pass

    def maps(self) -> Maps:
        capture, summary = self.capture, self.capture.summary_query().cpu().numpy()
        flows = [_flows(self.matrices[:, b].numpy(), summary[b], capture.prefix_tokens) for b in range(capture.batch)]
        weights = torch.from_numpy(np.stack(flows)[:, None]).to(torch.float32)
        return Maps("flow", (len(capture.layers) - 1,), None, weights)


def _flows(matrices: np.ndarray, summary: np.ndarray, prefix: int) -> np.ndarray:
    """The greatest flow from the summary to each patch of the input (patches,), given the layers' (tokens, tokens)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    layers, tokens = matrices.shape[:2]
    # Node 0 is the summary, which pours into the tokens of the last layer; token i as layer l leaves it is node
    # 1 + (l + 1) · tokens + i, and the patches of the input are l = -1.
    sources, sinks, capacities = [], [], []
    for layer in range(layers):
        i, j = np.nonzero(matrices[layer])
        sources.append(1 + (layer + 1) * tokens + i)
        sinks.append(1 + layer * tokens + j)
        capacities.append(matrices[layer][i, j])
    asked = np.flatnonzero(summary)
    sources.append(np.zeros_like(asked))
    sinks.append(1 + layers * tokens + asked)
    capacities.append(summary[asked])
    whole = np.rint(np.concatenate(capacities) * _UNIT).astype(np.int32)
    nodes = 1 + (layers + 1) * tokens
    graph = coo_array((whole, (np.concatenate(sources), np.concatenate(sinks))), (nodes, nodes)).tocsr()
    ends = range(1 + prefix, 1 + tokens)
    return np.array([maximum_flow(graph, 0, end).flow_value / _UNIT for end in ends])


METHOD = Method(
    key="flow",
    title="Attention flow",
    kind="attention",
    explanation="The most that could run from each patch to the picture's summary if attention were pipes. "
    "For small grids only.",
    formula="maximum flow from CLS after the last layer to each patch of the input, capacities α I + (1 - α) mean A",
    source="Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers",
    read=Flow,
    options=(Option("residual", "Residual weight α", 0.5, 0.0, 1.0),),
    per_head=False,
    one_layer=True,
    depth="Depth",
    in_pass=True,
)
