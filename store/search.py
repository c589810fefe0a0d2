"""The features of a run, as they are searched and exported."""

import duckdb
import numpy as np

from store.errors import StoreError
from store.present import PRESENT
from store.rows import plain


def features(con: duckdb.DuckDBPyConnection, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) int64, ascending, and their vectors (n, dim) float32, C-contiguous and L2-normalised."""
    query = "SELECT image_id, vector FROM features WHERE run_id = ?"
    table = con.sql(query, params=plain([run_id])).to_arrow_table()
    ids = table["image_id"].to_numpy()
    if not len(ids):
        return ids, np.empty((0, 0), dtype=np.float32)
    matrix = np.concatenate([chunk.flatten().to_numpy() for chunk in table["vector"].chunks]).reshape(len(ids), -1)
    if (np.diff(ids) < 0).any():  # as a rule they were stored in order, and DuckDB keeps it
        order = np.argsort(ids)
        ids, matrix = ids[order], matrix[order]
    return ids, matrix


def feature_ids(con: duckdb.DuckDBPyConnection, run_id: int) -> np.ndarray:
    """The ids (n,) int64 of the images that a run has features of, ascending."""
    query = "SELECT image_id FROM features WHERE run_id = ? ORDER BY image_id"
    return con.sql(query, params=plain([run_id])).to_arrow_table()["image_id"].to_numpy()


def raw_features(con: duckdb.DuckDBPyConnection, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) int64, ascending, and their vectors (n, dim) float32 as the network gave them, before they were
    brought to length 1. Raises StoreError where lengths are not stored, as they were not by older versions."""
    query = f"SELECT image_id, norm FROM feature WHERE run_id = ? AND {PRESENT} ORDER BY image_id"
    norms = con.sql(query, params=plain([run_id])).to_arrow_table()["norm"]
    if norms.null_count:
        raise StoreError(
            f"Of {norms.null_count} of the {len(norms)} vectors of run {run_id} the raw ones cannot be had: an older "
            "version brought them to length 1 and did not store how long they were. Make the features anew, in another "
            "database: python -m ingest run SOURCE --db OTHER.duckdb"
        )
    ids, vectors = features(con, run_id)
    return ids, vectors * norms.to_numpy()[:, None]
