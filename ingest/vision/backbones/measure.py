"""What a network is, asked of the network itself and not of its name: where its tokens lie, which of them its summary
and its classes are read from, whether two passes agree, which sizes it takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ingest.vision.backbones.layout import AGREE, Forward, Layout, find_layout
from ingest.vision.gradients import read_by_token
from ingest.vision.tap import NotAVisionTransformer, Tap, block_calls, captured

MEASURES = 1  # grows when this file measures otherwise: what was remembered before is then measured anew
TINY = (3, 5)  # rows and cols: not square, so that turned grids are found out; few, so that it costs next to nothing
_UNREAD = 1e-3  # of the gradient: a share that is as good as none


@dataclass(frozen=True)
class Measured:
    """What was measured of a network, on a grid of `rows` × `cols` patches.

    `special` tokens beside the patches, `before` of them in front; `reading_order` of the patches, else they have a
    fixed order of their own. `cls` is the number, among the special tokens, of the one that stands for the picture;
    None where there is none. `place` is where it lies in the network, negative from the end. `dim` numbers a feature
    has. `summary` and `score` (None: no classes) say which tokens, after the last block, the feature and a class score
    are read from: "cls", "patches", "both", or "" where that could not be measured; `summary_special` and
    `score_special` are the special tokens' shares of the gradient. `sizes`: "any" grid, "squares", its "own" size
    alone. `notes` are sentences: what is assumed, and where the name promises something else.
    """

    rows: int
    cols: int
    special: int
    before: int
    reading_order: bool
    cls: int | None
    place: int | None
    dim: int
    summary: str
    summary_special: float
    score: str | None
    score_special: float | None
    sizes: str
    notes: tuple[str, ...] = ()

    @property
    def standard(self) -> bool:
        """Whether the tokens lie as all methods want them: CLS, other special ones, patches in reading order."""
        return self.reading_order and self.before == self.special and not self.cls

    def order(self, layout: Layout) -> tuple[int, ...]:
        """The places of a layout's tokens in the order that all methods want."""
        special = list(layout.special)
        if self.cls:
            special.insert(0, special.pop(self.cls))
        return (*special, *layout.patches)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return asdict(self) | {"notes": list(self.notes)}

    @staticmethod
    def from_dict(found: dict[str, Any]) -> Measured:
        """The reverse of `as_dict`. TypeError or KeyError for what is none."""
        return Measured(**found | {"notes": tuple(found["notes"])})


def measure(network: Any, own: tuple[int, int]) -> tuple[Any, Measured]:
    """Measures a Network, whose own grid is `own` (rows, cols), by a few passes over noise: on the tiny grid where it
    takes that. Returns the network, told which of its tokens stands for the picture, and what was measured.

    Raises NotAVisionTransformer with a sentence where passes differ or there is no one grid of patches.
    """
    patch = network.rule.patch
    grid, any_grid = _grid(network, own)
    layout = find_layout(lambda pixels: network.forward(pixels, False), patch, *grid)
    score = None if network.classify is None else _reading(network.classify, patch, grid, layout)[0]
    network = adapted(network, place := _place(layout, score))
    summary, dim = _reading(lambda pixels: network.forward(pixels, False).features, patch, grid, layout)
    cls = _cls(layout, summary, network.has_cls)
    notes = [layout.note] if layout.note else []
    if summary is None:
        notes.append("which tokens its summary is read from could not be measured: no gradient reaches its last block")
    promised = network.special_tokens
    if promised is not None and promised != len(layout.special):
        notes.append(
            f"its name promises {promised} special tokens, and {len(layout.special)} were measured: these count"
        )
    summary_from, share = _which(summary)
    score_from, score_share = (None, None) if network.classify is None else _which(score)
    found = Measured(
        *grid, len(layout.special), layout.before, layout.reading_order, cls, place, dim, summary_from, share,
        score_from, score_share, "any" if any_grid else _sizes(network, own), tuple(notes),
    )  # fmt: skip
    return replace(network, has_cls=cls is not None), found


def recall(network: Any, found: Measured) -> Any:
    """The network as `measure` returns it, given what was measured before."""
    return replace(adapted(network, found.place), has_cls=found.cls is not None)


def adapted(network: Any, place: int | None) -> Any:
    """The network, told where its CLS token lies, if its loader wants to know."""
    if network.adapt is None:
        return network
    described = network.adapt(place)
    return replace(network, forward=described.forward, feature=described.feature, has_cls=described.has_cls)


def takes(network: Any, grid: tuple[int, int], device: Any = "cpu", dtype: torch.dtype = torch.float32) -> str:
    """'' if a network takes pictures of this grid, else why not."""
    side = network.rule.patch
    pixels = torch.zeros(1, 3, grid[0] * side, grid[1] * side, device=device, dtype=dtype)
    try:
        with torch.no_grad(), Tap(tokens=False, values=False) as tap:
            network.forward(pixels, False)
        block_calls(tap.calls, grid[0] * grid[1])
    except Exception as error:  # a stranger's network may raise anything over a size that it does not take
        return reason(error)
    return ""


def reason(error: Exception) -> str:
    """What an error says, in one line; the names of Python's exceptions tell a reader nothing."""
    if isinstance(error, NotAVisionTransformer):
        return str(error)
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _grid(network: Any, own: tuple[int, int]) -> tuple[tuple[int, int], bool]:
    """The grid to measure on, and whether the network takes any: the tiny one, or one a little wider than its own for
    those that only want more patches."""
    for grid in (TINY, (own[0], own[1] + 1)):
        if not takes(network, grid):
            return grid, True
    return own, False


def _sizes(network: Any, own: tuple[int, int]) -> str:
    other = (4, 4) if own != (4, 4) else (3, 3)
    larger = (own[0] + 1, own[0] + 1)
    return "own" if takes(network, other) and takes(network, larger) else "squares"


def _reading(forward: Forward, patch: int, grid: tuple[int, int], layout: Layout) -> tuple[Tensor | None, int]:
    """Each special token's share, after the last block, of the gradient of what `forward` gives (batch, numbers), in a
    random direction, and how many numbers that are; None where there is no gradient.

    Raises NotAVisionTransformer if two passes over the same picture differ."""
    generator = torch.Generator().manual_seed(20)
    pixels = torch.randn(1, 3, grid[0] * patch, grid[1] * patch, generator=generator).expand(2, -1, -1, -1)
    for amplitude in (1.0, 0.01):
        with torch.inference_mode(False), torch.enable_grad(), Tap(gradients=True) as tap:
            numbers = forward(amplitude * pixels).float()
            direction = torch.randn(numbers.shape[1:], generator=generator)
            score = (numbers[0] * direction).sum()
            calls, _, _ = block_calls(tap.calls, grid[0] * grid[1])
            outputs = [captured(call.output) for call in calls]
            found = ()
            if score.requires_grad:
                found = torch.autograd.grad(score, outputs, allow_unused=True, materialize_grads=True)
        if numbers.isfinite().all():
            break
    with torch.no_grad():
        again = forward(amplitude * pixels[:1]).float()[0]
    numbers = numbers.detach()
    apart = max(float((numbers[1] - numbers[0]).norm()), float((again - numbers[0]).norm()))
    if apart > AGREE * float(numbers[0].norm()):
        raise NotAVisionTransformer("two passes over one picture differ: it draws something at random in each")
    shares, size = read_by_token(found), numbers.shape[1]
    if shares is None:
        return None, size
    special = torch.zeros(len(layout.special))
    if shares.shape[1] == 1:  # class attention: the CLS token alone asks
        special[:1] = 1.0
    elif layout.special:
        special = shares[0, list(layout.special)]
    return special, size


def _which(special: Tensor | None) -> tuple[str, float]:
    """What is read (a key of READ, '' if that is unknown), and the special tokens' share, to three digits."""
    if special is None:
        return "", 0.0
    share = float(special.sum())
    return "cls" if share >= 1 - _UNREAD else "patches" if share <= _UNREAD else "both", round(share, 3)


def _cls(layout: Layout, summary: Tensor | None, has_cls: bool) -> int | None:
    """The number of the special token that stands for the picture: the first that the summary is read from; where it
    is read from none, the first one if the network's makers call that CLS."""
    if not layout.special:
        return None
    if summary is None or _which(summary)[0] == "patches":
        return 0 if has_cls else None
    return int((summary >= summary.max() / 2).nonzero()[0])


def _place(layout: Layout, score: Tensor | None) -> int | None:
    """Where the CLS token lies, from the front, or negative from the end; None where there are only patches."""
    number = _cls(layout, score, True)
    if number is None or number < layout.before:
        return number
    return layout.special[number] - len(layout.special) - len(layout.patches)
