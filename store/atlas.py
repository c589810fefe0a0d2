"""The atlas of a collection: its pictures made small, many to a page, in an order in which any beginning is spread over
the map. A map therefore needs only the first pages to show a collection as a whole, and few for a close view."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import read, rows
from store.identifiers import quoted

SIDE = 2048  # of a page, in pixels: every graphics card takes that
CELLS = (16, 64)  # the sides of a picture on a page: pages for far and for near
_PAGE_BITS = 24
LEVELS = 16  # of halving the plane, as far as the order looks

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Layout:
    """The n points of a projection whose pictures are known, in the order of the atlas.

    ids (n,) int64; xy (n, 2) float32; sizes (n, 2) int32, width and height of the originals; places (n,) int32 in the
    pages, None where there is no atlas of all these pictures; atlas, its version, or ''; version names all of this.
    """

    collection_id: int
    ids: np.ndarray
    xy: np.ndarray
    sizes: np.ndarray
    places: np.ndarray | None
    atlas: str
    version: str


def columns(cell: int) -> int:
    """How many pictures stand side by side on a page; a full page has as many rows."""
    return SIDE // cell


def order(xy: np.ndarray, seed: int = 20) -> np.ndarray:
    """Indices of the points (n, 2): first one for the whole plane, then one for each quarter that has none yet, and so
    on, LEVELS times; those of one level along a Z-curve, so that neighbours come together."""
    xy = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    if not len(xy):
        return np.empty(0, dtype=np.int64)
    extent = np.ptp(xy, axis=0).max() or 1.0
    cells = ((xy - xy.min(axis=0)) / extent * (2**LEVELS - 1)).astype(np.uint64)
    curve = _interleaved(cells[:, 0]) | _interleaved(cells[:, 1]) << np.uint64(1)
    lot = np.random.default_rng(seed).permutation(len(xy))
    level = np.full(len(xy), LEVELS + 1)
    for depth in range(LEVELS + 1):
        cell = curve >> np.uint64(2 * (LEVELS - depth))
        waiting = lot[level[lot] > LEVELS]
        found, first = np.unique(cell[waiting], return_index=True)
        level[waiting[first[~np.isin(found, cell[level <= LEVELS])]]] = depth
    return np.lexsort((curve, level))


def pictures(con: Connection, collection_id: int) -> str:
    """What an atlas of the collection would show: changes when images are added, taken away or replaced."""
    query = "SELECT md5(string_agg(image_id || sha256, ' ' ORDER BY image_id)) FROM image WHERE collection_id = ?"
    return rows.one(con, query, [collection_id])[0] or ""


def drawn(con: Connection, collection_id: int) -> str | None:
    """What the stored atlas shows, as `pictures` says it; None if there is none."""
    found = rows.first(con, "SELECT pictures FROM atlas WHERE collection_id = ?", [collection_id])
    return found[0] if found else None


def collection_of(con: Connection, run_id: int) -> int:
    """The id of a run's collection."""
    return rows.one(con, "SELECT collection_id FROM run WHERE run_id = ?", [run_id])[0]


def image_ids(con: Connection, collection_id: int) -> np.ndarray:
    """The images of a collection (n,) int64, ascending."""
    query = "SELECT image_id FROM image WHERE collection_id = $id ORDER BY image_id"
    return con.sql(query, params={"id": collection_id}).to_arrow_table()["image_id"].to_numpy()


def thumbnails(con: Connection, ids: Iterable[int], batch: int = 512) -> Iterator[tuple[np.ndarray, list[bytes]]]:
    """The JPEGs of many images as they come, some at a time: image ids and JPEGs."""
    query = "SELECT image_id, jpeg FROM thumbnail WHERE image_id IN (SELECT unnest($ids::BIGINT[]))"
    for part in con.sql(query, params={"ids": [int(i) for i in ids]}).to_arrow_reader(batch):
        yield part["image_id"].to_numpy(), part["jpeg"].to_pylist()


def replace(
    con: Connection, collection_id: int, shows: str, ids: np.ndarray, pages: Mapping[tuple[int, int], bytes]
) -> str:
    """Store an atlas in place of the one before and return its version: ids (n,) in the order of the places, and the
    JPEG of each (cell, page)."""
    ids = np.asarray(ids, dtype=np.int64)
    number = rows.next_id(con, "atlas")
    for (old,) in rows.fetch(con, "SELECT atlas_id FROM atlas WHERE collection_id = ?", [collection_id]):
        rows.fetch(con, "DELETE FROM atlas_page WHERE page_id BETWEEN ? AND ?", [_key(old), _key(old + 1) - 1])
        rows.fetch(con, "DELETE FROM atlas_place WHERE atlas_id = ?", [old])
        rows.fetch(con, "DELETE FROM atlas WHERE atlas_id = ?", [old])
    version = hashlib.sha256(shows.encode() + ids.tobytes()).hexdigest()[:12]
    head = {"atlas_id": number, "collection_id": collection_id, "pictures": shows, "version": version}
    rows.insert(con, "atlas", {name: [value] for name, value in (head | {"created_at": rows.now()}).items()})
    places = {"atlas_id": np.full(len(ids), number), "place": np.arange(len(ids)), "image_id": ids}
    rows.insert(con, "atlas_place", places)
    keys = [_key(number, *which) for which in pages]
    rows.insert(con, "atlas_page", {"page_id": keys, "jpeg": list(pages.values())})
    return version


def page(con: Connection, collection_id: int, version: str, cell: int, number: int) -> bytes | None:
    """The JPEG of one page; None if there is no such page, or the atlas has another version."""
    query = "SELECT atlas_id FROM atlas WHERE collection_id = ? AND version = ?"
    known = rows.first(con, query, [collection_id, version])
    if known is None or cell not in CELLS or not 0 <= number < 2**_PAGE_BITS:
        return None
    found = rows.first(con, "SELECT jpeg FROM atlas_page WHERE page_id = ?", [_key(known[0], cell, number)])
    return found[0] if found else None


def layout(con: Connection, projection_id: int) -> Layout | None:
    """A projection in the order of its collection's atlas; None if there is no such projection or it has no points.

    Without an atlas of all its pictures the order is that which an atlas would have.
    """
    found = rows.first(
        con,
        """
        SELECT r.collection_id, a.version, a.atlas_id FROM projection p JOIN run r USING (run_id)
        LEFT JOIN atlas a ON a.collection_id = r.collection_id WHERE p.projection_id = ?
        """,
        [projection_id],
    )
    if found is None:
        return None
    collection_id, atlas, number = found
    query = """
        SELECT image_id, p.x, p.y, i.width, i.height, i.sha256, coalesce(a.place, -1)::INTEGER AS place
        FROM points p JOIN image i USING (image_id)
        LEFT JOIN atlas_place a ON a.image_id = p.image_id AND a.atlas_id = $atlas
        WHERE p.projection_id = $id ORDER BY place, image_id
    """
    table = con.sql(query, params={"id": projection_id, "atlas": number}).to_arrow_table()
    if not table.num_rows:
        return None
    ids, places = table["image_id"].to_numpy(), table["place"].to_numpy()
    xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1).astype(np.float32)
    sizes = np.stack([table["width"].to_numpy(), table["height"].to_numpy()], axis=1).astype(np.int32)
    content = hashlib.sha256("".join(table["sha256"].to_pylist()).encode())
    if atlas is None or places[0] < 0:
        atlas, places, first = "", None, order(xy)
        ids, xy, sizes = ids[first], xy[first], sizes[first]
    for part in (ids, xy, sizes):
        content.update(part.tobytes())
    content.update(f"{collection_id} {atlas}".encode())
    return Layout(collection_id, ids, xy, sizes, places, atlas, content.hexdigest()[:12])


def values(con: Connection, ids: np.ndarray, column: str) -> tuple[list[Any], str] | None:
    """What the catalogue says of images (n,) in a column, in their order and None where it says nothing, and whether
    that is 'number', 'date' or 'text'; None if there is no such column of metadata."""
    kind = read.metadata_columns(con).get(column)
    if kind is None:
        return None
    query = f"SELECT image_id, {quoted(column)} FROM catalogue WHERE image_id IN (SELECT unnest($ids::BIGINT[]))"
    table = con.sql(query, params={"ids": np.asarray(ids).tolist()}).to_arrow_table()
    values = table[1].cast("double") if kind == "number" and pa.types.is_decimal(table[1].type) else table[1]
    found = dict(zip(table["image_id"].to_pylist(), values.to_pylist(), strict=True))
    return [found.get(image_id) for image_id in np.asarray(ids).tolist()], kind


def _key(atlas_id: int, cell: int = 0, number: int = 0) -> int:
    return (atlas_id << 16 | cell) << _PAGE_BITS | number


def _interleaved(values: np.ndarray) -> np.ndarray:
    """The 16 bits of each number with a gap before each of them."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | values << np.uint64(shift)) & np.uint64(mask)
    return values
