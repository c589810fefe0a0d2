"""The clusters of a layout: groups of points that lie close together, numbered from 1, the largest. 0, NULL in the
database, is for those in none. There are several levels, finer and coarser ones, each called by how many clusters it
has; people name, colour and merge the clusters of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from store import rows
from store.errors import StoreError
from store.present import PRESENT

Connection = duckdb.DuckDBPyConnection
TABLES = ("clustering", "cluster_level", "cluster_point", "cluster_centre", "cluster_label")


@dataclass(frozen=True)
class Clusters:
    """ids (n,) int64 ascending, none of them removed; of (n,) int32, the cluster of each, where merged ones are one;
    centres {cluster: image id of its most central picture}; how they were found; their `level` among `levels`; what
    people call them, names {cluster: name}, and colours {cluster: #rrggbb}; which are merged, {cluster: into which}."""

    ids: np.ndarray
    of: np.ndarray
    centres: dict[int, int]
    method: str
    settings: str
    level: int = 0
    levels: tuple[int, ...] = ()
    names: dict[int, str] = field(default_factory=dict)
    colours: dict[int, str] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)

    def among(self, ids: np.ndarray) -> np.ndarray:
        """The clusters (m,) of these images; 0 for an image that is not known."""
        if not len(self.ids):
            return np.zeros(len(ids), dtype=np.int32)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, self.of[place], 0).astype(np.int32)


def known(con: Connection) -> set[int]:
    """The projections whose clusters have been looked for."""
    return {number for (number,) in rows.fetch(con, "SELECT projection_id FROM clustering")}


def without_levels(con: Connection) -> set[int]:
    """Those of them whose clusters were computed before there were levels, and which nobody has named."""
    query = """
        SELECT projection_id FROM clustering WHERE NOT json_exists(settings, '$.levels')
        AND projection_id NOT IN (SELECT projection_id FROM cluster_label)
    """
    return {number for (number,) in rows.fetch(con, query)}


def levels(con: Connection, projection_id: int) -> list[int]:
    """The levels of a layout, the coarsest first."""
    query = "SELECT level FROM cluster_level WHERE projection_id = ? ORDER BY level"
    return [level for (level,) in rows.fetch(con, query, [projection_id])]


def clusters(con: Connection, projection_id: int, level: int | None = None) -> Clusters | None:
    """The clusters of a layout at a level, or else at the chosen one; None if none have been computed."""
    found = rows.first(con, "SELECT method, settings::VARCHAR FROM clustering WHERE projection_id = ?", [projection_id])
    if found is None:
        return None
    every = levels(con, projection_id)
    if level not in every:
        query = "SELECT level FROM cluster_level WHERE projection_id = ? AND chosen"
        (level,) = rows.one(con, query, [projection_id])
    which = [projection_id, level]
    query = f"""
        SELECT image_id, coalesce(cluster, 0)::INTEGER AS cluster FROM cluster_point
        WHERE projection_id = $id AND level = $level AND {PRESENT} ORDER BY image_id
    """
    table = con.sql(query, params={"id": projection_id, "level": level}).to_arrow_table()
    query = "SELECT cluster, image_id FROM cluster_centre WHERE projection_id = ? AND level = ?"
    centres = dict(rows.fetch(con, query, which))
    query = "SELECT cluster, name, colour, merged_into FROM cluster_label WHERE projection_id = ? AND level = ?"
    labels = rows.fetch(con, query, which)
    merged = {cluster: into for cluster, _, _, into in labels if into is not None}
    of = table["cluster"].to_numpy()
    if merged:
        number = np.arange(max(int(of.max(initial=0)), *merged, *merged.values()) + 1, dtype=np.int32)
        number[list(merged)] = list(merged.values())
        of = number[of]
    return Clusters(
        table["image_id"].to_numpy(),
        of,
        {cluster: image for cluster, image in centres.items() if cluster not in merged},
        found[0],
        found[1],
        level,
        tuple(every),
        {cluster: name for cluster, name, _, _ in labels if name and cluster not in merged},
        {cluster: colour for cluster, _, colour, _ in labels if colour and cluster not in merged},
        merged,
    )


def numbers(con: Connection, projection_id: int, level: int, ids: np.ndarray) -> np.ndarray:
    """The clusters (n,) of images at a level as they were found, before any was merged."""
    query = "SELECT image_id, cluster FROM cluster_point WHERE projection_id = ? AND level = ? AND cluster IS NOT NULL"
    known = dict(rows.fetch(con, query, [projection_id, level]))
    return np.array([known.get(image, 0) for image in ids.tolist()], dtype=np.int32)


def add(
    con: Connection,
    projection_id: int,
    method: str,
    settings: Mapping[str, Any],
    ids: np.ndarray,
    of: np.ndarray,
    centres: Mapping[int, int],
) -> None:
    """Store the clusters of a layout in place of those before: ids (n,), of (n,) with 0 for none, centres {cluster:
    image id}. Their level is the chosen one."""
    delete(con, projection_id)
    text = rows.to_json(settings, sort_keys=True)
    rows.fetch(con, "INSERT INTO clustering VALUES (?, ?, ?, ?)", [projection_id, method, text, rows.now()])
    _add_level(con, projection_id, ids, of, centres, True)


def add_level(con: Connection, projection_id: int, ids: np.ndarray, of: np.ndarray, centres: Mapping[int, int]) -> None:
    """Store one more level of clusters of a layout, which has clusters already."""
    _add_level(con, projection_id, ids, of, centres, False)


def _add_level(
    con: Connection, projection_id: int, ids: np.ndarray, of: np.ndarray, centres: Mapping[int, int], chosen: bool
) -> None:
    level = int(np.max(of, initial=0))
    rows.fetch(con, "INSERT INTO cluster_level VALUES (?, ?, ?)", [projection_id, level, chosen])
    extend(con, projection_id, ids, of, level)
    count = len(centres)
    columns = {"projection_id": [projection_id] * count, "cluster": list(centres), "image_id": list(centres.values())}
    rows.insert(con, "cluster_centre", columns | {"level": [level] * count})


def extend(con: Connection, projection_id: int, ids: np.ndarray, of: np.ndarray, level: int | None = None) -> None:
    """More images of a layout with their clusters at a level, or else at the chosen one; 0 for none."""
    ids, of = np.asarray(ids, dtype=np.int64), np.asarray(of, dtype=np.int32)
    if ids.shape != of.shape:
        raise StoreError(f"{len(ids)} images need as many clusters; these are {len(of)}.")
    if level is None:
        query = "SELECT level FROM cluster_level WHERE projection_id = ? AND chosen"
        found = rows.first(con, query, [projection_id])
        if found is None:
            return
        (level,) = found
    columns = {"projection_id": np.full(len(ids), projection_id), "image_id": ids}
    columns |= {"cluster": [int(c) or None for c in of], "level": np.full(len(ids), level)}
    rows.insert(con, "cluster_point", columns)


def choose(con: Connection, projection_id: int, level: int) -> None:
    """Show this level at first, and in the view `clusters`. StoreError if there is none such."""
    if level not in levels(con, projection_id):
        raise StoreError(f"This map has no level of {level} clusters.")
    query = "UPDATE cluster_level SET chosen = (level = ?) WHERE projection_id = ?"
    rows.fetch(con, query, [level, projection_id])


def label(
    con: Connection, projection_id: int, level: int, cluster: int, name: str | None = None, colour: str | None = None
) -> None:
    """Call a cluster, or the one into which it has been merged, by a name, and give it a colour, in place of those
    before; None takes them away."""
    cluster = _into(con, projection_id, level).get(cluster, cluster)
    _relabel(con, projection_id, level, cluster, (name or "").strip() or None, colour or None, None)


def merge(con: Connection, projection_id: int, level: int, clusters: Sequence[int]) -> None:
    """Make some clusters one, which keeps the number, the name and the colour of the largest, the first. One that has
    been merged already, as in another window, stands for that into which it has been."""
    known, which = _into(con, projection_id, level), [projection_id, level]
    into, *others = sorted({known.get(cluster, cluster) for cluster in clusters})
    for cluster in others:
        query = "UPDATE cluster_label SET merged_into = ? WHERE projection_id = ? AND level = ? AND merged_into = ?"
        rows.fetch(con, query, [into, *which, cluster])
        _relabel(con, projection_id, level, cluster, None, None, into)


def reset(con: Connection, projection_id: int, level: int) -> None:
    """Take away all names, colours and merges of a level."""
    rows.fetch(con, "DELETE FROM cluster_label WHERE projection_id = ? AND level = ?", [projection_id, level])


def delete(con: Connection, projection_id: int) -> None:
    """The clusters of a layout that is no more, or has other points."""
    for table in TABLES:
        rows.fetch(con, f"DELETE FROM {table} WHERE projection_id = ?", [projection_id])


def _into(con: Connection, projection_id: int, level: int) -> dict[int, int]:
    """{cluster: into which it has been merged}."""
    query = """
        SELECT cluster, merged_into FROM cluster_label
        WHERE projection_id = ? AND level = ? AND merged_into IS NOT NULL
    """
    return dict(rows.fetch(con, query, [projection_id, level]))


def _relabel(
    con: Connection,
    projection_id: int,
    level: int,
    cluster: int,
    name: str | None,
    colour: str | None,
    into: int | None,
) -> None:
    which = [projection_id, level, cluster]
    rows.fetch(con, "DELETE FROM cluster_label WHERE projection_id = ? AND level = ? AND cluster = ?", which)
    if name or colour or into is not None:
        rows.fetch(con, "INSERT INTO cluster_label VALUES (?, ?, ?, ?, ?, ?)", [*which, name, colour, into])
