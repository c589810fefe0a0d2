"""Parts, without a cluster."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.engines.shards import Shards, fingerprint_of, from_table, key_of, to_table
from ingest.pipeline import Counts, Failure, Plan, Writer, batches, observations, prepared_pictures
from ingest.runs import run_record
from ingest.task import Task
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked
from store import connection, write
from tests.support.commands import TINY
from tests.support.databases import ask
from tests.support.pictures import save_picture


@pytest.fixture
def plan(tmp_path):
    asked = (Asked("cls"), Asked("rollout"))
    return Plan(tmp_path / "a.duckdb", 1, "run", load("tiny:dinov2"), 1, fit="aspect", asked=asked, statistics=True)


@pytest.fixture
def processed(plan, tmp_path):
    """(pictures of two shapes with what was found in them, failures, {name: (key, place)})."""
    tasks = []
    for number in range(5):
        path = tmp_path / f"p{number}.png"
        save_picture(path, number, (140, 70) if number % 2 else (70, 140))
        tasks.append(Task(path, path.name, path.stat().st_size, 1.5, {"title": f"Nr. {number} „ä“"}))
    tasks.append(Task(tmp_path / "gone.jpg", "gone.jpg", 0, 0.0))
    found, failures = [], []
    for batch, failed in batches(plan, prepared_pictures(plan, tasks)):
        failures += failed
        found += observations(plan, batch) if batch else ()
    return found, failures, {task.name: (key_of(task), place) for place, task in enumerate(tasks)}


def test_a_part_gives_back_what_was_written(plan, processed, tmp_path):
    found, failures, names = processed
    shards = Shards(str(tmp_path / "parts"), fingerprint_of(plan))
    name = shards.write(to_table(*processed))
    assert shards.names() == [name] and shards.write(to_table(*processed)) == name
    again = list(from_table(shards.read(name)))
    assert [each for each in again if isinstance(each, Failure)] == failures and len(failures) == 1
    again = [each for each in again if not isinstance(each, Failure)]
    assert {(e.rows, e.cols) for _, e in again} == {(e.rows, e.cols) for _, e in found} and len(again) == 2
    for (batch, explanation), (held, told) in zip(sorted(found, key=rows), sorted(again, key=rows), strict=True):
        assert [p.record for p in batch] == [p.record for p in held]
        assert [p.frame for p in batch] == [p.frame for p in held]
        assert [p.place for p in held] == [names[p.record.path][1] for p in held]
        np.testing.assert_array_equal(explanation.features, told.features)
        np.testing.assert_array_equal(explanation.norms, told.norms)
        for maps, others in zip(explanation.maps, told.maps, strict=True):
            assert (maps.method, tuple(maps.layers), maps.heads) == (others.method, others.layers, others.heads)
            np.testing.assert_array_equal(maps.weights, others.weights)
        for kind in ("statistics", "tokens"):
            ours, theirs = getattr(explanation, kind), getattr(told, kind)
            assert list(ours) == list(theirs) and ours
            for each in ours:
                np.testing.assert_array_equal(ours[each], theirs[each])
    shards.remove(name)
    shards.close()
    assert not (tmp_path / "parts").exists()


def test_a_part_is_loaded_as_if_it_had_been_made_here(plan, processed, tmp_path):
    """What the writer stores of a part, which has no pixels, is what it stores of the pictures themselves."""
    found, failures, _ = processed
    table = to_table(*processed)
    stored = {}
    for name, items in (("here", [*found, *failures]), ("part", list(from_table(table)))):
        db = tmp_path / f"{name}.duckdb"
        with connection.writing(db) as con:
            write.add_collection(con, "scans", None)
        own = replace(plan, db=db, run_id=None, run=run_record(plan.backbone, "aspect", 56))
        counts = Counts()
        with Writer(own, counts, lambda count: None) as writer:
            for item in items:
                writer.put(item)
        assert (counts.done, counts.failed) == (5, 1)
        query = """
            SELECT path, vector, x1, list((method, layer, head, weights) ORDER BY method, layer, head)
            FROM images JOIN features USING (image_id) JOIN frames USING (image_id) JOIN attention USING (image_id)
            GROUP BY ALL ORDER BY path
        """
        stored[name] = (
            ask(db, query),
            ask(db, "SELECT count(*), sum(entropy) FROM head_stats"),
            ask(db, "FROM token_stats"),
        )
    assert len(stored["here"][0]) == 5
    assert stored["here"][0] == stored["part"][0]
    (count, entropy), (others, same) = stored["here"][1][0], stored["part"][1][0]
    assert count == others > 0 and entropy == pytest.approx(same)
    assert len(stored["here"][2]) == len(stored["part"][2]) == 5


def rows(item):
    return item[1].rows


def test_a_part_that_was_cut_short_counts_as_none(plan, processed, tmp_path):
    shards = Shards(f"file://{tmp_path}/parts", "mark")
    assert shards.names() == []
    name = shards.write(to_table(*processed))
    file = tmp_path / "parts" / "mark" / name
    file.write_bytes(file.read_bytes()[:-5])
    assert shards.read(name) is None and shards.read("other.parquet") is None


def test_other_settings_and_other_files_have_other_parts(plan):
    from dataclasses import replace

    others = [replace(plan, fit="pad"), replace(plan, asked=(Asked("cls"),)), replace(plan, collection_id=2)]
    assert len({fingerprint_of(each) for each in [plan, *others]}) == 4
    task = Task(Path("a.jpg"), "a.jpg", 5, 1.0)
    assert len({key_of(each) for each in (task, replace(task, bytes=6), replace(task, modified=2.0))}) == 3


def test_without_ray_the_command_says_what_to_type(folder, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = command("run", folder, *TINY, "--engine", "ray")
    assert result.code == 2 and "pip install -r requirements-ray.txt" in result.err


def test_options_that_need_the_other_engine(folder, command):
    result = command("run", folder, *TINY, "--address", "auto")
    assert result.code == 2 and "--engine ray" in result.err
    result = command("run", "https://museum.example/manifest.json", *TINY, "--engine", "ray")
    assert result.code == 2 and "leave --engine out" in result.err
