"""How far a long computation is: who computes reports it, whether or not anybody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[float], object]] = ContextVar("listener", default=lambda share: None)


def report(share: float) -> None:
    """Report that this share, 0..1, of what takes longest is done."""
    _listener.get()(share)


@contextmanager
def listening(listener: Callable[[float], object]) -> Iterator[None]:
    """Within, `listener` is called with each share that is reported."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
