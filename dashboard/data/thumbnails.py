"""Thumbnails for the route that serves them, kept in memory. No Streamlit: any thread may ask."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from store import connection, read
from store.errors import StoreError

Cached = tuple[str, dict[int, bytes]]  # the database's change token, {image_id: JPEG}


class Thumbnails:
    """Thumbnails by blocks of ids: a page that shows one image shows its neighbours, and opening a database costs more
    than reading a hundred small pictures. Holds at most `blocks` blocks of `size`; the least used go first. They are
    read again when `token` says another thing of the database's path."""

    def __init__(self, token: Callable[[Path], str] = connection.state, blocks: int = 64, size: int = 128):
        self.token, self.blocks, self.size = token, blocks, size
        self.cached: OrderedDict[tuple[str, int], Cached] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, path: Path, image_id: int) -> bytes | None:
        """The JPEG of one image, or None if the database has none. Raises the StoreErrors of opening a database, but
        not while a writer has the file and an older answer is at hand."""
        if not 0 <= image_id < 2**63:
            return None  # no BIGINT
        key, token = (str(path), image_id // self.size), self.token(path)
        with self.lock:
            held = self.cached.get(key)
            if held is None or held[0] != token:
                held = self._load(path, key, token, held)
            self.cached.move_to_end(key)
            return held[1].get(image_id)

    def _load(self, path: Path, key: tuple[str, int], token: str, old: Cached | None) -> Cached:
        first = key[1] * self.size
        try:
            held = (token, read_thumbnails(path, range(first, first + self.size)))
        except StoreError:
            if old is None:
                raise
            return old
        self.cached[key] = held
        while len(self.cached) > self.blocks:
            self.cached.popitem(last=False)
        return held


def read_thumbnails(path: Path, ids: Sequence[int]) -> dict[int, bytes]:
    """The JPEGs of these images, of those that there are, by id."""
    with connection.reading(path, wait=2.0) as con:
        return read.thumbnails(con, ids)
