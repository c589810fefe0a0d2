"""Nearest neighbours by cosine similarity, exact."""

import duckdb
import numpy as np
import pyarrow as pa

from store.errors import StoreError
from store.rows import first, plain


def features(con: duckdb.DuckDBPyConnection, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) int64, ascending, and their vectors (n, dim) float32, C-contiguous and L2-normalised."""
    query = "SELECT image_id, vector FROM feature WHERE run_id = ?"
    table = con.sql(query, params=plain([run_id])).to_arrow_table()
    ids = table["image_id"].to_numpy()
    if not len(ids):
        return ids, np.empty((0, 0), dtype=np.float32)
    matrix = np.concatenate([chunk.flatten().to_numpy() for chunk in table["vector"].chunks]).reshape(len(ids), -1)
    if (np.diff(ids) < 0).any():  # as a rule they were stored in order, and DuckDB keeps it
        order = np.argsort(ids)
        ids, matrix = ids[order], matrix[order]
    return ids, matrix


def raw_features(con: duckdb.DuckDBPyConnection, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) int64, ascending, and their vectors (n, dim) float32 as the network gave them, before they were
    brought to length 1. Raises StoreError where lengths are not stored, as they were not by older versions."""
    query = "SELECT image_id, norm FROM feature WHERE run_id = ? ORDER BY image_id"
    norms = con.sql(query, params=plain([run_id])).to_arrow_table()["norm"]
    if norms.null_count:
        raise StoreError(
            f"Of {norms.null_count} of the {len(norms)} vectors of run {run_id} the raw ones cannot be had: an older "
            "version brought them to length 1 and did not store how long they were. Make the features anew, in another "
            "database: python -m ingest run SOURCE --db OTHER.duckdb"
        )
    ids, vectors = features(con, run_id)
    return ids, vectors * norms.to_numpy()[:, None]


def nearest(con: duckdb.DuckDBPyConnection, run_id: int, image_id: int, k: int) -> pa.Table:
    """The k images most like `image_id`, best first, without itself: image_id, similarity (cosine)."""
    return con.sql("SELECT * FROM nearest(?, ?, ?)", params=plain([run_id, image_id, k])).to_arrow_table()


def nearest_to(con: duckdb.DuckDBPyConnection, run_id: int, vector: np.ndarray, k: int) -> pa.Table:
    """The k images whose features are most like a vector (dim,) of any length: image_id, similarity (cosine)."""
    vector = np.asarray(vector, dtype=np.float32).ravel()
    found = first(con, "SELECT dim FROM run WHERE run_id = ?", [run_id])
    if found and len(vector) != found[0]:
        raise StoreError(f"Run {run_id} has vectors of {found[0]} numbers; the one to search with has {len(vector)}.")
    query = """
        SELECT image_id, list_cosine_similarity(vector, $vector::FLOAT[]) AS similarity
        FROM feature WHERE run_id = $run ORDER BY similarity DESC, image_id LIMIT $k
    """
    return con.sql(query, params=plain({"vector": vector.tolist(), "run": run_id, "k": k})).to_arrow_table()
