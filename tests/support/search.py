"""Nearest neighbours as DuckDB finds them: what our own search is compared with."""

import duckdb
import numpy as np
import pyarrow as pa

from store.rows import plain


def nearest(con: duckdb.DuckDBPyConnection, run_id: int, image_id: int, k: int) -> pa.Table:
    """The k images most like `image_id`, best first, without itself: image_id, similarity (cosine)."""
    return con.sql("SELECT * FROM nearest(?, ?, ?)", params=plain([run_id, image_id, k])).to_arrow_table()


def nearest_to(con: duckdb.DuckDBPyConnection, run_id: int, vector: np.ndarray, k: int) -> pa.Table:
    """The k images whose features are most like a vector (dim,) of any length: image_id, similarity (cosine)."""
    vector = np.asarray(vector, dtype=np.float32).ravel()
    query = """
        SELECT image_id, list_cosine_similarity(vector, $vector::FLOAT[]) AS similarity
        FROM feature WHERE run_id = $run ORDER BY similarity DESC, image_id LIMIT $k
    """
    return con.sql(query, params=plain({"vector": vector.tolist(), "run": run_id, "k": k})).to_arrow_table()
