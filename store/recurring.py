"""Details that recur: which pictures have been searched against the others, the links that were found, and the groups
that these make. What changes them is for a connection that writes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import rows

Connection = duckdb.DuckDBPyConnection
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class StoredLink:
    """A row of the view `recurring_links`: boxes (x0, y0, x1, y1) in pixels of the upright originals, `matrix` (2, 3)
    or None."""

    image_id: int
    other_id: int
    here: Box
    there: Box
    stage: str
    score: float
    matches: int = 0
    matrix: np.ndarray | None = None
    mirrored: bool = False
    same: bool = False


@dataclass(frozen=True, eq=False)
class SearchedImage:
    """What the search of one image found. `links`: as StoredLink, or what has its fields."""

    image_id: int
    boxes: int
    plain: int
    seconds: float
    links: Sequence[Any]


def search(con: Connection, run_id: int, seed: int, mirrored: bool, condition: str, settings: Mapping[str, Any]) -> int:
    """The number of the search of a run with this seed, condition and settings, which is made if it is new."""
    text = rows.to_json(settings, sort_keys=True)
    query = """
        SELECT search_id FROM recurring_search
        WHERE run_id = ? AND seed = ? AND mirrored = ? AND condition = ? AND settings::VARCHAR = ?
    """
    found = rows.first(con, query, [run_id, seed, mirrored, condition, text])
    if found is not None:
        return found[0]
    number = rows.one(con, "SELECT coalesce(max(search_id), 0) + 1 FROM recurring_search")[0]
    row = {"search_id": number, "run_id": run_id, "seed": seed, "mirrored": mirrored, "condition": condition}
    row |= {"settings": text, "created_at": rows.now()}
    rows.insert(con, "recurring_search", {name: [value] for name, value in row.items()})
    return number


def searched(con: Connection, search_id: int) -> dict[int, tuple[int, int, float]]:
    """{image_id: (boxes, plain ones, seconds)} of the images that a search has been through."""
    query = "SELECT image_id, boxes, plain, seconds FROM recurring_searched WHERE search_id = ?"
    return {image_id: tuple(found) for image_id, *found in rows.fetch(con, query, [search_id])}


def add(con: Connection, search_id: int, found: Iterable[SearchedImage]) -> None:
    """Store what the search of images found, in place of what this search found of them before."""
    images = list(found)
    ids = [each.image_id for each in images]
    old = """
        SELECT l.link_id FROM recurring_link l JOIN recurring_end e USING (link_id)
        WHERE l.search_id = ? AND e.side = 0 AND e.image_id IN (SELECT unnest(?::BIGINT[]))
    """
    gone = [link_id for (link_id,) in rows.fetch(con, old, [search_id, ids])]
    for table in ("recurring_end", "recurring_link"):
        rows.fetch(con, f"DELETE FROM {table} WHERE link_id IN (SELECT unnest(?::BIGINT[]))", [gone])
    rows.delete(con, "recurring_searched", ids, search_id=search_id)
    columns = {name: [getattr(each, name) for each in images] for name in ("image_id", "boxes", "plain", "seconds")}
    rows.insert(con, "recurring_searched", {"search_id": [search_id] * len(images), **columns})
    first = rows.one(con, "SELECT coalesce(max(link_id), 0) + 1 FROM recurring_link")[0]
    links = [link for each in images for link in each.links]
    numbers = list(range(first, first + len(links)))
    columns = {name: [getattr(link, name) for link in links] for name in ("stage", "matches", "score", "mirrored")}
    columns |= {
        "link_id": pa.array(numbers, pa.int64()),
        "search_id": [search_id] * len(links),
        "same_picture": [link.same for link in links],
        "matrix": pa.array(
            [None if link.matrix is None else link.matrix.ravel().tolist() for link in links], pa.list_(pa.float64())
        ),
    }
    rows.insert(con, "recurring_link", columns)
    for side, ends in enumerate(
        ([(link.image_id, *link.here) for link in links], [(link.other_id, *link.there) for link in links])
    ):
        names = ("image_id", "x0", "y0", "x1", "y1")
        columns = {name: [end[place] for end in ends] for place, name in enumerate(names)}
        rows.insert(con, "recurring_end", {"link_id": numbers, "side": [side] * len(links), **columns})


def links(con: Connection, run_id: int) -> list[StoredLink]:
    """All links of a run, of all its searches."""
    query = """
        SELECT image_id, other_id, x0, y0, x1, y1, other_x0, other_y0, other_x1, other_y1, stage, score, matches,
            matrix, mirrored, same_picture
        FROM recurring_links WHERE run_id = ? ORDER BY link_id
    """
    found = []
    for image_id, other_id, *rest in rows.fetch(con, query, [run_id]):
        stage, score, matches, matrix, mirrored, same = rest[8:]
        matrix = None if matrix is None else np.array(matrix).reshape(2, 3)
        boxes = tuple(rest[:4]), tuple(rest[4:8])
        found.append(StoredLink(image_id, other_id, *boxes, stage, score, matches, matrix, mirrored, same))
    return found


def set_groups(con: Connection, run_id: int, groups: Sequence[Any]) -> None:
    """Store the groups of a run in place of those it has: each with a kind, stage, mirrored, and places, which have an
    image_id, box and matches. Their numbers are their order, from 1. Links that lost a place with its image go."""
    whole = "SELECT link_id FROM recurring_end GROUP BY link_id HAVING count(*) = 2"
    for table in ("recurring_link", "recurring_end"):
        rows.fetch(con, f"DELETE FROM {table} WHERE link_id NOT IN ({whole})")
    rows.fetch(con, "DELETE FROM recurring_place WHERE run_id = ?", [run_id])
    every = [(number, each, place) for number, each in enumerate(groups, start=1) for place in each.places]
    columns: dict[str, list] = {"run_id": [run_id] * len(every), "group_id": [number for number, _, _ in every]}
    columns |= {name: [getattr(each, name) for _, each, _ in every] for name in ("kind", "stage", "mirrored")}
    columns |= {name: [getattr(place, name) for *_, place in every] for name in ("image_id", "matches")}
    columns |= {name: [place.box[edge] for *_, place in every] for edge, name in enumerate(("x0", "y0", "x1", "y1"))}
    rows.insert(con, "recurring_place", columns)


def groups(con: Connection, run_id: int) -> pa.Table:
    """The view `recurring_details` of a run: group_id, kind, image_id, x0, y0, x1, y1, stage, matches, mirrored,
    pictures; the largest group first, in each the surest place."""
    query = (
        "SELECT * EXCLUDE (run_id) FROM recurring_details WHERE run_id = ? ORDER BY group_id, matches DESC, image_id"
    )
    return con.sql(query, params=rows.plain([run_id])).to_arrow_table()


def searches(con: Connection, run_id: int) -> list[dict[str, Any]]:
    """The searches of a run, the oldest first: search_id, seed, mirrored, condition, settings (dict), pictures, boxes,
    plain, seconds, created_at."""
    query = "SELECT * EXCLUDE (run_id) FROM recurring_searches WHERE run_id = ? ORDER BY search_id"
    table = con.sql(query, params=rows.plain([run_id])).to_arrow_table().to_pylist()
    return [{**row, "settings": json.loads(row["settings"])} for row in table]
