"""Patches of a run's pictures, coded small, in which details are searched. What changes them is for a connection that
writes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from store import rows
from store.errors import StoreError
from store.records import FrameRecord

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, eq=False)
class StoredCoding:
    """How the patches of a run are made and coded; what the table `patch_coding` says. `mean` (width,) and `axes`
    (dim, width) float32."""

    layer: int
    fit: str
    size: int
    query_size: int
    mean: np.ndarray
    axes: np.ndarray
    longest: float
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PatchFeatures:
    """The patches of one picture: `codes` int8 (patches, dim), 127 of which is `scale`, in reading order, without those
    of the cells `left_out` of the grid of `frame`."""

    frame: FrameRecord
    codes: np.ndarray
    scale: float
    left_out: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class StoredPatches:
    """The patches of n pictures: `image_ids` (n,), ascending, `frames`, `sizes` (n, 2) the originals' widths and
    heights; `codes` int8 (patches, dim), those of picture i from `starts[i]` to `starts[i + 1]`, with `scales[i]`, in
    the `cells` (patches,) of its grid."""

    image_ids: np.ndarray
    starts: np.ndarray
    codes: np.ndarray
    scales: np.ndarray
    cells: np.ndarray
    frames: list[FrameRecord]
    sizes: np.ndarray


def set_coding(con: Connection, run_id: int, coding: Any) -> None:
    """Store how a run's patches are coded from now on; patches that were coded otherwise go. StoreError for a run that
    is not there."""
    if rows.first(con, "SELECT 1 FROM run WHERE run_id = ?", [run_id]) is None:
        raise StoreError(f"There is no run {run_id}, so no patches can be stored with it.")
    for table in ("patch_feature", "patch_coding"):
        rows.fetch(con, f"DELETE FROM {table} WHERE run_id = ?", [run_id])
    axes = np.asarray(coding.axes, dtype=np.float32)
    row = {
        **{name: getattr(coding, name) for name in ("layer", "fit", "size", "query_size", "longest")},
        "run_id": run_id,
        "dim": len(axes),
        "mean": np.asarray(coding.mean, dtype=np.float32).tolist(),
        "axes": axes.ravel().tolist(),
        "report": rows.to_json(coding.report),
        "created_at": rows.now(),
    }
    rows.insert(con, "patch_coding", {name: [value] for name, value in row.items()})


def coding(con: Connection, run_id: int) -> StoredCoding | None:
    """How a run's patches are coded; None where it has none."""
    query = """
        SELECT layer, fit, size, query_size, mean, axes, longest, report::VARCHAR, dim
        FROM patch_coding WHERE run_id = ?
    """
    found = rows.first(con, query, [run_id])
    if found is None:
        return None
    layer, fit, size, query_size, mean, axes, longest, report, dim = found
    axes = np.array(axes, dtype=np.float32).reshape(dim, -1)
    mean = np.array(mean, dtype=np.float32)
    return StoredCoding(layer, fit, size, query_size, mean, axes, longest, json.loads(report))


def runs_with_patches(con: Connection) -> dict[int, int]:
    """{run_id: pictures with patches} of the runs that have any, the newest run first."""
    query = "SELECT run_id, count(*) FROM patch_features GROUP BY run_id ORDER BY run_id DESC"
    return dict(rows.fetch(con, query))


def add(con: Connection, run_id: int, found: Iterable[PatchFeatures]) -> None:
    """Store the patches of pictures in place of those that they have in this run. StoreError where codes do not fit the
    run's coding or their grid."""
    features = list(found)
    dim = rows.first(con, "SELECT dim FROM patch_coding WHERE run_id = ?", [run_id])
    if dim is None:
        raise StoreError(f"Run {run_id} does not say yet how its patches are coded; store that first.")
    for each in features:
        expected = (each.frame.rows * each.frame.cols - len(each.left_out), dim[0])
        if each.codes.shape != expected or each.codes.dtype != np.int8:
            raise StoreError(
                f"Patches of image {each.frame.image_id} are expected as int8 {expected}; these are "
                f"{each.codes.dtype} {each.codes.shape}."
            )
    rows.delete(con, "patch_feature", [each.frame.image_id for each in features], run_id=run_id)
    names = ("image_id", "x0", "y0", "x1", "y1", "rows", "cols")
    columns = {name: [getattr(each.frame, name) for each in features] for name in names}
    columns |= {
        "run_id": [run_id] * len(features),
        "scale": [each.scale for each in features],
        "codes": pa.array([each.codes.tobytes() for each in features], pa.binary()),
        "left_out": pa.array([list(map(int, each.left_out)) for each in features], pa.list_(pa.int32())),
    }
    rows.insert(con, "patch_feature", columns)


def done(con: Connection, run_id: int) -> set[int]:
    """The ids of the images whose patches are stored."""
    return {
        image_id for (image_id,) in rows.fetch(con, "SELECT image_id FROM patch_feature WHERE run_id = ?", [run_id])
    }


def patches(con: Connection, run_id: int) -> StoredPatches:
    """All patches of a run. StoreError, with what to type, where it has none."""
    query = """
        SELECT f.image_id, f.x0, f.y0, f.x1, f.y1, f.rows, f.cols, f.scale, f.codes, f.left_out, i.width, i.height
        FROM patch_feature f JOIN image i USING (image_id) ANTI JOIN removal USING (image_id)
        WHERE f.run_id = ? ORDER BY f.image_id
    """
    table = con.sql(query, params=rows.plain([run_id])).to_arrow_table()
    found = coding(con, run_id)
    if found is None or not table.num_rows:
        raise StoreError(
            f"Run {run_id} has no patches to search details in; add them with: python -m ingest details --run {run_id}"
        )
    columns = {name: table[name].to_pylist() for name in table.column_names if name not in ("codes", "left_out")}
    frames = [
        FrameRecord(*row) for row in zip(*(columns[name] for name in FrameRecord.__dataclass_fields__), strict=True)
    ]
    codes = np.frombuffer(b"".join(table["codes"].to_pylist()), np.int8).reshape(-1, len(found.axes))
    cells = [
        np.setdiff1d(np.arange(frame.rows * frame.cols, dtype=np.int32), left_out, assume_unique=True)
        for frame, left_out in zip(frames, table["left_out"].to_pylist(), strict=True)
    ]
    return StoredPatches(
        image_ids=np.array(columns["image_id"], dtype=np.int64),
        starts=np.concatenate([[0], np.cumsum([len(each) for each in cells])]).astype(np.int64),
        codes=codes,
        scales=np.array(columns["scale"], dtype=np.float32),
        cells=np.concatenate(cells),
        frames=frames,
        sizes=np.stack([columns["width"], columns["height"]], axis=1).astype(np.int64),
    )
