"""What an attention method is: the nouns of the registry, and the walk that feeds every method in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

from ingest.vision.tap import Capture, TileReader, tiles, workspace_for


class GridError(ValueError):
    """What is asked for has no place in the grid of these pictures; the message is a sentence that says why. Pictures
    of another grid may well have it."""


@dataclass(frozen=True)
class Option:
    """A setting of a method, as the command line and the dashboard offer it: a number between `low` and `high` (whole
    if the default is), one of `choices`, or text."""

    key: str
    title: str
    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def read(self, text: str) -> Any:
        """The value that somebody typed. ValueError with a sentence."""
        if self.choices and text not in self.choices:
            raise ValueError(f"{self.key} is one of {', '.join(self.choices)}, not {text!r}")
        if isinstance(self.default, str):
            return text
        kind = type(self.default)
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"{self.key} is a {'whole ' * (kind is int)}number, not {text!r}") from None
        if not (self.low is None or value >= self.low) or not (self.high is None or value <= self.high):
            raise ValueError(f"{self.key} lies between {self.low:g} and {self.high:g}, and {text} does not")
        return value


@dataclass(frozen=True)
class Maps:
    """What a method found in a batch.

    `weights` float32 (batch, maps, rows * cols), never negative; `layers` and `heads` (maps,) say which map is which,
    `heads` None where the method has fused them. `targets` (batch,) say what each picture's maps explain; empty for
    methods that explain nothing.
    """

    method: str
    layers: tuple[int, ...]
    heads: tuple[int, ...] | None
    weights: Tensor
    targets: tuple[str, ...] = ()


class Reader(TileReader, Protocol):
    """A method at work on one captured pass. One that `wants_tiles` is shown those of the LAST LAYER FIRST, unless its
    method is `in_pass`: then also in the order of the pass, before this has come to its end."""

    def maps(self) -> Maps: ...


@dataclass(frozen=True)
class Method:
    """An entry of the registry. `read` is the class of its Reader, made by `read(capture, **options)`.

    `needs`: "cls" a CLS token, "pooling" a pooling head, "target" the gradients of a target's score, "self_attention"
    blocks in which every token asks. `one_layer`: it gives maps of one layer alone.

    Its traits, for whoever draws and describes its maps: it `accumulates` if a layer's map is what that layer adds, so
    that its picture is the sum of all layers up to one; it is `of_one_token` if its maps are shares of a token's
    attention, the rest of which lies on special tokens; the token is a person's choice if it is `of_chosen_token`
    (option `token`); it is `of_summary` if the stored numbers about heads are about what it shows; `depth` is what one
    of its layers is called. A method that is `in_pass` needs of a pass its rows of the first query and tiles, in any
    order of the layers, so that it can be read while the pass runs.
    """

    key: str
    title: str
    kind: Literal["attention", "attribution"]
    explanation: str
    formula: str
    source: str
    read: type[Any]
    options: tuple[Option, ...] = ()
    needs: tuple[str, ...] = ()
    per_head: bool = True
    one_layer: bool = False
    accumulates: bool = False
    of_one_token: bool = False
    of_chosen_token: bool = False
    of_summary: bool = False
    depth: str = "Layer"
    in_pass: bool = False

    @property
    def needs_target(self) -> bool:
        return "target" in self.needs


def by_head(key: str, rows: Tensor) -> Maps:
    """Maps of every layer and head from rows (batch, layers, heads, patches)."""
    layers, heads = rows.shape[1:3]
    which = tuple(layer for layer in range(layers) for _ in range(heads))
    return Maps(key, which, tuple(range(heads)) * layers, rows.flatten(1, 2))


def walk(capture: Capture, readers: Iterable[TileReader]) -> None:
    """Shows every reader that wants them all softmax rows, each computed once and none kept, the last layer first."""
    readers = [reader for reader in readers if reader.wants_tiles]
    if not readers:
        return
    workspace = workspace_for(readers)
    for layer in reversed(range(len(capture.layers))):
        call = capture.layers[layer]
        for samples, queries in tiles(call):
            tile = call.tile(layer, samples, queries, workspace)
            for reader in readers:
                reader.tile(tile)
        for reader in readers:
            reader.end_layer(layer)
