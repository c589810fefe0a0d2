"""Trainings, their metrics by epoch, and what a trained network selects in some pictures of its test."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from store.rows import fetch, first, insert, now, one, to_json

Connection = duckdb.DuckDBPyConnection
Row = tuple[int, str, str, str, float]  # epoch, split, task, metric, value


@dataclass(frozen=True)
class TrainingRecord:
    """A training as it begins: `folder` is where its files lie, `parameters` what varies within its experiment."""

    kind: str
    name: str
    folder: str
    seed: int
    epochs: int
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    experiment: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingExample:
    """A picture of the test: a small copy as JPEG, what it shows and what was predicted by task, `boxes` of its objects
    (x, y, width, height), and the selected `patches` (x0, y0, x1, y1, score), the best first; in pixels."""

    name: str
    width: int
    height: int
    jpeg: bytes
    labels: Mapping[str, Any]
    predictions: Mapping[str, Any]
    boxes: Sequence[Sequence[float]]
    patches: Sequence[Sequence[float]]


def begin(con: Connection, record: TrainingRecord) -> int:
    """The number of a training: the one that has this folder and this configuration, or a new one."""
    config = to_json(record.config, sort_keys=True)
    same = "SELECT training_id FROM training_run WHERE kind = ? AND folder = ? AND config = ?::JSON"
    if found := first(con, same, [record.kind, record.folder, config]):
        change = (
            "UPDATE training_run SET name = ?, experiment = ?, parameters = ?, finished_at = NULL WHERE training_id = ?"
        )
        fetch(con, change, [record.name, record.experiment, to_json(record.parameters), found[0]])
        return found[0]
    training_id = one(con, "SELECT coalesce(max(training_id), 0) + 1 FROM training_run")[0]
    columns = {
        "training_id": training_id,
        "kind": record.kind,
        "name": record.name,
        "folder": record.folder,
        "experiment": record.experiment,
        "parameters": to_json(record.parameters),
        "seed": record.seed,
        "config": config,
        "versions": to_json(record.versions),
        "epochs": record.epochs,
        "created_at": now(),
    }
    insert(con, "training_run", {name: [value] for name, value in columns.items()})
    return training_id


def set_metrics(con: Connection, training_id: int, rows: Iterable[Row], from_epoch: int = 0) -> None:
    """Store the metrics of all epochs from one on, in place of what was there of them."""
    fetch(con, "DELETE FROM training_metric WHERE training_id = ? AND epoch >= ?", [training_id, from_epoch])
    listed = [row for row in rows if row[0] >= from_epoch]
    if listed:
        names = ("epoch", "split", "task", "metric", "value")
        columns = dict(zip(names, map(list, zip(*listed, strict=True)), strict=True))
        insert(con, "training_metric", {"training_id": [training_id] * len(listed), **columns})


def finish(con: Connection, training_id: int, examples: Sequence[TrainingExample]) -> None:
    """The training is through; store its examples in place of any before."""
    for table in ("training_example", "training_patch"):
        fetch(con, f"DELETE FROM {table} WHERE training_id = ?", [training_id])
    for number, example in enumerate(examples):
        about = {"training_id": [training_id], "example": [number]}
        described = {
            "name": [example.name],
            "width": [example.width],
            "height": [example.height],
            "labels": [to_json(example.labels)],
            "predictions": [to_json(example.predictions)],
            "boxes": [_list(example.boxes)],
            "jpeg": [example.jpeg],
        }
        insert(con, "training_example", {**about, **described})
        if example.patches:
            count = len(example.patches)
            sides = dict(
                zip(("x0", "y0", "x1", "y1", "score"), map(list, zip(*example.patches, strict=True)), strict=True)
            )
            same = {name: values * count for name, values in about.items()}
            insert(con, "training_patch", {**same, "rank": list(range(count)), **sides})
    fetch(con, "UPDATE training_run SET finished_at = ? WHERE training_id = ?", [now(), training_id])


def _list(values: Sequence[Sequence[float]]) -> str:
    return json.dumps([list(each) for each in values])


def trainings(con: Connection) -> list[dict[str, Any]]:
    """All trainings, the newest first, as the view `training_runs` has them."""
    query = "SELECT * FROM training_runs ORDER BY training_id DESC"
    return con.sql(query).to_arrow_table().to_pylist()


def finished(con: Connection, kind: str, folder: str) -> list[dict[str, Any]]:
    """training_id and config of the trainings in a folder that are through."""
    query = "SELECT training_id, config FROM training_run WHERE kind = ? AND folder = ? AND finished_at IS NOT NULL"
    return con.sql(query, params=[kind, folder]).to_arrow_table().to_pylist()


def metrics(con: Connection, training_ids: Iterable[int]) -> pa.Table:
    """training_id, epoch, split, task, metric, value of these trainings, in that order."""
    query = """
        SELECT training_id, epoch, split, task, metric, value FROM training_metrics
        WHERE training_id IN (SELECT unnest(?::INTEGER[])) ORDER BY ALL
    """
    return con.sql(query, params=[[int(each) for each in training_ids]]).to_arrow_table()


def examples(con: Connection, training_id: int) -> list[dict[str, Any]]:
    """The pictures of a training's test with their JPEGs, and `patches` as a list of structs, the best first."""
    query = """
        SELECT e.example, e.name, e.width, e.height, e.labels, e.predictions, e.boxes, e.jpeg,
            (
                SELECT coalesce(
                    list({'x0': p.x0, 'y0': p.y0, 'x1': p.x1, 'y1': p.y1, 'score': p.score} ORDER BY p.rank), []
                )
                FROM training_patch p WHERE p.training_id = e.training_id AND p.example = e.example
            ) AS patches
        FROM training_example e WHERE e.training_id = ? ORDER BY e.example
    """
    return con.sql(query, params=[int(training_id)]).to_arrow_table().to_pylist()


def results(con: Connection, experiment: str, folder: str) -> list[dict[str, Any]]:
    """parameters (JSON), seeds (how many) and metrics (task, metric, mean, spread: the standard deviation over the
    seeds, 0 of a single one) of the last epoch's test, for each combination of an experiment below a folder."""
    query = """
        WITH last AS (
            SELECT t.training_id, t.parameters, m.task, m.metric, m.value
            FROM training_run t JOIN training_metric m ON m.training_id = t.training_id AND m.epoch = t.epochs
            WHERE t.experiment = $experiment AND starts_with(t.folder, $folder) AND t.finished_at IS NOT NULL
                AND m.split = 'test' AND m.metric <> 'loss' AND m.metric NOT IN ('semantic', 'diversity')
        ),
        spread AS (
            SELECT parameters, task, metric, avg(value) AS mean, coalesce(stddev_samp(value), 0) AS spread,
                count(*) AS seeds, min(training_id) AS first
            FROM last GROUP BY parameters, task, metric
        )
        SELECT parameters::VARCHAR AS parameters, max(seeds)::INTEGER AS seeds,
            list({'task': task, 'metric': metric, 'mean': mean, 'spread': spread} ORDER BY task DESC, metric) AS metrics
        FROM spread GROUP BY parameters ORDER BY min(first)
    """
    return con.sql(query, params={"experiment": experiment, "folder": folder}).to_arrow_table().to_pylist()
