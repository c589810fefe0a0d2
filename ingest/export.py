"""Features out of the database, for other programs."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from store import read, search
from store.connection import reading
from store.spreadsheets import csv_of_frame

ENDINGS = (".parquet", ".csv", ".npz", ".pkl")


def export_features(db: Path, run_id: int, file: Path, raw: bool = False) -> int:
    """Writes a run's features to .parquet (catalogue columns and `vector`), .csv (one column a dimension), .npz (arrays
    `image_ids`, `paths`, `vectors`) or .pkl (a pickled dictionary {path: vector float32 (dim,)}); returns how many.

    They are brought to length 1, or with `raw` as the network gave them. Text that a spreadsheet would run gets an
    apostrophe in front in .csv alone. Raises ValueError for another ending, and StoreError where the raw ones cannot be
    had.
    """
    if file.suffix not in ENDINGS:
        raise ValueError(f"{file} should end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    with reading(db) as con:
        ids, vectors = (search.raw_features if raw else search.features)(con, run_id)
        # Whole numbers stay whole where some are missing, decimals keep their zeros.
        table = read.catalogue(con, ids=ids.tolist(), exact=True)
        rows = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get).set_index("image_id").loc[ids]
    if file.suffix == ".pkl":
        paths = rows["path"].tolist()
        file.write_bytes(pickle.dumps(dict(zip(paths, vectors, strict=True)), protocol=4))
    elif file.suffix == ".npz":
        np.savez_compressed(file, image_ids=ids, paths=rows["path"].to_numpy(dtype=str), vectors=vectors)
    elif file.suffix == ".parquet":
        rows.assign(vector=list(vectors)).reset_index().to_parquet(file, index=False)
    else:
        names = [f"feature_{i}" for i in range(vectors.shape[1])]
        table = pd.concat([rows, pd.DataFrame(vectors, index=rows.index, columns=names)], axis=1)
        file.write_text(csv_of_frame(table.reset_index()), encoding="utf-8", newline="")
    return len(ids)
