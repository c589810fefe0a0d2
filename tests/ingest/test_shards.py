"""Parts, without a cluster."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import pipeline
from ingest.engines.ray import Loading
from ingest.engines.shards import Shards, fingerprint_of, from_table, key_of, to_table
from ingest.pipeline import Counts, Failure, Plan, Writer, batches, observations, prepared_pictures
from ingest.results import coded
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
    return compute(plan, tmp_path, [(140, 70) if number % 2 else (70, 140) for number in range(5)])


def compute(plan, folder, sizes):
    """What the network of a plan finds in pictures of these sizes and a file that is none, as `to_table` takes it."""
    tasks = []
    for number, size in enumerate(sizes):
        path = folder / f"p{number}.png"
        save_picture(path, number, size)
        tasks.append(Task(path, path.name, path.stat().st_size, 1.5, {"title": f"Nr. {number} „ä“"}))
    tasks.append(Task(folder / "gone.jpg", "gone.jpg", 0, 0.0))
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
        for maps, others in zip(map(coded, explanation.maps), told.maps, strict=True):
            assert (maps.method, tuple(maps.layers), maps.heads) == (others.method, others.layers, others.heads)
            for each in ("codes", "scales", "minima"):
                np.testing.assert_array_equal(getattr(maps, each), getattr(others, each))
        for kind in ("statistics", "tokens"):
            ours, theirs = getattr(explanation, kind), getattr(told, kind)
            assert list(ours) == list(theirs) and ours
            for each in ours:
                np.testing.assert_array_equal(ours[each], theirs[each])
    shards.remove(name)
    shards.close()
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize(
    ("methods", "statistics"),
    [
        (("cls", "rollout"), True),
        (("received", "rollout(fusion=max)", "cls"), False),
        (("rollout",), True),
        ((), True),
        ((), False),
    ],
)
def test_a_part_is_loaded_as_if_it_had_been_made_here(plan, tmp_path, methods, statistics):
    """Every row that the writer stores of a part, without pixels, is that which it stores of the pictures themselves."""
    plan = replace(plan, asked=tuple(map(Asked.parse, methods)), statistics=statistics)
    found, failures, names = compute(plan, tmp_path, [(140, 70), (70, 140), (140, 70), (70, 70), (70, 140), (140, 70)])
    grids = {(explanation.rows, explanation.cols) for _, explanation in found}
    assert len(grids) == 3 and len(failures) == 1
    stored = {}
    for name, items in (
        ("here", [*found, *failures]),
        ("part", list(from_table(to_table(found, failures, names)))),
    ):
        own, counts = empty(plan, tmp_path / f"{name}.duckdb"), Counts()
        with Writer(own, counts, lambda count: None) as writer:
            for item in items:
                writer.put(item)
        assert (counts.done, counts.failed) == (6, 1)
        stored[name] = every_row(own.db)
    assert stored["here"] == stored["part"]
    assert len(stored["here"]["feature"]) == len(stored["here"]["frame"]) == len(stored["here"]["thumbnail"]) == 6
    assert bool(stored["here"]["stored_map"]) == bool(methods)
    assert bool(stored["here"]["head_stat"]) == bool(stored["here"]["token_stat"]) == statistics


def empty(plan, db):
    """The plan for a database that is made, with the collection."""
    with connection.writing(db) as con:
        write.add_collection(con, "scans", None)
    return replace(plan, db=db, run_id=None, run=run_record(plan.backbone, "aspect", 56))


def every_row(db):
    """What an ingest has written, by table, but for the times."""
    kept = {
        "image": "EXCLUDE (added_at)", "failure": 'EXCLUDE ("at")', "thumbnail": "", "feature": "", "frame": "",
        "stored_map": "", "head_stat": "", "token_stat": "",
    }  # fmt: skip
    return {table: ask(db, f"SELECT * {columns} FROM {table} ORDER BY ALL") for table, columns in kept.items()}


def in_parts(plan, processed, shards):
    """Two parts of the five pictures, each with some of both shapes; {name: (key, place)}."""
    found, failures, names = processed
    pictures = [(batch[place], explanation, place) for batch, explanation in found for place in range(len(batch))]
    written = []
    for own in ({0, 1, 2}, {3, 4, 5}):
        here = [one_of(*each) for each in pictures if each[0].place in own]
        written.append(shards.write(to_table(here, failures if 5 in own else [], names)))
    return names, written


def one_of(prepared, explanation, place):
    """One picture of a batch with what was found in it."""
    one = slice(place, place + 1)
    return [prepared], replace(
        explanation,
        features=explanation.features[one],
        norms=explanation.norms[one],
        maps=[replace(maps, weights=maps.weights[one]) for maps in explanation.maps],
        statistics={name: values[one] for name, values in explanation.statistics.items()},
        tokens={name: values[one] for name, values in explanation.tokens.items()},
    )


def load_parts(plan, shards, wanted, **images):
    """Load all parts, as the engine does; what was counted."""
    counts, told = Counts(), []
    loading = Loading(shards, wanted, told.append, **images)
    with Writer(plan, counts, loading.committed, bulk=True) as writer:
        for name in shards.names():
            assert loading.load(name, writer)
        loading.flush(writer)
    loading.committed(0)
    assert sum(told) == counts.done + counts.failed
    return counts


def test_parts_are_loaded_together(plan, processed, tmp_path):
    found, failures, _ = processed
    shards = Shards(str(tmp_path / "parts"), "mark")
    names, written = in_parts(plan, processed, shards)
    assert len(set(written)) == 2
    direct, together = empty(plan, tmp_path / "direct.duckdb"), empty(plan, tmp_path / "together.duckdb")
    with Writer(direct, Counts(), lambda count: None) as writer:
        for item in [*found, *failures]:
            writer.put(item)
    counts = load_parts(together, shards, {key for key, _ in names.values()})
    assert (counts.done, counts.failed) == (5, 1)
    assert every_row(together.db) == every_row(direct.db)
    assert shards.names() == []


def test_only_what_is_wanted_of_a_part_is_loaded(plan, processed, tmp_path):
    shards = Shards(str(tmp_path / "parts"), "mark")
    names, _ = in_parts(plan, processed, shards)
    own = empty(plan, tmp_path / "some.duckdb")
    counts = load_parts(own, shards, {names["p1.png"][0], names["p4.png"][0]})
    assert (counts.done, counts.failed) == (2, 0)
    assert ask(own.db, "SELECT image_id, path FROM image ORDER BY ALL") == [(1, "p1.png"), (2, "p4.png")]
    assert shards.names() == []


def test_a_part_of_which_nothing_is_wanted_any_more_goes(plan, processed, tmp_path):
    """As after a kill between the commit and the removal of the part."""
    shards = Shards(str(tmp_path / "parts"), "mark")
    in_parts(plan, processed, shards)
    counts = load_parts(empty(plan, tmp_path / "all.duckdb"), shards, set())
    assert (counts.done, counts.failed) == (0, 0) and shards.names() == []


def test_a_part_stays_until_all_that_it_holds_is_committed(plan, processed, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 1)
    shards = Shards(str(tmp_path / "parts"), "mark")
    names, written = in_parts(plan, processed, shards)
    own = empty(plan, tmp_path / "stopped.duckdb")
    wanted, commit, commits = {key for key, _ in names.values()}, Writer._commit, []

    def stops(self, observed, failures):
        commits.append(len(observed))
        if len(commits) == 2:
            raise OSError("the power failed")
        commit(self, observed, failures)

    monkeypatch.setattr(Writer, "_commit", stops)
    with pytest.raises(OSError, match="the power failed"):
        load_parts(own, shards, set(wanted), images=1)
    assert commits == [2, 2], "both shapes of a part go at once"
    done = {path for (path,) in ask(own.db, "SELECT path FROM image")}
    assert len(done) in (2, 3) and shards.names() == [max(written)]
    counts = load_parts(own, shards, {key for name, (key, _) in names.items() if name not in done})
    assert counts.done == 5 - len(done) and shards.names() == []
    assert ask(own.db, "SELECT count(*), count(DISTINCT image_id) FROM feature") == [(5, 5)]


def test_parts_of_another_format_are_not_looked_at(plan, monkeypatch):
    mark = fingerprint_of(plan)
    monkeypatch.setattr("ingest.engines.shards.FORMAT", 1)
    assert fingerprint_of(plan) != mark


def rows(item):
    return item[1].rows


def test_a_part_that_was_cut_short_counts_as_none(plan, processed, tmp_path):
    shards = Shards(f"file://{tmp_path}/parts", "mark")
    assert shards.names() == []
    name = shards.write(to_table(*processed))
    file = tmp_path / "parts" / "mark" / name
    file.write_bytes(file.read_bytes()[:-5])
    assert shards.read(name) is None and shards.read("other.parquet") is None


def test_what_is_damaged_or_no_part_counts_as_none(plan, processed, tmp_path):
    shards = Shards(str(tmp_path / "parts"), "mark")
    name = shards.write(to_table(*processed))
    file = tmp_path / "parts" / "mark" / name
    whole = file.read_bytes()
    random, read = np.random.default_rng(0), 0
    for place in random.integers(len(whole), size=200).tolist():
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        table = shards.read(name)
        if table is not None:
            read += 1
            assert table.equals(to_table(*processed))
    assert read < 100
    other = pa.table({"title": ["of another program"]})
    pq.write_table(other, file)
    (file.parent / "folder.parquet").mkdir()
    assert shards.read(name) is None and shards.names() == [name]


def test_other_settings_and_other_files_have_other_parts(plan):
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
