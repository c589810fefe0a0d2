"""UMAP without waiting for its compiler each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def umap_class() -> type:
    """The class `umap.UMAP`. Its library has numba compile some fifty functions anew in each process, which takes half
    a minute of a processor at its first fit; here what was compiled once is kept on disk, where numba keeps such code
    (beside the library, or in the user's cache folder, or in NUMBA_CACHE_DIR), and loaded in less than a second."""
    with _cached_on_disk():
        from umap import UMAP
    return UMAP


@contextmanager
def _cached_on_disk() -> Iterator[None]:
    """What is declared with `numba.njit` meanwhile is cached, as if its author had asked for that."""
    import numba

    plain = numba.njit

    def njit(*arguments: Any, **options: Any) -> Any:
        if arguments and callable(arguments[0]):  # @njit without brackets
            return _cached(plain, arguments[1:], options)(arguments[0])
        return _cached(plain, arguments, options)

    numba.njit = njit
    try:
        yield
    finally:
        numba.njit = plain


def _cached(njit: Callable, arguments: tuple, options: dict[str, Any]) -> Callable:
    def declare(function: Callable) -> Any:
        try:
            return njit(*arguments, **{"cache": True, **options})(function)
        except RuntimeError:  # there is no folder that may be written
            return njit(*arguments, **options)(function)

    return declare
