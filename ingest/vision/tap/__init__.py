"""The tap: one way to read the attention of every vision transformer.

Current transformers all call `torch.nn.functional.scaled_dot_product_attention` with the queries, keys and values as
the softmax meets them (after rotary positions, after query/key norms). The tap looks for that one function while a
forward pass runs, keeps references to its arguments and changes nothing: fused kernels stay on, no module is named,
and since a function mode is per thread, several sessions can share one loaded model.
"""

from ingest.vision.tap.arguments import IN_WINDOWS, NotAVisionTransformer
from ingest.vision.tap.calls import AttentionCall, Tile, Workspace, captured, tiles
from ingest.vision.tap.capture import Capture, block_calls
from ingest.vision.tap.computing import ComputingTap, TileReader, workspace_for
from ingest.vision.tap.recording import Tap

__all__ = [
    "IN_WINDOWS",
    "AttentionCall",
    "Capture",
    "ComputingTap",
    "NotAVisionTransformer",
    "Tap",
    "Tile",
    "TileReader",
    "Workspace",
    "block_calls",
    "captured",
    "tiles",
    "workspace_for",
]
