"""What the workers of a cluster found out, on its way into the database: Parquet files, one row a picture.

A part is named after the pictures in it, so that a worker that does its work again replaces its own part. Of a part
that was cut short in writing nothing is used: Parquet's index comes last.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import ingest
from ingest.pipeline import Failure, Plan, Prepared, Processed
from ingest.task import Task
from ingest.vision.geometry import Frame
from store.records import ImageRecord, image_columns

_FLOATS = pa.list_(pa.float32())
_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
SCHEMA = pa.schema(
    {
        "key": pa.string(),
        "place": pa.int64(),
        "error": pa.string(),  # and nothing beyond, where the picture could not be read
        **{name: _ARROW[kind] for name, kind in image_columns().items()},
        "metadata": pa.string(),
        "thumbnail": pa.binary(),
        "thumbnail_width": pa.int32(),
        "thumbnail_height": pa.int32(),
        "frame": pa.struct(
            {**{edge: pa.float64() for edge in ("x0", "y0", "x1", "y1")}, "rows": pa.int32(), "cols": pa.int32()}
        ),
        "vector": _FLOATS,
        "norm": pa.float32(),  # of the vector before it was brought to length 1
        "maps": pa.list_(
            pa.struct(
                {
                    "method": pa.string(),
                    "layers": pa.list_(pa.int32()),
                    "heads": pa.list_(pa.int32()),
                    "weights": _FLOATS,  # map by map, row by row
                }
            )
        ),
        "head_stats": pa.list_(pa.struct({"name": pa.string(), "layers": pa.int32(), "values": _FLOATS})),
        "token_stats": pa.list_(pa.struct({"name": pa.string(), "value": pa.float32()})),
    }
)
_PLAIN = (*image_columns(), "thumbnail", "thumbnail_width", "thumbnail_height")


def key_of(task: Task) -> str:
    """What tells a picture from all others and from its own earlier state: name, length, time stamp."""
    return hashlib.sha256(f"{task.name}\0{task.bytes}\0{task.modified}".encode()).hexdigest()[:32]


def fingerprint_of(plan: Plan) -> str:
    """What tells the parts of one plan from those of another: database, collection, network and settings."""
    backbone = plan.backbone
    described = {
        "version": ingest.__version__,
        "db": str(plan.db.resolve()),
        "collection": plan.collection_id,
        "network": [backbone.weights_sha256, str(backbone.precision), backbone.settings()],
        "input": [plan.fit, plan.size],
        "asked": [each.name for each in plan.asked],
        "statistics": plan.statistics,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def to_table(
    processed: Iterable[Processed], failures: Iterable[Failure], tasks: Mapping[str, tuple[str, int]]
) -> pa.Table:
    """Explained pictures and failures as the rows of a part; `tasks` gives {name: (key, place among the tasks)}."""
    rows = [row for batch, explanation in processed for row in _rows(batch, explanation)]
    rows += [{"path": failure.name, "error": failure.reason} for failure in failures]
    for row in rows:
        row["key"], row["place"] = tasks[row["path"]]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["place"]), schema=SCHEMA)


def from_table(table: pa.Table) -> Iterator[Processed | Failure]:
    """What `to_table` was given, without the pixels; pictures of one grid together."""
    grids: dict[tuple[int, int], list[tuple[Prepared, dict[str, Any]]]] = {}
    for place in range(table.num_rows):
        row = {name: table[name][place] for name in table.column_names}
        if row["error"].is_valid:
            yield Failure(row["path"].as_py(), row["error"].as_py())
            continue
        frame = Frame(**row["frame"].as_py())
        record = ImageRecord(
            **{name: row[name].as_py() for name in _PLAIN}, metadata=json.loads(row["metadata"].as_py())
        )
        grids.setdefault((frame.rows, frame.cols), []).append(
            (Prepared(row["place"].as_py(), record, None, frame), row)
        )
    for grid, held in grids.items():
        yield [prepared for prepared, _ in held], _explanation(*grid, [row for _, row in held])


def _rows(batch: list[Prepared], explanation: Any) -> Iterator[dict[str, Any]]:
    for place, prepared in enumerate(batch):
        record = prepared.record
        yield {
            **{name: getattr(record, name) for name in _PLAIN},
            "metadata": json.dumps(record.metadata, ensure_ascii=False),
            "frame": vars(prepared.frame),
            "vector": explanation.features[place].numpy(),
            "norm": None if explanation.norms is None else float(explanation.norms[place]),
            "maps": [
                {
                    "method": maps.method,
                    "layers": maps.layers,
                    "heads": maps.heads,
                    "weights": maps.weights[place].reshape(-1).numpy(),
                }
                for maps in explanation.maps
            ],
            "head_stats": [
                {"name": name, "layers": values.shape[1], "values": values[place].reshape(-1).numpy()}
                for name, values in explanation.statistics.items()
            ],
            "token_stats": [
                {"name": name, "value": float(values[place])} for name, values in explanation.tokens.items()
            ],
        }


def _explanation(rows: int, cols: int, held: list[dict[str, Any]]) -> Any:
    import torch

    from ingest.vision.attention import Maps
    from ingest.vision.explaining import Explanation

    def stacked(column: str, place: int, values: str, shape: tuple[int, ...]) -> torch.Tensor:
        found = [row[column].values.field(values)[place].values.to_numpy() for row in held]
        return torch.from_numpy(np.stack(found).reshape(len(held), *shape))

    first = held[0]
    maps = []
    for place, described in enumerate(_without(first["maps"], "weights")):
        weights = stacked("maps", place, "weights", (len(described["layers"]), rows * cols))
        heads = None if described["heads"] is None else tuple(described["heads"])
        maps.append(Maps(described["method"], tuple(described["layers"]), heads, weights))
    statistics = {
        described["name"]: stacked("head_stats", place, "values", (described["layers"], -1))
        for place, described in enumerate(_without(first["head_stats"], "values"))
    }
    described = [{each["name"]: each["value"] for each in row["token_stats"].as_py()} for row in held]
    tokens = {name: torch.tensor([each[name] for each in described], dtype=torch.float32) for name in described[0]}
    features = torch.from_numpy(np.stack([row["vector"].values.to_numpy() for row in held]))
    lengths = [row["norm"].as_py() for row in held]
    norms = None if None in lengths else torch.tensor(lengths, dtype=torch.float32)
    return Explanation(features, rows, cols, maps, statistics, tokens, norms=norms)


def _without(structs: Any, left_out: str) -> list[dict[str, Any]]:
    """A list of structs as Python has them, without the field that holds many numbers."""
    names = [field.name for field in structs.values.type if field.name != left_out]
    columns = [structs.values.field(name).to_pylist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Shards:
    """The folder of one plan's parts below `address`, a path or whatever fsspec takes (`s3://bucket/folder`)."""

    address: str
    fingerprint: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        system, root = url_to_fs(self.address)
        return system, f"{root.rstrip('/')}/{self.fingerprint}"

    def write(self, table: pa.Table) -> str:
        """Store a part; returns its name."""
        name = hashlib.sha256("".join(table["key"].to_pylist()).encode()).hexdigest()[:32] + ".parquet"
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        system, root = self._place
        system.makedirs(root, exist_ok=True)
        system.pipe_file(f"{root}/{name}", buffer.getvalue())
        return name

    def names(self) -> list[str]:
        """The parts that are there."""
        system, root = self._place
        system.invalidate_cache()
        if not system.exists(root):
            return []
        found = (path.rpartition("/")[2] for path in system.ls(root, detail=False))
        return sorted(name for name in found if name.endswith(".parquet"))

    def read(self, name: str) -> pa.Table | None:
        """A part; None where it is not there, or was cut short."""
        system, root = self._place
        system.invalidate_cache()
        try:
            return pq.read_table(io.BytesIO(system.cat_file(f"{root}/{name}")), schema=SCHEMA)
        except (FileNotFoundError, pa.ArrowInvalid):
            return None

    def remove(self, name: str) -> None:
        """Forget a part."""
        system, root = self._place
        system.rm_file(f"{root}/{name}")

    def close(self) -> None:
        """Remove the folders if nothing is left in them."""
        system, root = self._place
        for folder in (root, root.rpartition("/")[0]):
            system.invalidate_cache()
            if not system.exists(folder) or system.ls(folder, detail=False):
                return
            system.rmdir(folder)
