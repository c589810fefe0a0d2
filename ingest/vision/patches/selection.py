"""Iterative patch selection: of N patches the M with the highest scores, with M + I of them in memory at a time.

A patch's score is the attention that learned queries pay to it: a softmax over patches for each head and query, and the
mean of these. `rounds` is the algorithm as published (Bergner et al. 2023, Iterative Patch Selection for
High-Resolution Image Processing, arXiv 2210.13007): the softmax is over the M patches held and the I new ones of a
round, so that with several heads or queries the outcome depends on the order of the patches. `exact` keeps the logits
of every patch (heads × queries numbers each) and takes the softmax over all patches once, at the end: the order in
which they come decides between equal scores alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

HOW = ("rounds", "exact")
SHUFFLES = ("none", "batch", "instance")

# The patches of a batch, in whatever form their scorer takes, with their indices (batch, n) in the unshuffled grid; and
# what scores them: the logits (batch, n, heads, queries). It moves them to its device, and is in evaluation mode.
Chunk = tuple[Any, Tensor]
Logits = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class Masking:
    """Stochastic top-K instance masking: each of the `top` highest scores becomes 0 with this probability, before the
    best are taken; the others stay as they are. For training: it makes a selector use more than its favourites."""

    top: int
    probability: float

    def __post_init__(self) -> None:
        if self.top < 0:
            raise ValueError(f"masking is of 0 or more of the highest scores, not of {self.top}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"the probability of masking lies between 0 and 1, and {self.probability:g} does not")

    def masked(self, scores: Tensor, places: Tensor, generator: torch.Generator | None) -> Tensor:
        """Scores (batch, n) with some of the highest set to 0."""
        highest = _best(scores, places, min(self.top, scores.shape[1]))
        device = generator.device if generator is not None else scores.device
        chances = torch.rand(highest.shape, generator=generator, device=device).to(scores.device)
        return scores.scatter(1, highest, scores.gather(1, highest) * (chances >= self.probability))


@dataclass(frozen=True)
class SelectionSettings:
    """How patches are selected: M is `memory_size`, I is `iteration_size`, `how` is one of HOW. ValueError for what
    cannot be."""

    memory_size: int
    iteration_size: int
    how: str = "rounds"
    masking: Masking | None = None

    def __post_init__(self) -> None:
        for letter, value, what in (("M", self.memory_size, "selected"), ("I", self.iteration_size, "added a round")):
            if value < 1:
                raise ValueError(f"{letter}, the number of patches {what}, is 1 or more, not {value}")
        if self.how not in HOW:
            raise ValueError(f"patches are selected in one of the ways {', '.join(HOW)}, not {self.how!r}")


@dataclass(frozen=True)
class Selected:
    """The best patches, the best first: `indices` int64 (batch, m) in the unshuffled grid, `scores` (batch, m) shares
    of the attention in the last softmax, `logits` (batch, m, heads, queries). m is M, or N where there are fewer."""

    indices: Tensor
    scores: Tensor
    logits: Tensor


@torch.no_grad()
def select(
    chunks: Iterable[Chunk],
    score: Logits,
    settings: SelectionSettings,
    generator: torch.Generator | None = None,
) -> Selected:
    """The best M of the patches that come in `chunks` of any sizes, each chunk held until it is scored, no longer.

    Between equal scores the patch that came first wins: without shuffling the one with the lower index. `generator` is
    for the masking. ValueError where there are no patches, or logits that are not finite.
    """
    kept = (_Rounds if settings.how == "rounds" else _Exact)(settings, generator)
    for patches, indices in chunks:
        logits = score(patches, indices)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        if not torch.isfinite(logits).all():
            raise ValueError("the scorer gave numbers that are not finite")
        kept.add(logits, indices.to(logits.device))
    return kept.selected()


def chunks_of(patches: Tensor, size: int, order: Tensor | None = None) -> Iterator[Chunk]:
    """Patches (batch, N, ...) that are in memory in chunks of so many, in the order of `visiting_order`."""
    batch, count = patches.shape[:2]
    for start in range(0, count, size):
        end = min(start + size, count)
        if order is None:
            indices = torch.arange(start, end, device=patches.device).expand(batch, -1)
            yield patches[:, start:end], indices
        else:
            indices = order[:, start:end].to(patches.device)
            yield take(patches, indices), indices


def take(patches: Tensor, indices: Tensor) -> Tensor:
    """The patches (batch, m, ...) with these indices (batch, m) of all (batch, N, ...), on the patches' device."""
    here = indices.to(patches.device)
    return patches[torch.arange(len(patches), device=patches.device)[:, None], here]


def visiting_order(batch: int, count: int, shuffle: str, generator: torch.Generator | None = None) -> Tensor | None:
    """The order (batch, count) in which patches are seen: None unless they are shuffled, one order for all pictures
    of the `batch`, or one for each `instance`. ValueError for another word.

    Where scores are equal, shuffling makes each patch as likely to be selected as any other.
    """
    if shuffle not in SHUFFLES:
        raise ValueError(f"patches are shuffled in one of the ways {', '.join(SHUFFLES)}, not {shuffle!r}")
    if shuffle == "none":
        return None
    orders = 1 if shuffle == "batch" else batch
    device = generator.device if generator is not None else None
    drawn = torch.stack([torch.randperm(count, generator=generator, device=device) for _ in range(orders)])
    return drawn.expand(batch, -1)


class _Rounds:
    """The memory of M patches; what has come since waits for I of them to be there."""

    def __init__(self, settings: SelectionSettings, generator: torch.Generator | None) -> None:
        self.settings, self.generator = settings, generator
        self.memory: tuple[Tensor, ...] | None = None  # logits, indices, places
        self.scores: Tensor | None = None
        self.waiting: list[tuple[Tensor, ...]] = []
        self.seen = 0

    def add(self, logits: Tensor, indices: Tensor) -> None:
        places = torch.arange(self.seen, self.seen + logits.shape[1], device=logits.device).expand_as(indices)
        self.seen += logits.shape[1]
        start = 0
        while start < logits.shape[1]:
            # Filled up before the next patch comes, not after the last: M patches alone need no round.
            if self._room() == 0:
                self._round()
            end = min(start + self._room(), logits.shape[1])
            self.waiting.append((logits[:, start:end], indices[:, start:end], places[:, start:end]))
            start = end

    def selected(self) -> Selected:
        if self.waiting:
            self._round(last=True)
        if self.memory is None or self.scores is None:
            raise ValueError("there are no patches to select from")
        logits, indices, _ = self.memory
        return Selected(indices, self.scores, logits)

    def _room(self) -> int:
        wanted = self.settings.memory_size if self.memory is None else self.settings.iteration_size
        return wanted - sum(logits.shape[1] for logits, *_ in self.waiting)

    def _round(self, last: bool = False) -> None:
        parts = self.waiting if self.memory is None else [self.memory, *self.waiting]
        held = tuple(torch.cat(column, dim=1) for column in zip(*parts, strict=True))
        self.waiting = []
        if self.memory is None and not last:  # the first M are taken as they are
            self.memory = held
            return
        self.scores, best = _scored(held[0], held[2], self.settings, self.generator)
        self.memory = tuple(take(column, best) for column in held)


class _Exact:
    """The logits of all patches, and nothing else of them."""

    def __init__(self, settings: SelectionSettings, generator: torch.Generator | None) -> None:
        self.settings, self.generator = settings, generator
        self.parts: list[tuple[Tensor, Tensor]] = []

    def add(self, logits: Tensor, indices: Tensor) -> None:
        self.parts.append((logits, indices))

    def selected(self) -> Selected:
        if not self.parts:
            raise ValueError("there are no patches to select from")
        logits, indices = (torch.cat(column, dim=1) for column in zip(*self.parts, strict=True))
        places = torch.arange(logits.shape[1], device=logits.device).expand_as(indices)
        scores, best = _scored(logits, places, self.settings, self.generator)
        return Selected(take(indices, best), scores, take(logits, best))


def _scored(
    logits: Tensor, places: Tensor, settings: SelectionSettings, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """The M highest scores (batch, m) of patches with these logits, and where they stand among them (batch, m)."""
    scores = logits.softmax(dim=1).mean(dim=(2, 3))
    if settings.masking is not None:
        scores = settings.masking.masked(scores, places, generator)
    best = _best(scores, places, settings.memory_size)
    return scores.gather(1, best), best


def _best(scores: Tensor, places: Tensor, count: int) -> Tensor:
    """Where the highest scores (batch, n) stand, the highest first, (batch, count); of equal ones that which came
    first."""
    by_place = places.argsort(dim=1)
    falling = scores.gather(1, by_place).argsort(dim=1, descending=True, stable=True)
    return by_place.gather(1, falling)[:, :count]
