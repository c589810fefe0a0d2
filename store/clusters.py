"""The clusters of a layout: groups of points that lie close together, numbered from 1, the largest. 0, NULL in the
database, is for those in none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from store import rows
from store.errors import StoreError

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Clusters:
    """ids (n,) int64 ascending; of (n,) int32, the cluster of each; centres {cluster: image id of its most central
    picture}; how they were found."""

    ids: np.ndarray
    of: np.ndarray
    centres: dict[int, int]
    method: str
    settings: str

    def among(self, ids: np.ndarray) -> np.ndarray:
        """The clusters (m,) of these images; 0 for an image that is not known."""
        if not len(self.ids):
            return np.zeros(len(ids), dtype=np.int32)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, self.of[place], 0).astype(np.int32)


def known(con: Connection) -> set[int]:
    """The projections whose clusters have been looked for."""
    return {number for (number,) in rows.fetch(con, "SELECT projection_id FROM clustering")}


def clusters(con: Connection, projection_id: int) -> Clusters | None:
    """The clusters of a layout; None if nobody has looked for any."""
    found = rows.first(con, "SELECT method, settings::VARCHAR FROM clustering WHERE projection_id = ?", [projection_id])
    if found is None:
        return None
    query = """
        SELECT image_id, coalesce(cluster, 0)::INTEGER AS cluster FROM cluster_point WHERE projection_id = $id
        ORDER BY image_id
    """
    table = con.sql(query, params={"id": projection_id}).to_arrow_table()
    centres = rows.fetch(con, "SELECT cluster, image_id FROM cluster_centre WHERE projection_id = ?", [projection_id])
    return Clusters(table["image_id"].to_numpy(), table["cluster"].to_numpy(), dict(centres), *found)


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
    image id}."""
    delete(con, projection_id)
    text = rows.to_json(settings, sort_keys=True)
    rows.fetch(con, "INSERT INTO clustering VALUES (?, ?, ?, ?)", [projection_id, method, text, rows.now()])
    extend(con, projection_id, ids, of)
    columns = {"projection_id": [projection_id] * len(centres), "cluster": list(centres)}
    rows.insert(con, "cluster_centre", columns | {"image_id": list(centres.values())})


def extend(con: Connection, projection_id: int, ids: np.ndarray, of: np.ndarray) -> None:
    """More images of a layout with their clusters, 0 for none."""
    ids, of = np.asarray(ids, dtype=np.int64), np.asarray(of, dtype=np.int32)
    if ids.shape != of.shape:
        raise StoreError(f"{len(ids)} images need as many clusters; these are {len(of)}.")
    columns = {"projection_id": np.full(len(ids), projection_id), "image_id": ids}
    rows.insert(con, "cluster_point", columns | {"cluster": [int(c) or None for c in of]})


def delete(con: Connection, projection_id: int) -> None:
    """The clusters of a layout that is no more, or has other points."""
    for table in ("clustering", "cluster_point", "cluster_centre"):
        rows.fetch(con, f"DELETE FROM {table} WHERE projection_id = ?", [projection_id])
