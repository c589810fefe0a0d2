"""Which token belongs to which patch: patches of an input are changed, and it is seen which tokens change where a
network's first attention reads them, before anything mixes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ingest.vision.tap import IN_WINDOWS, NotAVisionTransformer

Forward = Callable[[Tensor], Any]

AGREE = 1e-3  # of the greatest change: what two passes over one picture may differ by
_AMPLITUDES = (1.0, 0.01)  # of the noise that the pictures are made of: a network may overflow with the larger
_INERT = 1e-4  # of the greatest change: a token that changes by less does not see the picture
_SURE = 0.2  # how much nearer a token must be to the one picture than to the other
_FAR = 0.5  # of the greatest change that a patch makes: tokens change by less on average, or it changes them all alike
_PROBES = 64  # patches that are changed one at a time, at most, where a network mixes them before its first attention
_TOGETHER = 4  # pictures in one pass

ASSUMED = "it is assumed that the special tokens come first and then the patches in reading order"


@dataclass(frozen=True)
class Layout:
    """The places of a pass's tokens: of the special ones, and of each patch, in reading order. `note` is empty, or a
    sentence on what could not be measured and is assumed."""

    special: tuple[int, ...]
    patches: tuple[int, ...]
    note: str = ""

    @property
    def reading_order(self) -> bool:
        """Whether the patches lie one after the other, row by row."""
        first = self.patches[0]
        return self.patches == tuple(range(first, first + len(self.patches)))

    @property
    def before(self) -> int:
        """Special tokens in front of the first patch."""
        return sum(place < min(self.patches) for place in self.special)

    @staticmethod
    def of(places: list[int], tokens: int, note: str = "") -> Layout:
        """The layout whose patches have these places among so many tokens."""
        taken = set(places)
        return Layout(tuple(place for place in range(tokens) if place not in taken), tuple(places), note)


def find_layout(
    forward: Forward, patch: int, rows: int, cols: int, device: Any = "cpu", dtype: torch.dtype = torch.float32
) -> Layout:
    """The layout of the tokens of normalised pixels with this grid, from some ten pictures that `forward` sees as far
    as its first attention.

    Every picture shows one of two kinds of noise in each patch, so that the pictures spell each patch's number in
    binary digits. Raises NotAVisionTransformer with a sentence where passes differ, or tokens are no patches.
    """
    count = rows * cols
    number = torch.arange(count)
    digits = [(number >> place) & 1 for place in range(max(1, (count - 1).bit_length()))]
    shown = torch.stack([0 * number, 0 * number, 0 * number + 1, *digits]).bool()
    generator = torch.Generator().manual_seed(20)
    noise = torch.randn(2, 3, patch, patch, generator=generator)
    seen = 0
    for amplitude in _AMPLITUDES:
        kinds = (amplitude * noise).to(device, dtype)
        tokens = first_tokens(forward, mosaic(kinds, shown, rows, cols))
        again = first_tokens(forward, mosaic(kinds, shown[:1], rows, cols))
        seen, change = tokens.shape[1], _change(tokens[2], tokens[0])
        # A change that is rounding alone says nothing.
        if tokens.isfinite().all() and change.max() > 1e-6 * tokens[0].norm(dim=-1).max():
            break
    else:
        return _assumed(seen, count, "no patch of a picture changes a token that its first attention reads")
    apart = max(float(_change(tokens[1], tokens[0]).max()), float(_change(again[0], tokens[0]).max()))
    if apart > AGREE * float(change.max()):
        raise NotAVisionTransformer(
            "two passes over one picture differ: it shuffles or hides patches at random, as networks do in training"
        )
    sees = change > _INERT * change.max()
    if int(sees.sum()) < count:
        raise NotAVisionTransformer(
            f"it drops or merges patches: of {count} patches {int(sees.sum())} tokens reach its first attention"
        )
    spelt = _spelt(tokens, sees, count)
    if spelt is not None:
        return Layout.of(spelt, tokens.shape[1])
    return _probed(forward, kinds, rows, cols, tokens.shape[1])


def _spelt(tokens: Tensor, sees: Tensor, count: int) -> list[int] | None:
    """The place of each patch, read from the digits; None where they do not name each patch once."""
    near = torch.stack([_change(digit, tokens[0]) for digit in tokens[3:]])
    far = torch.stack([_change(digit, tokens[2]) for digit in tokens[3:]])
    ones = (near > far).long()
    codes = torch.stack([ones[place] << place for place in range(len(ones))]).sum(dim=0)
    sure = ((near - far).abs() > _SURE * (near + far)).all(dim=0)
    for chosen in (sees & sure, sees):
        places = chosen.nonzero()[:, 0].tolist()
        found = {int(codes[place]): place for place in places}
        if len(places) == count and set(found) == set(range(count)):
            return [found[patch] for patch in range(count)]
    return None


def _probed(forward: Forward, kinds: Tensor, rows: int, cols: int, tokens: int) -> Layout:
    """The layout of a network that mixes patches before its first attention: a patch's token is the one that changes
    most when that patch alone does."""
    count = rows * cols
    probes = torch.arange(count) if count <= _PROBES else torch.arange(0, count, -(-count // _PROBES))
    shown = torch.zeros(len(probes) + 1, count, dtype=torch.bool)
    shown[torch.arange(len(probes)) + 1, probes] = True
    found = first_tokens(forward, mosaic(kinds, shown, rows, cols))
    changes = torch.stack([_change(one, found[0]) for one in found[1:]])
    changes = changes / changes.amax(dim=1, keepdim=True)
    most = changes.argmax(dim=1)
    for first in (tokens - count, 0):
        # Convolutions centred on a patch's corner change the tokens beside its own as much, but no far ones.
        places = most - first
        down, across = places // cols - probes // cols, places % cols - probes % cols
        beside = (down.abs() <= 1) & (across.abs() <= 1) & (places >= 0) & (places < count)
        if beside.all() and changes[:, first : first + count].mean() < _FAR:
            return Layout.of(list(range(first, first + count)), tokens)
    clear = changes.sort(dim=1).values[:, -2].max() < 1 - _SURE
    if len(probes) == count == len(set(most.tolist())) and clear:
        return Layout.of(most.tolist(), tokens)
    if tokens > 2 * count:
        raise NotAVisionTransformer(
            f"its attention does not lie on one grid of {count} patches: {tokens} tokens reach its first attention"
        )
    return _assumed(tokens, count, "it mixes its patches before its first attention")


def _assumed(tokens: int, count: int, why: str) -> Layout:
    if tokens < count:
        raise NotAVisionTransformer(
            f"its attention does not lie on one grid of {count} patches: {tokens} tokens reach its first attention"
        )
    note = f"which token belongs to which patch could not be measured, as {why}: {ASSUMED}"
    return Layout.of(list(range(tokens - count, tokens)), tokens, note)


def mosaic(kinds: Tensor, shown: Tensor, rows: int, cols: int) -> Tensor:
    """Pictures (pictures, 3, height, width) of two `kinds` of patches (2, 3, side, side), as `shown` bool (pictures,
    rows * cols) says."""
    side = kinds.shape[-1]
    patches = kinds[shown.long().to(kinds.device)].view(len(shown), rows, cols, 3, side, side)
    return patches.permute(0, 3, 1, 4, 2, 5).reshape(len(shown), 3, rows * side, cols * side)


def _change(one: Tensor, other: Tensor) -> Tensor:
    return (one.float() - other.float()).norm(dim=-1)


class _Seen(Exception):
    """Ends a pass at its first attention."""


class _FirstCall(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.read: list[Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        call = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
        self.read = [call["key"], call["value"]]
        if call["query"].shape[-2] == call["key"].shape[-2]:
            self.read.append(call["query"])
        raise _Seen


def first_tokens(forward: Forward, pixels: Tensor) -> Tensor:
    """What the first attention reads of each token, its keys, values and queries, float32 (batch, tokens, numbers).

    Raises NotAVisionTransformer where there is no attention, or it lies in windows."""
    parts = []
    for some in pixels.split(_TOGETHER):
        with _FirstCall() as mode, torch.no_grad():
            try:
                forward(some)
            except Exception:  # whatever a stranger's code makes of the end of its pass
                if not mode.read:
                    raise
        if not mode.read:
            raise NotAVisionTransformer("no attention over patches was seen in this network")
        if any(part.ndim != 4 or len(part) != len(some) for part in mode.read):
            raise NotAVisionTransformer(IN_WINDOWS)
        parts.append(torch.cat([part.transpose(1, 2).flatten(2).float() for part in mode.read], dim=-1))
    return torch.cat(parts)
