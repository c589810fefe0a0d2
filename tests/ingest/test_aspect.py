"""Whole pictures of many shapes through the pipeline: batches of one grid each, and all of them stored."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from PIL import Image

from ingest import pipeline
from ingest.pipeline import Plan
from ingest.runs import chosen_fit
from ingest.task import Task
from ingest.vision.backbones import PUBLISHED, load
from ingest.vision.backbones.from_transformers import network_of
from ingest.vision.backbones.registry import usual_fit
from ingest.vision.geometry import aspect_grid, fit_image
from ingest.vision.loader import Decoded
from tests.support.databases import ask
from tests.support.pictures import save_picture

TINY = ("--model", "tiny:dinov2", "--fit", "aspect", "--project", "none")
SHAPES = ((90, 70), (70, 90), (80, 80), (160, 40), (90, 71))


@pytest.fixture
def shapes(tmp_path):
    """Fourteen pictures of five shapes, in turn."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for number in range(14):
        save_picture(folder / f"p{number:02}.png", number, SHAPES[number % len(SHAPES)])
    return folder


def test_pictures_of_many_shapes_are_all_stored_each_with_its_grid(shapes, command):
    result = command("run", shapes, *TINY, "--batch-size", "3", "--json")
    assert result.code == 0 and (result.counts["new"], result.counts["failed"]) == (14, 0)
    rows = ask(
        command.db,
        "SELECT path, width, height, x0, y0, x1, y1, rows, cols FROM images JOIN frames USING (image_id) ORDER BY image_id",
    )
    assert [path for path, *_ in rows] == [f"p{number:02}.png" for number in range(14)]  # in the folder's order
    for _, width, height, *box, height_cells, width_cells in rows:
        assert box == [0, 0, width, height]
        assert (height_cells, width_cells) == aspect_grid(width, height, 16)
    assert ask(command.db, "SELECT DISTINCT fit, size FROM runs") == [("aspect", 56)]
    wrong = """
        SELECT count(*) FROM attention a JOIN frames f USING (run_id, image_id)
        WHERE (a.rows, a.cols) <> (f.rows, f.cols) OR len(a.weights) <> f.rows * f.cols
    """
    assert ask(command.db, wrong) == [(0,)]
    assert ask(command.db, "SELECT count(*) FROM attention") == [(14 * (3 * 2 + 3),)]
    again = command("run", shapes, *TINY, "--json")
    assert (again.counts["new"], again.counts["already"]) == (0, 14)
    save_picture(shapes / "p99.png", 99, (40, 160))
    assert command("run", shapes, *TINY, "--json").counts["new"] == 1


def test_ids_are_in_the_order_of_the_folder_whichever_grid_was_done_first(shapes, command, monkeypatch):
    """Five grids in turn, batches of three, a commit for each batch: the first batch ends with the eleventh picture."""
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 3)
    (shapes / "p05.png").write_bytes(b"no picture")
    result = command("run", shapes, *TINY, "--batch-size", "3", "--json")
    assert (result.counts["new"], result.counts["failed"]) == (13, 1)
    names = [f"p{number:02}.png" for number in range(14) if number != 5]
    assert ask(command.db, "SELECT path, image_id FROM images ORDER BY path") == list(
        zip(names, range(1, 14), strict=True)
    )
    assert ask(command.db, "SELECT count(*) FROM features") == [(13,)]


def test_what_was_read_but_not_looked_at_is_looked_at_next_time(shapes, command, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 3)
    whole, calls = pipeline.observations, []

    def failing(plan, batch):
        calls.append(batch)
        if len(calls) == 3:
            raise OSError("the power failed")
        yield from whole(plan, batch)

    monkeypatch.setattr(pipeline, "observations", failing)
    assert command("run", shapes, *TINY, "--batch-size", "3").code == 1
    looked_at = ask(command.db, "SELECT count(*) FROM features")[0][0]
    assert looked_at == 6
    monkeypatch.setattr(pipeline, "observations", whole)
    after = command("run", shapes, *TINY, "--batch-size", "3", "--json")
    assert (after.counts["new"], after.counts["already"]) == (8, 6)
    names = [f"p{number:02}.png" for number in range(14)]
    assert ask(command.db, "SELECT path, image_id FROM images ORDER BY path") == list(
        zip(names, range(1, 15), strict=True)
    )


def test_a_batch_of_many_gives_what_batches_of_one_give(shapes, command, tmp_path):
    other = tmp_path / "one.duckdb"
    assert command("run", shapes, *TINY, "--batch-size", "8").code == 0
    assert command("run", shapes, *TINY, "--batch-size", "1", db=other).code == 0
    query = "SELECT path, vector FROM features JOIN images USING (image_id) ORDER BY path"
    for (path, vector), (same, alone) in zip(ask(command.db, query), ask(other, query), strict=True):
        assert path == same
        np.testing.assert_allclose(vector, alone, atol=1e-6)


def test_explaining_continues_with_the_grids_of_the_run(shapes, command):
    assert command("run", shapes, *TINY).code == 0
    result = command("explain", "--methods", "daam,chefer,query", "--target", "neighbours:3")
    assert result.code == 0, result.err
    found = ask(
        command.db,
        """SELECT method, count(DISTINCT image_id), bool_and(a.rows = f.rows AND a.cols = f.cols)
        FROM attention a JOIN frames f USING (run_id, image_id) GROUP BY method ORDER BY method""",
    )
    assert found == [(method, 14, True) for method in ("chefer", "cls", "daam", "query", "rollout")]


def test_a_network_of_one_grid_is_refused_before_anything_is_made(shapes, command):
    result = command("run", shapes, "--model", "tiny:timm-beit", "--fit", "aspect")
    assert result.code != 0
    assert "takes squares of 56 × 56 pixels alone" in result.err and "crop, stretch or pad" in result.err
    assert ask(command.db, "SELECT count(*) FROM runs") == [(0,)]


# ---- how batches fill up -------------------------------------------------------------------------------------------


def filled(sizes, batch_size, tmp_path):
    """The places of the pictures of these sizes, batch by batch, and the network that they are for."""
    backbone = load("tiny:vit")
    tasks = [
        Task(
            tmp_path / str(number),
            str(number),
            0,
            0.0,
            read=lambda size=size: Decoded(Image.new("RGB", size), "0" * 64, 0),
        )
        for number, size in enumerate(sizes)
    ]
    plan = Plan(tmp_path / "none.duckdb", 1, "run", backbone, 1, fit="aspect", batch_size=batch_size)
    made = pipeline.batches(plan, pipeline.prepared_pictures(plan, tasks))
    return [[each.place for each in batch] for batch, _ in made if batch], backbone


def test_batches_hold_one_grid_and_fill_up_across_the_stream(tmp_path):
    broad, tall = (160, 40), (40, 160)
    found, _ = filled([broad, tall] * 6, 3, tmp_path)
    assert found == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]


def test_a_picture_of_a_rare_shape_does_not_wait_for_the_end(tmp_path):
    sizes = [(160, 40), *[(80, 80)] * 40]
    found, _ = filled(sizes, 2, tmp_path)
    place = next(number for number, batch in enumerate(found) if 0 in batch)
    assert found[place] == [0]
    assert max(max(batch) for batch in found[:place]) <= pipeline.WAITING_BATCHES * 2
    assert sorted(chain(*found)) == list(range(41))


def test_never_more_wait_than_the_bound(tmp_path):
    random = np.random.default_rng(0)
    sizes = [tuple(size) for size in random.integers(20, 400, (150, 2)).tolist()]
    found, backbone = filled(sizes, 4, tmp_path)
    assert sorted(chain(*found)) == list(range(150))
    newest = 0
    for batch in found:
        grids = {fit_image(Image.new("RGB", sizes[place]), backbone.rule, "aspect")[0].shape for place in batch}
        assert len(grids) == 1 and len(batch) <= 4
        newest = max(newest, *batch)
        assert newest - batch[0] <= pipeline.WAITING_BATCHES * 4 + 4 or newest == 149


# ---- which fit, unless somebody says ---------------------------------------------------------------------------------


def test_auto_is_what_suits_the_network_and_then_what_was_done_before(shapes, command):
    backbone = load("tiny:dinov2")
    whole = replace(backbone, network=replace(backbone.network, fit="aspect"))
    assert chosen_fit(command.db, whole, "auto") == "aspect"
    assert chosen_fit(command.db, backbone, "auto") == "crop"
    assert command("run", shapes, "--model", "tiny:dinov2", "--fit", "stretch", "--methods", "none").code == 0
    assert chosen_fit(command.db, whole, "auto") == "stretch"
    assert chosen_fit(command.db, whole, "pad") == "pad"
    assert chosen_fit(command.db, load("tiny:vit"), "auto") == "crop"
    again = command("run", shapes, "--model", "tiny:dinov2", "--methods", "none", "--json")
    assert (again.counts["new"], again.counts["already"]) == (0, 14)


def test_dinov2_sees_whole_pictures_unless_somebody_says_otherwise():
    assert [usual_fit(model.family) for model in (PUBLISHED["dinov2-small"], PUBLISHED["clip-base-16"])] == [
        "aspect",
        "model",
    ]
    module = load("tiny:dinov2").network.module
    assert network_of(module, load("tiny:dinov2").rule, "one from a file").fit == "aspect"
    assert network_of(load("tiny:vit").network.module, load("tiny:vit").rule, "another").fit == "model"
