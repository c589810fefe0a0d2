"""A run's vectors as one matrix, and the images most like a vector in one matrix product.

DuckDB keeps vectors in compressed blocks, which is right for a file and slow for search. So the matrix of a run is
written once into the user's cache folder and mapped from there: every process of the machine shares the same memory.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from store import search
from store.connection import reading, state
from store.errors import StoreError

SMALL = 4 * 2**20  # bytes up to which a file is not worth its while: reading them takes milliseconds
FORGOTTEN = 30 * 86_400  # seconds after which a file that nobody has opened goes
SLACK = 2e-5  # more than the rounding of a float32 product, less than what matters between two images
SCORES = 4_000_000  # of a block of rows, against all images, at a time
CROWDED = 8  # times k candidates, above which a product in float64 is cheaper than single pairs

Matrix = tuple[np.ndarray, np.ndarray]


def vectors(path: Path | str, run_id: int) -> Matrix:
    """Image ids (n,) int64, ascending, and their L2-normalised vectors (n, dim) float32, C-contiguous, read-only.

    Above SMALL bytes the vectors are mapped from a file in the user's cache folder, made anew whenever the database
    has changed; they stay in memory where no such file can be written. Raises the StoreErrors of `reading`.
    """
    found = _mapped(_file(path, run_id))
    if found is not None:
        return found
    with reading(path) as con:
        file = _file(path, run_id)  # of the state that is read: nobody can write meanwhile
        ids, matrix = search.features(con, run_id)
    if matrix.nbytes > SMALL:
        with suppress(OSError):
            _write(file, ids, matrix)
            found = _mapped(file)
    for array in (ids, matrix):
        array.flags.writeable = False  # shared by all who ask
    return found or (ids, matrix)


def nearest(ids: np.ndarray, matrix: np.ndarray, vector: np.ndarray, k: int, among: np.ndarray | None = None) -> Matrix:
    """Ids (m,) and cosine similarities (m,) float32 of the k images most like a vector (dim,) of any length, best
    first, equals in the order of their ids: what the macro `nearest` says, but for the last bit of a float32.

    `ids` (n,) and `matrix` (n, dim) as `vectors` gives them; `among` (n,) bool leaves only some in question.
    """
    vector = np.asarray(vector, dtype=np.float32).ravel()
    places = None if among is None else np.flatnonzero(among)
    count = len(ids) if places is None else len(places)
    k = min(k, count)
    if k < 1:
        return ids[:0], np.empty(0, np.float32)
    if len(vector) != matrix.shape[1]:
        raise StoreError(f"The vectors have {matrix.shape[1]} numbers each; the one to search with has {len(vector)}.")
    vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
    scores = matrix @ vector
    if places is not None:
        scores = scores[places]
    least = np.partition(scores, count - k)[count - k]
    close = np.flatnonzero(scores >= least - SLACK)
    if places is not None:
        close = places[close]
    similarity = _exact(matrix[close], vector)
    order = np.lexsort((ids[close], -similarity))[:k]
    return ids[close][order], similarity[order]


def neighbours(matrix: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """What `nearest` says of many at once: of each of the `rows` (m,) of a matrix (n, dim) as `vectors` gives it the
    numbers (m, k) int64 of its k nearest other rows, nearest first, equals in their order, and (m,) bool whether equals
    had to be left out. k is at most n - 1."""
    count = len(matrix)
    found, tied = np.empty((len(rows), k), np.int64), np.zeros(len(rows), bool)
    step = max(1, SCORES // max(count, 1))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        own = rows[block]
        scores = matrix[own] @ matrix.T
        scores[np.arange(len(own)), own] = -np.inf  # an image is no neighbour of its own
        least = np.partition(scores, count - k, axis=1)[:, count - k]
        close = scores >= (least - SLACK)[:, None]
        few = close.sum(1) <= CROWDED * k
        for part, exact in ((np.flatnonzero(few), _pairs), (np.flatnonzero(~few), _crowd)):
            if len(part):
                row, column, similarity = exact(matrix, own[part], close[part])
                at = part + start
                found[at], tied[at] = first_of_each(row, column, -similarity, len(part), k)
    return found, tied


def first_of_each(
    row: np.ndarray, column: np.ndarray, distance: np.ndarray, count: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each of `count` rows the columns (count, k) int64 of its k least distances, equals by their numbers, and
    (count,) bool whether equals of the last were left out. Pairs `row`, `column` (p,), by ascending row, at least k of
    each, with the `distance` (p,) of each."""
    order = np.lexsort((column, distance, row))
    starts = np.searchsorted(row, np.arange(count + 1))
    last = starts[:-1] + k - 1
    after = np.minimum(last + 1, len(order) - 1)
    tied = (starts[1:] > last + 1) & (distance[order[after]] == distance[order[last]])
    return column[order[starts[:-1, None] + np.arange(k)]], tied


def _pairs(matrix: np.ndarray, own: np.ndarray, close: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and exact cosines of the pairs that are `close` (m, n) to the rows `own` (m,) of a matrix."""
    row, column = np.nonzero(close)
    similarity = np.empty(len(row), np.float32)
    step = max(1, SCORES // matrix.shape[1])
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        similarity[part] = _exact(matrix[column[part]], matrix[own[row[part]]])
    return row, column, similarity


def _crowd(matrix: np.ndarray, own: np.ndarray, close: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same, by a product in float64. Its rounding is far below what float32 tells apart."""
    near = np.flatnonzero(close.any(0))
    one, other = (matrix[part].astype(np.float64) for part in (own, near))
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12)
    other /= np.maximum(np.linalg.norm(other, axis=1, keepdims=True), 1e-12)
    row, column = np.nonzero(close[:, near])
    return row, near[column], np.clip(one @ other.T, -1, 1)[row, column].astype(np.float32)


def _exact(rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Cosines (m,) float32 of rows (m, dim) to a vector (dim,), or of each to its own (m, dim). A product of matrices
    may round two equal rows differently; here equals stay equal."""
    rows, vector = rows.astype(np.float64), np.atleast_2d(vector).astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows) * np.einsum("ij,ij->i", vector, vector))
    cosines = np.einsum("ij,ij->i", rows, np.broadcast_to(vector, rows.shape)) / np.maximum(lengths, 1e-12)
    return np.clip(cosines, -1, 1).astype(np.float32)


# ---- the file: the matrix, then the ids, each as NumPy writes an array ------------------------------------------


def folder() -> Path:
    """Where the files lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bilderatlas" / "vectors"


def _file(path: Path | str, run_id: int) -> Path:
    database = _mark(str(Path(path).resolve()))
    return folder() / f"{database}-{_mark(state(path))}-run{run_id}.npy"


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _mapped(file: Path) -> Matrix | None:
    try:
        with open(file, "rb") as stream:
            npy.read_magic(stream)
            shape, _, kind = npy.read_array_header_1_0(stream)
            matrix = np.memmap(stream, kind, "r", stream.tell(), shape)
            stream.seek(matrix.offset + matrix.nbytes)
            ids = npy.read_array(stream, allow_pickle=False)
        if matrix.dtype != np.float32 or ids.shape != shape[:1]:
            return None
        os.utime(file)
    except (OSError, ValueError):  # not there, cut short, or not ours: it is made anew
        return None
    ids.flags.writeable = False
    return ids, np.asarray(matrix)  # a plain array: the subclass only costs


def _write(file: Path, ids: np.ndarray, matrix: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _tidy(file)
    with _beside(file) as stream:
        npy.write_array(stream, matrix, (1, 0), allow_pickle=False)
        npy.write_array(stream, ids, (1, 0), allow_pickle=False)


@contextmanager
def _beside(file: Path) -> Iterator:
    """A new file that takes the place of `file` when it is complete, and is gone if it is not."""
    handle, name = tempfile.mkstemp(prefix=f"{file.stem}-", suffix=".part", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def _tidy(file: Path) -> None:
    """Remove what earlier states of the same database left, and what nobody has used for long. Whoever still has
    such a file mapped keeps its contents."""
    database, current = file.name.split("-")[:2]
    for other in file.parent.glob("*-*-run*"):
        with suppress(OSError):
            unused = time.time() - other.stat().st_mtime
            part = other.suffix == ".part"  # perhaps another process is at it
            older = other.name.startswith(f"{database}-") and not other.name.startswith(f"{database}-{current}-")
            if unused > FORGOTTEN or (older and (not part or unused > 3600)):
                other.unlink()
