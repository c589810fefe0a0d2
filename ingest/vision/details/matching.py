"""How well a part fits into each of many pictures: for every patch of the part the most similar patch of the picture,
and the mean of these cosines (MaxSim; Khattab and Zaharia 2020, ColBERT)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingest.vision.details.coding import decode
from ingest.vision.geometry import Frame

EXACT = 3_000_000  # patches that are compared one by one; of more an index chooses which
TILE = 1 << 16  # patches compared at a time: their cosines fit the cache
LISTS_A_ROOT = 1  # of the index: lists per square root of its patches
PROBED = 48  # lists of the index that are looked through
NEIGHBOURS = 1024  # nearest patches that each patch of the part asks the index for
CHOSEN, SHARE = 400, 0.1  # how many pictures, or which share of all, the index leaves to be compared exactly


@dataclass(frozen=True, eq=False)
class PatchBank:
    """The coded patches of the pictures of a run.

    `image_ids` (n,), ascending. `codes` int8 (patches, dim), all pictures' after each other: those of picture i are
    `starts[i]` to `starts[i + 1]`, with `scales[i]`; `cells` (patches,) says which cell of its grid, in reading order,
    each one is. `frames` are the pictures' Frames, `sizes` (n, 2) their widths and heights.
    """

    image_ids: np.ndarray
    starts: np.ndarray
    codes: np.ndarray
    scales: np.ndarray
    cells: np.ndarray
    frames: list[Frame]
    sizes: np.ndarray
    _decoded: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def vectors(self) -> np.ndarray:
        """All patches, float32 (patches, dim), of length 1; computed once."""
        if "all" not in self._decoded:
            self._decoded["all"] = decode(self.codes, np.repeat(self.scales, np.diff(self.starts)))
        return self._decoded["all"]

    def of(self, place: int) -> np.ndarray:
        """The patches of the picture at this place, float32 (patches, dim)."""
        start, end = self.starts[place], self.starts[place + 1]
        return self.vectors[start:end] if "all" in self._decoded else decode(self.codes[start:end], self.scales[place])

    def cosines(self, place: int, part: np.ndarray) -> np.ndarray:
        """Cosines float32 (part's patches, rows * cols) to the cells of one picture's grid; -1 where a patch was left
        out."""
        frame = self.frames[place]
        found = np.full((len(part), frame.rows * frame.cols), -1, np.float32)
        found[:, self.cells[self.starts[place] : self.starts[place + 1]]] = part @ self.of(place).T
        return found

    def index(self) -> Any:
        """The index over all patches, made once."""
        if "index" not in self._decoded:
            self._decoded["index"] = make_index(self)
        return self._decoded["index"]


def max_similarity(bank: PatchBank, part: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Scores float32 (n,) of every picture of the bank for a part (patches, dim), -inf where it has no patch, is not
    `among` (n,) bool, or where the index, beyond EXACT patches, has not chosen it."""
    wanted = np.diff(bank.starts) > 0
    if among is not None:
        wanted &= among
    if np.diff(bank.starts)[wanted].sum() > EXACT:
        wanted = _chosen(bank, part, wanted)
    scores = np.full(len(bank), -np.inf, np.float32)
    places = np.flatnonzero(wanted)
    # Runs of neighbouring pictures are slices of one matrix; others are taken out picture by picture.
    for first, last in _runs(places, bank.starts):
        scores[first:last] = _exact(bank, part, first, last)
    return scores


def _runs(places: np.ndarray, starts: np.ndarray) -> list[tuple[int, int]]:
    """Runs [first, last) of neighbouring places, each of TILE patches or so."""
    found: list[tuple[int, int]] = []
    for place in places.tolist():
        if found and found[-1][1] == place and starts[place + 1] - starts[found[-1][0]] <= TILE:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def _exact(bank: PatchBank, part: np.ndarray, first: int, last: int) -> np.ndarray:
    return _best(bank, part, first, last).mean(axis=0)


def best_cosines(bank: PatchBank, part: np.ndarray) -> np.ndarray:
    """For each patch of a part (patches, dim) the cosine float32 (patches, n) to the most similar one of every picture
    of the bank; -inf where a picture has no patch. All are compared, however many there are."""
    found = np.full((len(part), len(bank)), -np.inf, np.float32)
    for first, last in _runs(np.flatnonzero(np.diff(bank.starts) > 0), bank.starts):
        found[:, first:last] = _best(bank, part, first, last)
    return found


def _best(bank: PatchBank, part: np.ndarray, first: int, last: int) -> np.ndarray:
    start, end = int(bank.starts[first]), int(bank.starts[last])
    if "all" in bank._decoded or len(bank.codes) <= EXACT:
        vectors = bank.vectors[start:end]
    else:
        counts = np.diff(bank.starts[first : last + 1])
        vectors = decode(bank.codes[start:end], np.repeat(bank.scales[first:last], counts))
    return np.maximum.reduceat(part @ vectors.T, bank.starts[first:last] - start, axis=1)


def make_index(bank: PatchBank) -> Any:
    """An inverted file over a bank's patches, one byte a number (faiss: IVF with an 8-bit scalar quantiser)."""
    import faiss

    count, dim = bank.codes.shape
    lists = max(1, min(4096, int(LISTS_A_ROOT * count**0.5), count // 40))
    index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    owners = np.repeat(np.arange(len(bank)), np.diff(bank.starts))
    sample = np.sort(np.random.default_rng(0).permutation(count)[: 64 * lists])
    index.train(decode(bank.codes[sample], bank.scales[owners[sample]]))
    for start in range(0, count, TILE):
        some = slice(start, start + TILE)
        index.add(decode(bank.codes[some], bank.scales[owners[some]]))
    index.nprobe = min(PROBED, lists)  # pyrefly: ignore[missing-attribute]  (typed as what all kinds of index share)
    return index


def _chosen(bank: PatchBank, part: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """bool (n,): the pictures that an index finds likeliest, by the patches nearest to each of the part's."""
    cosines, found = bank.index().search(np.ascontiguousarray(part, np.float32), NEIGHBOURS)
    owners = np.searchsorted(bank.starts, found, side="right") - 1
    best = np.full((len(bank), len(part)), np.nan, np.float32)
    queries = np.repeat(np.arange(len(part)), NEIGHBOURS)
    owners, cosines = owners.ravel(), cosines.ravel()
    there = found.ravel() >= 0
    order = np.argsort(cosines[there])  # the greatest is written last
    best[owners[there][order], queries[there][order]] = cosines[there][order]
    # Whoever is not among a patch's nearest is at most as near as the last of these.
    floor = np.where(found[:, -1] >= 0, cosines.reshape(found.shape)[:, -1], -1)
    scores = np.where(np.isnan(best), floor, best).mean(axis=1)
    scores[~wanted] = -np.inf
    chosen = np.zeros(len(bank), bool)
    count = max(CHOSEN, round(SHARE * len(bank)))
    chosen[np.argpartition(-scores, min(count, len(bank) - 1))[:count]] = True
    return chosen & wanted
