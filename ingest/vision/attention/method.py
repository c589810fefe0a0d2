"""What an attention method is: the nouns of the registry, and the walk that feeds every method in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

from ingest.vision.tap import Capture, Workspace, tiles


@dataclass(frozen=True)
class Option:
    """A setting of a method, as the command line and the dashboard offer it."""

    key: str
    title: str
    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Maps:
    """What a method found in a batch.

    `weights` float32 (batch, maps, rows * cols); `layers` and `heads` (maps,) say which map is which, `heads` None
    where the method has fused them. `target` is '' or says what is explained.
    """

    method: str
    layers: tuple[int, ...]
    heads: tuple[int, ...] | None
    weights: Tensor
    target: str = ""


class Reader(Protocol):
    """A method at work on one captured pass.

    A reader that `wants_tiles` is shown the softmax rows of every query, layer by layer, the LAST LAYER FIRST:
    `tile` with weights (samples, heads, queries, tokens) for each tile, `leave` when a layer is through. The weights
    lie in memory that the next tile uses again: a reader keeps what it computes from them, never the weights.
    """

    wants_tiles: bool

    def tile(self, layer: int, samples: slice, queries: slice, weights: Tensor) -> None: ...

    def leave(self, layer: int) -> None: ...

    def maps(self) -> Maps: ...


@dataclass(frozen=True)
class Method:
    """An entry of the registry. `read` is the class of its Reader, made by `read(capture, **options)`."""

    key: str
    title: str
    kind: Literal["attention", "attribution"]
    explanation: str
    formula: str
    source: str
    read: type[Any]
    options: tuple[Option, ...] = ()
    needs_cls: bool = False
    per_head: bool = True


def walk(capture: Capture, readers: Iterable[Reader]) -> None:
    """Shows every reader that wants them all softmax rows, each computed once and none kept."""
    readers = [reader for reader in readers if reader.wants_tiles]
    if not readers:
        return
    workspace = Workspace()
    for layer in reversed(range(len(capture.layers))):
        call = capture.layers[layer]
        for samples, queries in tiles(call):
            weights = call.rows(samples, queries, workspace)
            for reader in readers:
                reader.tile(layer, samples, queries, weights)
        for reader in readers:
            reader.leave(layer)
