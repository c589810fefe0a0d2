"""`explain`: maps that explain a target, for a collection, a selection or one image, again and again."""

import shutil

import duckdb
import numpy as np
import pytest
import torch

from ingest import notation, pipeline
from ingest.vision import explaining
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked, explain_pictures
from ingest.vision.geometry import fit_image
from ingest.vision.loader import decode
from ingest.vision.targets import Bank, make_target
from tests.support.commands import TINY, run
from tests.support.databases import ask
from tests.support.pictures import save_picture, save_scans

CLASSIFIER = ("--model", "tiny:timm-classifier", "--project", "none")


def contents(db) -> list[tuple]:
    """How many rows each table holds."""
    tables = ("run", "stored_map", "head_stat", "feature", "head_importance", "prediction", "failure")
    return ask(db, " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The nine pictures, and the database of a run over them. Copy it before changing it: `explained` does."""
    folder = save_scans(tmp_path_factory.mktemp("explain") / "scans")
    assert run("run", folder, *CLASSIFIER, db=folder.parent / "ran.duckdb").code == 0
    return folder, folder.parent / "ran.duckdb"


@pytest.fixture
def explained(ran, command):
    """Commands for a copy of that database."""
    command.folder = ran[0]
    shutil.copy(ran[1], command.db)
    return command


def test_each_picture_explains_its_own_predicted_class(explained):
    result = explained("explain", "--target", "class:predicted", "--json")
    assert result.code == 0 and result.counts["new"] == 9 and result.counts["methods"] == ["daam"]
    predictions = ask(explained.db, "SELECT image_id, class, name, probability FROM predictions ORDER BY 1")
    assert len(predictions) == 9 and all(0 < share <= 1 for *_, share in predictions)
    maps = ask(
        explained.db, "SELECT image_id, target, count(*) FROM attention WHERE method = 'daam' GROUP BY ALL ORDER BY 1"
    )
    assert maps == [(image, f"class:{number}", 3) for image, number, *_ in predictions]
    again = explained("explain", "--target", "class:predicted", "--json")
    assert again.counts["new"] == 0 and again.counts["already"] == 9

    backbone = load("tiny:timm-classifier")
    path, image = ask(explained.db, "SELECT path, image_id FROM images ORDER BY image_id")[4]
    pixels, _ = fit_image(decode(explained.folder / path).image, backbone.rule, "crop")
    alone = explain_pictures(
        backbone, torch.from_numpy(pixels.copy())[None], [Asked("daam")], make_target("class:predicted", backbone)
    )
    stored = ask(
        explained.db, "SELECT weights FROM attention WHERE method = 'daam' AND image_id = ? ORDER BY layer", image
    )
    expected = alone.maps[0].weights[0].numpy()
    np.testing.assert_allclose([row for (row,) in stored], expected, atol=expected.max() * 6e-3)
    important = ask(
        explained.db, "SELECT importance FROM head_importances WHERE image_id = ? ORDER BY layer, head", image
    )
    np.testing.assert_allclose(np.ravel(important), alone.importance.numpy().ravel(), rtol=1e-3, atol=1e-6)


def test_a_chosen_class_is_kept_beside_the_predicted_one(explained):
    explained("explain", "--target", "class:predicted")
    assert explained("explain", "--target", "class:3", "--json").counts["new"] > 0
    assert {target for (target,) in ask(explained.db, "SELECT DISTINCT target FROM attention WHERE target <> ''")} >= {
        "class:3"
    }
    assert explained("explain", "--target", "class:predicted", "--json").counts["new"] == 0


def test_neighbours_leave_out_the_picture_itself(explained):
    assert explained("explain", "--target", "neighbours:2", "--methods", "daam,chefer,gradient_rollout").code == 0
    counts = ask(
        explained.db, "SELECT method, count(*) FROM attention WHERE target = 'neighbours:2' GROUP BY 1 ORDER BY 1"
    )
    assert counts == [("chefer", 27), ("daam", 27), ("gradient_rollout", 27)]
    rows = ask(explained.db, "SELECT image_id, vector, path FROM features JOIN images USING (image_id) ORDER BY 1")
    bank = Bank(np.array([row[0] for row in rows]), np.array([row[1] for row in rows], np.float32))
    backbone = load("tiny:timm-classifier")
    image, _, path = rows[0]
    pixels, _ = fit_image(decode(explained.folder / path).image, backbone.rule, "crop")
    target = make_target("neighbours:2", backbone, bank)
    alone = explain_pictures(
        backbone, torch.from_numpy(pixels.copy())[None], [Asked("daam")], target, image_ids=[image]
    )
    stored = ask(explained.db, "SELECT weights FROM attention_map(1, ?, 'daam', 2, NULL)", image)[0][0]
    expected = alone.maps[0].weights[0, 2].numpy()
    np.testing.assert_allclose(stored, expected, atol=expected.max() * 6e-3)


def test_only_the_images_that_are_meant(explained):
    assert explained("explain", "--target", "image:2", "--images", "3,5", "--json").counts["new"] == 2
    assert explained("explain", "--target", "image:2", "--where", "year >= 1507", "--json").counts["new"] == 2
    found = ask(explained.db, "SELECT DISTINCT image_id FROM attention WHERE target = 'image:2'")
    titles = ask(explained.db, "SELECT image_id FROM catalogue WHERE year >= 1507")
    assert {image for (image,) in found} == {3, 5} | {image for (image,) in titles}


def test_a_label_of_the_table_and_a_tag(explained):
    assert explained("explain", "--target", "label:title=Picture 3", "--images", "1").code == 0
    with duckdb.connect(str(explained.db)) as con:
        con.execute("INSERT INTO tag VALUES (2, 'boat', NULL, now()::TIMESTAMP), (4, 'boat', NULL, now()::TIMESTAMP)")
    assert explained("explain", "--target", "label:tag=boat", "--images", "1").code == 0
    assert len(ask(explained.db, "SELECT * FROM attention WHERE target LIKE 'label:%'")) == 6


def test_options_are_part_of_the_name(explained):
    words = ("--methods", "rollout(fusion=max,discard=0.5),query(token=r0c1)", "--images", "1")
    assert explained("explain", *words).code == 0
    found = ask(explained.db, "SELECT method, count(*) FROM attention WHERE method LIKE '%(%' GROUP BY 1 ORDER BY 1")
    assert found == [("query(token=r0c1)", 6), ("rollout(discard=0.5,fusion=max)", 3)]
    assert ask(explained.db, "SELECT count(*) FROM attention WHERE method = 'rollout'") == [(27,)]


@pytest.fixture
def shapes(tmp_path):
    """A square, a broad and two tall pictures."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name, size in {"a": (80, 80), "b": (40, 160), "c": (160, 40), "d": (40, 160)}.items():
        save_picture(folder / f"{name}.png", 1, size)
    return folder


def test_pictures_whose_grid_lacks_the_patch_are_failures_and_the_others_are_done(shapes, command):
    assert command("run", shapes, *TINY, "--fit", "aspect").code == 0
    result = command("explain", "--methods", "query(token=r4c1)", "--json")
    assert result.code == 0, result.err
    assert (result.counts["new"], result.counts["failed"]) == (2, 2)
    rows = ask(command.db, "SELECT path, stage, error FROM failures ORDER BY path")
    assert rows == [
        ("a.png", "explain", "there is no patch r4c1: the last one of the grid is r3c3"),
        ("c.png", "explain", "there is no patch r4c1: the last one of the grid is r1c7"),
    ]
    shown = "SELECT DISTINCT path FROM attention JOIN images USING (image_id) WHERE method LIKE 'query%' ORDER BY path"
    assert ask(command.db, shown) == [("b.png",), ("d.png",)]


def test_a_patch_that_no_picture_of_the_run_can_have_is_refused_at_once(explained):
    before = contents(explained.db)
    result = explained("explain", "--methods", "query(token=r40c1)")
    assert result.code != 0 and "no patch r40c1: the last one of the grid is r3c3" in result.err
    assert contents(explained.db) == before


@pytest.mark.parametrize("error", [IndexError("row 7"), ZeroDivisionError("no mass")])
def test_a_method_that_fails_at_some_pictures_does_not_lose_the_others(shapes, command, monkeypatch, error):
    assert command("run", shapes, *TINY, "--fit", "aspect").code == 0
    whole = explaining.explain_pictures

    def failing(backbone, batch, *more):
        if batch.shape[1] < batch.shape[2]:
            raise error
        return whole(backbone, batch, *more)

    monkeypatch.setattr(explaining, "explain_pictures", failing)
    result = command("explain", "--methods", "query", "--json")
    assert (result.code, result.counts["new"], result.counts["failed"]) == (0, 3, 1)
    assert ask(command.db, "SELECT path, error FROM failures") == [("c.png", f"{type(error).__name__}: {error}")]


@pytest.mark.parametrize("error", [RuntimeError("the GPU is lost"), MemoryError(), ValueError("no such layer")])
def test_what_holds_for_every_picture_ends_the_work(shapes, command, monkeypatch, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(explaining, "explain_pictures", failing)
    assert command("run", shapes, *TINY).code != 0
    assert ask(command.db, "SELECT count(*) FROM failures") == [(0,)]


def test_an_interrupted_explanation_goes_on_where_it_was(explained, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 2)
    whole, calls = pipeline.observations, []

    def failing(plan, batch):
        calls.append(len(batch))
        if len(calls) == 3:
            raise OSError("the power failed")
        yield from whole(plan, batch)

    monkeypatch.setattr(pipeline, "observations", failing)
    words = ("explain", "--target", "neighbours:3", "--batch-size", "2", "--json")
    broken = explained(*words)
    assert broken.code == 1 and "the power failed" in broken.err
    monkeypatch.setattr(pipeline, "observations", whole)
    after = explained(*words)
    assert (after.counts["new"], after.counts["already"]) == (5, 4)
    counts = ask(explained.db, "SELECT image_id, count(*) FROM attention WHERE method = 'daam' GROUP BY 1")
    assert sorted(counts) == [(image, 3) for image in range(1, 10)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--target", "class:9"), "no class 9"),
        (("--target", "class:tabby"), "no class called 'tabby'"),
        (("--target", "image:77"), "holds no image 77"),
        (("--target", "neighbours:all"), "a number of neighbours"),
        (("--target", "tabby"), "is no target"),
        (("--target", "words: "), "is no target"),
        (("--target", "words:a boat"), "lie in no space with texts, so words:a boat cannot be explained"),
        (("--target", "label:title=Nothing"), "no picture of this run has 'Nothing'"),
        (("--target", "label:artist=Hokusai"), "no column 'artist'"),
        (("--methods", "daam"), "it explains a target"),
        (("--methods", "pooling"), "has no pooling head"),
        (("--methods", "rollout(fusion=sum)"), "mean, max, min"),
        (("--images", "1,x"), "expects ids"),
        (("--images", "99"), "holds no image 99"),
        (("--where", "yeer = 3"), "cannot be asked of the catalogue"),
        (("--where", "1=1); DROP TABLE image; SELECT (1"), "cannot be asked"),
        (("--where", "year = 3"), "no image of the collection"),
        (("--run", "7"), "no run 7"),
    ],
    ids=str,
)
def test_wrong_words_write_nothing(explained, words, says):
    before = contents(explained.db)
    result = explained("explain", *words)
    assert result.code in (1, 2) and "Traceback" not in result.err
    assert any(each in result.err for each in says.split("|")), result.err
    assert contents(explained.db) == before


def test_a_network_without_a_head_has_no_classes(folder, command):
    command("run", folder, *TINY)
    before = contents(command.db)
    result = command("explain", "--target", "class:predicted")
    assert result.code == 2 and "has no classifier" in result.err
    assert contents(command.db) == before


def test_an_image_of_another_run_is_no_target(folder, tmp_path, command):
    """Image 10 is in the database, but this run has not seen it."""
    command("run", folder, *TINY)
    other = tmp_path / "other"
    other.mkdir()
    (folder / "p0.jpg").rename(other / "p0.jpg")
    command("run", other, *TINY)
    result = command("explain", "--run", "1", "--target", "image:10")
    assert result.code == 2 and "holds no image 10" in result.err


def test_head_stats_and_token_norms_are_stored_with_the_run(folder, command):
    command("run", folder, *TINY)
    rows = ask(command.db, "SELECT entropy_mean, effective_patches FROM head_stats")
    assert len(rows) == 54 and all(0 < entropy <= np.log(17) and 1 <= many <= 16 for entropy, many in rows)
    norms = ask(command.db, "SELECT outliers, norm_median, norm_max FROM token_stats")
    assert len(norms) == 9 and all(0 <= share <= 1 and 0 < median <= top for share, median, top in norms)


def test_names_with_options_are_split_at_the_right_commas():
    assert notation.split_names("cls, rollout(fusion=max,discard=0.9),none,daam") == [
        "cls", "rollout(fusion=max,discard=0.9)", "daam",
    ]  # fmt: skip


def test_the_methods_are_listed(command):
    result = command("methods", "--json", db=None)
    keys = [row["key"] for row in result.counts["methods"]]
    assert {"cls", "rollout", "daam", "chefer", "gradient_rollout", "flow"} <= set(keys)
