"""Features out of the database, for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from store import read, search
from store.connection import reading
from store.spreadsheets import disarmed


def export_features(db: Path, run_id: int, file: Path) -> int:
    """Writes a run's features to .parquet (catalogue columns and `vector`), .csv (one column a dimension) or .npz
    (arrays `image_ids`, `paths`, `vectors`); returns how many. Text that a spreadsheet would run gets an apostrophe in
    front in .csv alone. Raises ValueError for another ending."""
    if file.suffix not in (".parquet", ".csv", ".npz"):
        raise ValueError(f"{file} should end in .parquet, .csv or .npz")
    with reading(db) as con:
        ids, vectors = search.features(con, run_id)
        # Whole numbers stay whole where some are missing, decimals keep their zeros.
        table = read.catalogue(con, ids=ids.tolist(), exact=True)
        rows = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get).set_index("image_id").loc[ids]
    if file.suffix == ".npz":
        np.savez_compressed(file, image_ids=ids, paths=rows["path"].to_numpy(dtype=str), vectors=vectors)
    elif file.suffix == ".parquet":
        rows.assign(vector=list(vectors)).reset_index().to_parquet(file, index=False)
    else:
        names = [f"feature_{i}" for i in range(vectors.shape[1])]
        table = pd.concat([rows, pd.DataFrame(vectors, index=rows.index, columns=names)], axis=1)
        disarmed(table.reset_index()).to_csv(file, index=False, lineterminator="\r\n")
    return len(ids)
