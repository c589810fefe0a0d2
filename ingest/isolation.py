"""A fault of one picture is that picture's alone: what goes wrong in a batch is tried again picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

PATIENCE = 16  # pictures one after the other that a network fails at, before it is the network's fault


class ForEvery(ValueError):
    """A fault that is known to hold for every picture."""


class Isolation:
    """Passes batches to `observe`, which gives what came of the pictures or raises, and holds back what it raised.

    A picture that fails alone becomes what `failed` makes of it, as soon as others have been through. Where nothing has
    (`worked`: something has before), or PATIENCE pictures in a row have failed, the fault holds for every picture, and
    the first one's error is raised; so are the machine's faults, at once.
    """

    def __init__(
        self,
        observe: Callable[[list[Any]], Iterable[Any]],
        failed: Callable[[Any, str], Any],
        worked: bool = False,
    ) -> None:
        self.observe, self.failed, self.worked = observe, failed, worked
        self.pending: list[Any] = []
        self.first: Exception | None = None

    def batch(self, pictures: list[Any]) -> Iterator[Any]:
        """What came of these pictures, and of those held back before."""
        try:
            yield from self._good(list(self.observe(pictures)))
            return
        except Exception as error:
            if is_machines(error):
                raise
            if len(pictures) == 1:
                self._hold(pictures[0], error)
                return
        for picture in pictures:
            yield from self.batch([picture])
        # Words that a network cannot follow are not worth trying them on more pictures.
        if isinstance(self.first, ValueError) and not self.worked:
            raise self.first

    def end(self) -> Iterator[Any]:
        """The failures that are held back still. Raises the first error where no picture has been through."""
        if self.first is not None and not self.worked:
            raise self.first
        yield from self._released()

    def _good(self, found: list[Any]) -> Iterator[Any]:
        self.worked = True
        yield from self._released()
        yield from found

    def _released(self) -> Iterator[Any]:
        pending, self.pending, self.first = self.pending, [], None
        yield from pending

    def _hold(self, picture: Any, error: Exception) -> None:
        self.first = self.first or error
        self.pending.append(self.failed(picture, sentence_of(error)))
        if len(self.pending) >= PATIENCE:
            raise self.first


def is_machines(error: Exception) -> bool:
    """Whether an error is about memory, files or a device, or known to hold for all, not about what was computed."""
    import torch

    machines = (ForEvery, MemoryError, OSError, torch.OutOfMemoryError, getattr(torch, "AcceleratorError", MemoryError))
    return isinstance(error, machines) or is_short_of_memory(error)


def is_short_of_memory(error: BaseException) -> bool:
    """Whether torch could not get the memory for a batch, on whatever device."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def sentence_of(error: Exception) -> str:
    """The error as a reason beside a picture."""
    return str(error) if isinstance(error, ValueError) and str(error) else f"{type(error).__name__}: {error}"
