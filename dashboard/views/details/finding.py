"""What the page searches with, and what it finds: the run's patches, the key points of pictures, the hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dashboard.components import crop
from dashboard.components.crop import Box
from dashboard.data import cache
from dashboard.state.filter_bar import Filtered
from ingest.vision.details import search
from ingest.vision.details.coding import PatchCoding
from ingest.vision.details.matching import PatchBank
from ingest.vision.details.search import Hit, Part
from ingest.vision.geometry import Frame
from ingest.vision.paths import whole_picture
from store.records import RunRecord

if TYPE_CHECKING:
    from ingest.vision.details.tokens import BlockTokens


@dataclass(frozen=True)
class Query:
    """What is searched for: the `box`, as shares of its sides, in the picture of an image, or in one that somebody
    brought (`own`, known by its `sha256`)."""

    image_id: int | None
    box: Box | None
    own: Image.Image | None = None
    sha256: str = ""

    @property
    def picture(self) -> Image.Image:
        """The whole picture, upright, reduced where it is large. StoreError where it cannot be read."""
        return self.own if self.own is not None else cache.original(self.image_id or 0)

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of the whole picture in pixels of the original."""
        if self.own is not None or self.image_id is None:
            return self.picture.size
        row = cache.image_row(self.image_id)
        return row["width"], row["height"]

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """The box (left, top, right, bottom) in whole pixels of the original."""
        return crop.edges(self.size, self.box)

    @property
    def part(self) -> Image.Image:
        """What lies in the box, of the original where that is at hand, at most `search.READ` pixels wide or high."""
        if self.own is None and self.image_id is not None:
            left, top, right, bottom = self.edges
            found = cache.part(self.image_id, self.edges, search.read_size(right - left, bottom - top))
            if found is not None:
                return found
        return crop.cut(self.picture, self.box)

    @property
    def key(self) -> tuple:
        """What tells its part from others."""
        return self.image_id, self.box, self.sha256


@dataclass(frozen=True, eq=False)
class DetailHits:
    """The hits, best first, and how many pictures were searched."""

    hits: list[Hit]
    searched: int


def find(run: RunRecord, query: Query, k: int, mirrored: bool, filtered: Filtered) -> DetailHits:
    """The k best places of a query in the pictures that the filter leaves, but not in its own picture, nor in other
    parts of the picture that it is a part of. BadPart."""
    key = (run.run_id, *query.key, k, mirrored, filtered.where)
    return cache.remembered(lambda: _find(run, query, k, mirrored, filtered), "details", *key)


def _find(run: RunRecord, query: Query, k: int, mirrored: bool, filtered: Filtered) -> DetailHits:
    coding, bank, blocks = tools(run)
    among = filtered.among(bank.image_ids)
    if query.image_id is not None:
        paths = cache.images(run.collection)["path"]
        wholes = paths.reindex(bank.image_ids).astype(str).map(whole_picture)
        among &= (wholes != whole_picture(cache.image_row(query.image_id)["path"])).to_numpy()
    hits = search.find(blocks, coding, bank, query.part, cache.key_points, k, among, mirrored, cache.window_points)
    return DetailHits(hits, int(among.sum()))


def tools(run: RunRecord) -> tuple[PatchCoding, PatchBank, BlockTokens]:
    """What a search needs of a run, made once."""
    return cache.remembered(lambda: _tools(run), "detail tools", run.run_id)


def _tools(run: RunRecord) -> tuple[PatchCoding, PatchBank, BlockTokens]:
    from ingest.vision.details.tokens import BlockTokens

    coding, stored = cache.detail_patches(run.run_id)
    frames = [Frame(each.x0, each.y0, each.x1, each.y1, each.rows, each.cols) for each in stored.frames]
    columns = (stored.image_ids, stored.starts, stored.codes, stored.scales, stored.cells)
    return PatchCoding(**vars(coding)), PatchBank(*columns, frames, stored.sizes), BlockTokens(cache.backbone(run))


def heat(run: RunRecord, query: Query, hit: Hit, patch: int | None = None) -> np.ndarray:
    """How similar the cells of a hit's picture are to the part, float (rows, cols) in -1..1, NaN where a patch was left
    out: to the most similar of its patches, or to the one of this number."""
    bank, part = tools(run)[1], part_of(run, query, hit.mirrored)
    place = int(np.searchsorted(bank.image_ids, hit.image_id))
    cosines = bank.cosines(place, part.vectors)
    left_out = (cosines == -1).all(axis=0)
    found = cosines[part.kept].max(axis=0) if patch is None else cosines[patch]
    frame = bank.frames[place]
    return np.where(left_out, np.nan, found).reshape(frame.rows, frame.cols)


def frame_of(run: RunRecord, image_id: int) -> Frame:
    """Over what of an image its patches lie."""
    bank = tools(run)[1]
    return bank.frames[int(np.searchsorted(bank.image_ids, image_id))]


def part_of(run: RunRecord, query: Query, mirrored: bool) -> Part:
    """The part's patches; of a part that was found in mirror image as it was searched for. BadPart."""

    def make() -> Part:
        coding, _, blocks = tools(run)
        picture = query.part
        return search.part_of(blocks, coding, search.ImageOps.mirror(picture) if mirrored else picture)

    return cache.remembered(make, "detail part", run.run_id, *query.key, mirrored)


def leads(query: Query, hit: Hit) -> np.ndarray:
    """What leads from the picture searched with to that of the hit, (2, 3), both in pixels of the originals: as the key
    points agree, else from the middle and size of the part to those of the place."""
    x0, y0, x1, y1 = query.edges
    if hit.agreement is not None:
        part = query.part
        matrix = hit.agreement.matrix @ np.diag([part.width / (x1 - x0), part.height / (y1 - y0), 1.0])
    else:
        left, top, right, bottom = hit.box
        matrix = np.array([[(right - left) / (x1 - x0), 0, left], [0, (bottom - top) / (y1 - y0), top]])
    cut = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]])
    if hit.mirrored:  # what was searched for is the mirror image of the part
        cut = np.array([[-1.0, 0, x1], [0, 1, -y0], [0, 0, 1]])
    return matrix @ cut


def joined(query: Query, hit: Hit) -> np.ndarray:
    """The matching points (n, 4): x, y in the picture searched with, then in that of the hit, in pixels of the
    originals. None (0, 4) where no key points agree."""
    if hit.agreement is None:
        return np.empty((0, 4))
    x0, y0, x1, y1 = query.edges
    part = query.part
    here = hit.agreement.here * ((x1 - x0) / part.width, (y1 - y0) / part.height)
    if hit.mirrored:
        here[:, 0] = (x1 - x0) - here[:, 0]
    return np.concatenate([here + np.array([x0, y0]), hit.agreement.there], axis=1)
