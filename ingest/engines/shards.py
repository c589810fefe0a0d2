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
import pyarrow.compute as pc
import pyarrow.parquet as pq

import ingest
from ingest.pipeline import Failure, Plan, Prepared, Processed
from ingest.results import BatchCodes, CodedExplanation, coded
from ingest.task import Task
from ingest.vision.geometry import Frame
from store.records import ImageRecord, image_columns

FORMAT = 2  # of the parts; those of another are not looked at, and their pictures computed again

_FLOATS = pa.list_(pa.float32())
_NUMBERS = pa.list_(pa.int32())
_FRAME = pa.struct(
    {**{edge: pa.float64() for edge in ("x0", "y0", "x1", "y1")}, "rows": pa.int32(), "cols": pa.int32()}
)
_MAPS = pa.struct(
    {
        "method": pa.string(),
        "layers": _NUMBERS,
        "heads": _NUMBERS,
        "scales": _FLOATS,
        "minima": _FLOATS,
        "codes": pa.large_binary(),  # map by map, row by row, as the database has them (`store.companding`)
    }
)
_HEAD_STATS = pa.struct({"name": pa.string(), "layers": pa.int32(), "values": _FLOATS})
_TOKEN_STATS = pa.struct({"name": pa.string(), "value": pa.float32()})
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
        "frame": _FRAME,
        "vector": _FLOATS,
        "norm": pa.float32(),  # of the vector before it was brought to length 1
        "maps": pa.list_(_MAPS),
        "head_stats": pa.list_(_HEAD_STATS),
        "token_stats": pa.list_(_TOKEN_STATS),
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
        "format": FORMAT,
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
    tables = [pa.table(_columns(batch, explanation)) for batch, explanation in processed]
    failed = [{"path": failure.name, "error": failure.reason} for failure in failures]
    tables.append(pa.Table.from_pylist(failed, schema=pa.schema([SCHEMA.field(name) for name in ("path", "error")])))
    table = pa.concat_tables(tables, promote_options="default")
    keys, places = zip(*(tasks[path] for path in table["path"].to_pylist()), strict=True) if len(table) else ((), ())
    table = table.append_column("key", pa.array(keys, pa.string())).append_column("place", pa.array(places, pa.int64()))
    missing = [field for field in SCHEMA if field.name not in table.column_names]
    for field in missing:
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(SCHEMA.names).cast(SCHEMA).sort_by("place")


def from_table(table: pa.Table) -> Iterator[Processed | Failure]:
    """What `to_table` was given, without the pixels and with coded maps; pictures of one grid together."""
    failed = table.filter(pc.is_valid(table["error"]))
    for path, reason in zip(failed["path"].to_pylist(), failed["error"].to_pylist(), strict=True):
        yield Failure(path, reason)
    table = table.filter(pc.is_null(table["error"])) if len(failed) else table
    rows, cols = (pc.struct_field(table["frame"], name).to_numpy() for name in ("rows", "cols"))
    for grid in dict.fromkeys(zip(rows.tolist(), cols.tolist(), strict=True)):
        here = (rows == grid[0]) & (cols == grid[1])
        one = table if here.all() else table.filter(pa.array(here))
        yield _prepared(one), _explanation(one, *grid)


def _columns(batch: list[Prepared], explanation: Any) -> dict[str, pa.Array]:
    """The columns of a part, but for keys and places, of pictures of one grid."""
    count, records = len(batch), [prepared.record for prepared in batch]
    maps = [coded(each) for each in explanation.maps]
    statistics, tokens = explanation.statistics, explanation.tokens
    norms = None if explanation.norms is None else pa.array(explanation.norms.numpy(), pa.float32())
    return {
        **{name: pa.array([getattr(each, name) for each in records], SCHEMA.field(name).type) for name in _PLAIN},
        "metadata": pa.array([json.dumps(each.metadata, ensure_ascii=False) for each in records], pa.string()),
        "frame": pa.array([vars(prepared.frame) for prepared in batch], _FRAME),
        "vector": _joined([explanation.features.numpy()], _FLOATS),
        "norm": pa.nulls(count, pa.float32()) if norms is None else norms,
        "maps": _structs(
            count,
            _MAPS,
            method=[each.method for each in maps],
            layers=[each.layers for each in maps],
            heads=[each.heads for each in maps],
            scales=[each.scales for each in maps],
            minima=[each.minima for each in maps],
            codes=[each.codes.reshape(count, -1) for each in maps],
        ),
        "head_stats": _structs(
            count,
            _HEAD_STATS,
            name=list(statistics),
            layers=[values.shape[1] for values in statistics.values()],
            values=[values.reshape(count, -1).numpy() for values in statistics.values()],
        ),
        "token_stats": _structs(
            count, _TOKEN_STATS, name=list(tokens), value=[values.numpy()[:, None] for values in tokens.values()]
        ),
    }


def _structs(count: int, kind: pa.StructType, **fields: list[Any]) -> pa.ListArray:
    """A column with the same k structs for each of `count` pictures. Of each field k values, which all pictures share,
    or k arrays (count, length) with what is each picture's own."""
    size = len(next(iter(fields.values())))
    each = np.tile(np.arange(size), count)
    columns = []
    for name, values in fields.items():
        own = bool(values) and isinstance(values[0], np.ndarray)
        type_ = kind.field(name).type
        columns.append(_joined(values, type_) if own else pa.array(values, type_).take(pa.array(each)))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * size)
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(kind)))


def _joined(arrays: list[np.ndarray], kind: pa.DataType) -> pa.Array:
    """Arrays (pictures, length), a cell for each row of each: those of the first picture, those of the second ..."""
    values = np.concatenate(arrays, axis=1).reshape(-1)
    ends = np.cumsum(np.tile([array.shape[1] for array in arrays], len(arrays[0])))
    if pa.types.is_large_binary(kind):
        offsets = np.concatenate([[0], ends]).astype(np.int64)
        return pa.LargeBinaryArray.from_buffers(kind, len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(values)])
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]).astype(np.int32)), pa.array(values))
    return pa.array(values, kind)


def _divided(column: pa.Array, count: int) -> list[np.ndarray]:
    """The arrays (pictures, length) of which `_joined` has made a column. ValueError where pictures differ."""
    size = len(column) // count
    if pa.types.is_large_binary(column.type):
        _, offsets, data = column.buffers()
        ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
        lengths, values = np.diff(ends), np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    elif pa.types.is_list(column.type):
        lengths, values = column.value_lengths().to_numpy(), column.flatten().to_numpy()
    else:
        lengths, values = np.ones(len(column), int), column.to_numpy()
    if (lengths.reshape(count, size) != lengths[:size]).any():
        raise ValueError("the pictures of a part have maps or statistics of different lengths")
    return np.split(values.reshape(count, -1), np.cumsum(lengths[: size - 1]), axis=1) if size else []


def _shared(column: pa.Array, count: int) -> list[Any]:
    """The values of a field that all pictures share. ValueError where they do not."""
    size = len(column) // count
    if not column.equals(column.take(pa.array(np.tile(np.arange(size), count)))):
        raise ValueError("the pictures of a part have different maps or statistics")
    return column[:size].to_pylist()


def _prepared(table: pa.Table) -> list[Prepared]:
    """The pictures of a part, without their pixels."""
    plain = [table[name].to_pylist() for name in _PLAIN]
    records = [
        ImageRecord(**dict(zip(_PLAIN, values, strict=True)), metadata=json.loads(metadata))
        for metadata, *values in zip(table["metadata"].to_pylist(), *plain, strict=True)
    ]
    edges = [pc.struct_field(table["frame"], name).to_pylist() for name in _FRAME.names]
    frames = [Frame(*values) for values in zip(*edges, strict=True)]
    places = table["place"].to_pylist()
    return [Prepared(place, record, None, frame) for place, record, frame in zip(places, records, frames, strict=True)]


def _explanation(table: pa.Table, rows: int, cols: int) -> CodedExplanation:
    """What was found in the pictures of a part, which have one grid."""
    count = len(table)

    def structs(column: str, shared: list[str], own: list[str]) -> Iterator[tuple[Any, ...]]:
        found = pc.list_flatten(_whole(table[column]))
        fields = [_shared(found.field(name), count) for name in shared]
        return zip(*fields, *(_divided(found.field(name), count) for name in own), strict=True)

    (features,) = _divided(_whole(table["vector"]), count)
    norms = _whole(table["norm"])
    maps = [
        BatchCodes(
            method,
            tuple(layers),
            None if heads is None else tuple(heads),
            codes.reshape(count, len(layers), rows * cols),
            scales,
            minima,
        )
        for method, layers, heads, scales, minima, codes in structs(
            "maps", ["method", "layers", "heads"], ["scales", "minima", "codes"]
        )
    ]
    return CodedExplanation(
        features,
        rows,
        cols,
        maps,
        {
            name: values.reshape(count, layers, -1)
            for name, layers, values in structs("head_stats", ["name", "layers"], ["values"])
        },
        {name: values[:, 0] for name, values in structs("token_stats", ["name"], ["value"])},
        None if norms.null_count else norms.to_numpy(),
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, which it mostly is."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


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
        pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_page_checksum=True)
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
        found = (each["name"].rpartition("/")[2] for each in system.ls(root, detail=True) if each["type"] == "file")
        return sorted(name for name in found if name.endswith(".parquet"))

    def read(self, name: str) -> pa.Table | None:
        """A part; None where it is not there, was cut short, is damaged, or is none."""
        system, root = self._place
        system.invalidate_cache()
        try:
            data = system.cat_file(f"{root}/{name}")
        except FileNotFoundError:
            return None
        try:
            table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        except (pa.ArrowException, OSError):
            return None
        return table if table.schema.equals(SCHEMA) else None

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
