"""`evaluate`: a head that is perfect by construction is found, and those that know nothing come out at chance."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from ingest.evaluation.truths import read_mask
from store import evaluations
from store.connection import reading
from tests.support.commands import run
from tests.support.databases import ask
from tests.support.evaluations import HEIGHT, ODD, PERFECT, WIDTH, boxes, planted

PICTURES = 24
SPLITS = ("all", "choosing", "held-out")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluate") / "planted.duckdb"
    planted(path, PICTURES)
    return path


@pytest.fixture(scope="module")
def evaluated(made):
    """The database with an evaluation by boxes, and what the command said."""
    path = made.with_name("evaluated.duckdb")
    shutil.copy(made, path)
    result = run("evaluate", "--run", 1, "--truth", "boxes:boxes", "--random-run", 2, "--json", db=path)
    assert result.code == 0, result.err
    return path, result


@pytest.fixture
def db(made, tmp_path):
    return shutil.copy(made, tmp_path / "copy.duckdb")


def rows(db, **same):
    tests = " AND ".join(f"{name} = ?" for name in same)
    query = f"SELECT layer, head, value, low, high, baseline_area, baseline_random, p_holm, n FROM evaluations WHERE {tests} ORDER BY ALL"
    return ask(db, query, *same.values())


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    "metric",
    [
        "relevance_mass",
        "pointing_game",
        "relevance_rank",
        "auprc",
        "best_iou",
        "box_acc_30",
        "box_acc_50",
        "box_acc_70",
    ],
)
def test_the_perfect_head_is_1_and_no_other(evaluated, metric, split):
    db, _ = evaluated
    found = rows(db, method="cls", metric=metric, split=split, size="")
    assert len(found) == 4
    for layer, head, value, low, high, area, _, p_holm, n in found:
        assert n == (PICTURES if split == "all" else PICTURES // 2)
        if (layer, head) == PERFECT:
            assert value == low == high == 1 and p_holm < 0.01
        else:
            assert value < 0.75 and low <= value <= high
        if not metric.startswith("box"):
            assert area == pytest.approx(4 / 20)


def test_heads_that_know_nothing_come_out_at_chance(evaluated):
    """The intervals of the pointing game and of the energy inside hold the area, and so do the random weights."""
    db, _ = evaluated
    for metric in ("pointing_game", "relevance_mass"):
        found = [
            *rows(db, method="cls", metric=metric, split="all"),
            *rows(db, method="rollout", metric=metric, split="all"),
        ]
        others = [row for row in found if row[:2] != PERFECT]
        assert len(found) == 6 and len(others) == 5
        for _, _, value, low, high, area, random, p_holm, _ in others:
            assert low <= area <= high and value == pytest.approx(0.2, abs=0.2) and p_holm > 0.05
            assert random == pytest.approx(0.2, abs=0.12)


def test_the_baseline_of_random_weights_is_the_mean_over_a_layers_heads(evaluated):
    db, _ = evaluated
    with reading(db) as con:
        ids = [number for (number,) in con.execute("SELECT DISTINCT image_id FROM evaluation_images").fetchall()]
        maps = [each for each in evaluations.run_maps(con, 2, ids) if each.method == "cls"]
    truth = {
        row[0]: np.array(row[1]).reshape(4, 5) / 255
        for row in ask(db, "SELECT image_id, coverage FROM evaluation_truth")
    }
    for layer in (0, 1):
        shares = [
            (weights * truth[int(each.image_ids[0])]).sum() / weights.sum()
            for each in maps
            for weights in each.weights[each.layers == layer]
        ]
        found = {row[6] for row in rows(db, method="cls", metric="relevance_mass", split="all", layer=layer)}
        assert len(shares) == 2 * PICTURES and list(found) == [pytest.approx(np.mean(shares))]


def test_single_pictures_and_both_halves_are_stored(evaluated):
    db, result = evaluated
    counts = dict(ask(db, "SELECT split, count(DISTINCT image_id) FROM evaluation_images GROUP BY split"))
    assert counts == {"choosing": PICTURES // 2, "held-out": PICTURES // 2}
    perfect = ask(
        db, "SELECT relevance_mass, auprc FROM evaluation_images WHERE method = 'cls' AND layer = 1 AND head = 1"
    )
    assert len(perfect) == PICTURES and set(perfect) == {(1.0, 1.0)}
    halves = {split: rows(db, method="cls", metric="auprc", split=split, layer=0, head=0)[0][2] for split in SPLITS}
    assert halves["all"] == pytest.approx((halves["choosing"] + halves["held-out"]) / 2)
    best = result.counts["best"]
    assert (best["layer"], best["head"], best["held_out"], best["area"]) == (*PERFECT, 1, 0.2)


def test_pictures_without_a_truth_are_told_and_never_count_as_0(evaluated):
    _, result = evaluated
    assert result.counts["images"] == PICTURES and result.counts["unknown"] == 1
    assert set(result.counts["left_out"]) == set(ODD)
    for name, (_, reason) in ODD.items():
        assert result.counts["left_out"][name].startswith(reason), name
    assert "left out outside.png: the network saw 0% of its truth" in result.err


def test_again_replaces_and_another_truth_adds(db):
    for truth, pictures in (("boxes:boxes", 24), ("regions:face", 8), ("boxes:boxes", 24), ("tag:portrait", 4)):
        found = run("evaluate", "--run", 1, "--truth", truth, "--json", db=db)
        assert found.code == 0 and found.counts["images"] == pictures, found.err
    some = run("evaluate", "--run", 1, "--truth", "boxes:boxes", "--where", "school = 'first'", "--json", db=db)
    assert some.counts["images"] == 12
    stored = ask(db, "SELECT truth, condition, images FROM evaluation ORDER BY evaluation_id")
    assert stored == [
        ("boxes:boxes", "", 24),
        ("regions:face", "", 8),
        ("tag:portrait", "", 4),
        ("boxes:boxes", "school = 'first'", 12),
    ]
    assert ask(db, "SELECT count(*) FROM (SELECT DISTINCT * FROM evaluation_result)") == ask(
        db, "SELECT count(*) FROM evaluation_result"
    )
    # Regions of the dashboard are the same boxes as those of the table.
    both = ask(
        db,
        "SELECT count(DISTINCT value) FROM evaluations WHERE metric = 'relevance_mass' AND head = 1 AND layer = 1 AND method = 'cls' AND split = 'all' AND truth IN ('regions:face', 'boxes:boxes')",
    )
    assert both == [(1,)]


def test_mask_files(db, tmp_path):
    """Masks of half the size, as class numbers, in a folder below; one is damaged, one has another shape."""
    folder = tmp_path / "masks" / "deep"
    folder.mkdir(parents=True)
    names = [f"{i:02}" for i in range(6)]
    for name, (x, y, width, height) in zip(names, boxes(PICTURES), strict=False):
        mask = np.zeros((HEIGHT * 2, WIDTH * 2), np.uint8)
        mask[2 * y : 2 * (y + height), 2 * x : 2 * (x + width)] = 3
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "masks" / "06.png").write_bytes(b"no picture")
    square = Image.new("L", (50, 50), 255)
    square.putpixel((0, 0), 0)
    square.save(tmp_path / "masks" / "07.png")
    found = run("evaluate", "--run", 1, "--truth", f"masks:{tmp_path / 'masks'}", "--json", db=db)
    assert found.code == 0 and found.counts["images"] == 6, found.err
    assert found.counts["left_out"]["06.png"].startswith("its mask 06.png cannot be read")
    assert "another shape than the picture" in found.counts["left_out"]["07.png"]
    assert found.counts["best"]["held_out"] == 1


def written(path, pixels, **more):
    Image.fromarray(np.asarray(pixels, np.uint8), **more).save(path)
    return path


def test_masks_on_nothing_and_with_blurred_edges(tmp_path):
    wanted = np.zeros((40, 60), bool)
    wanted[10:20, 30:45] = True
    on_nothing = np.full((40, 60, 4), 255)
    on_nothing[..., 3] = 255 * wanted
    assert (read_mask(written(tmp_path / "rgba.png", on_nothing)) == wanted).all()
    grey = np.dstack([np.full((40, 60), 255), 255 * wanted])
    assert (read_mask(written(tmp_path / "la.png", grey)) == wanted).all()
    blurred = np.where(wanted, 255, 0)
    blurred[10, 30:33], blurred[9, 30:33] = 170, 40
    assert (read_mask(written(tmp_path / "blurred.png", blurred)) == wanted).all()
    assert (read_mask(written(tmp_path / "one-class.png", wanted)) == wanted).all()


@pytest.mark.parametrize("values", [(1, 255), (1, 15), (1, 2, 3), (60, 200)])
def test_a_mask_of_several_classes_is_refused(tmp_path, values):
    pixels = np.zeros((40, 60), np.uint8)
    for place, value in enumerate(values):
        pixels[10 * place : 10 * place + 8, 5:50] = value
    with pytest.raises(ValueError, match="as of several classes"):
        read_mask(written(tmp_path / "classes.png", pixels))


def test_a_mask_that_is_white_all_over_is_refused(tmp_path):
    with pytest.raises(ValueError, match="white all over"):
        read_mask(written(tmp_path / "white.png", np.full((40, 60), 255)))


def test_a_run_with_the_same_weights_or_another_crop_is_no_baseline(made):
    result = run("evaluate", "--run", 1, "--truth", "regions", "--random-run", 1, db=made)
    assert result.code != 0 and "has the very weights of run 1" in result.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--truth", "faces"], "--truth is masks:FOLDER, boxes:COLUMN, regions, regions:NOTE or tag:TAG, not 'faces'"),
        (["--truth", "boxes:box"], "The collection 'planted' has no column 'box'; it has boxes, school"),
        (
            ["--truth", "boxes:school"],
            "No picture of 'planted' has a truth by 'boxes:school' that run 1 has seen (its boxes are expected as",
        ),
        (["--truth", "masks:nowhere"], "There is no folder nowhere with masks"),
        (
            ["--truth", "regions:foot"],
            "Nobody has drawn regions with the note 'foot' in 'planted'; draw them on the page Picture. The notes there are: Face, hand.",
        ),
        (["--truth", "tag:landscape"], "in pictures with the tag 'landscape'"),
        (["--truth", "regions", "--where", "artist = 1"], "cannot be asked of the catalogue"),
        (["--truth", "regions", "--where", "school = 'third'"], "No picture of 'planted' has a truth"),
        (["--truth", "regions", "--run", 9], "there is no run 9"),
        (["--truth", "regions", "--random-run", 2, "--random-weights"], "give one of them"),
    ],
)
def test_what_cannot_be_is_said(made, words, sentence):
    result = run("evaluate", *([] if "--run" in words else ["--run", 1]), *words, db=made)
    assert result.code == 2 and sentence in result.err, result.err
    assert ask(made, "SELECT count(*) FROM evaluation") == [(0,)]


def test_random_weights_and_faithfulness_of_a_network(tmp_path):
    """A tiny network over cluttered digits: the maps of random weights are other maps on the same truth."""
    db, folder = tmp_path / "a.duckdb", tmp_path / "digits"
    made = run("synth", "cluttered", folder, "--train", 4, "--test", 0, "--canvas", 60, "--digit", 20)
    assert made.code == 0, made.err
    made = run("run", folder, "--model", "tiny:dinov2", "--size", 56, "--project", "none", db=db)
    assert made.code == 0, made.err
    words = ("--truth", f"masks:{folder / '.masks'}", "--random-weights", "--faithfulness", 1, "--faithful-pictures", 1)
    found = run("evaluate", *words, "--json", db=db)
    assert found.code == 0 and found.counts["images"] == 4, found.err
    differing = ask(
        db,
        "SELECT count(*) FILTER (baseline_random IS NULL), count(*) FILTER (baseline_random <> value) FROM evaluations WHERE metric = 'relevance_mass'",
    )
    assert differing[0][0] == 0 and differing[0][1] > 0
    faithful = ask(
        db,
        "SELECT metric, split, n, baseline_area FROM evaluations WHERE metric IN ('deletion', 'insertion') ORDER BY metric",
    )
    assert [row[:3] for row in faithful] == [("deletion", "held-out", 1), ("insertion", "held-out", 1)]
    assert all(-1 <= row[3] <= 1 for row in faithful)
    settings = json.loads(ask(db, "SELECT settings FROM evaluation")[0][0])
    assert settings["random_weights"] is True and settings["faithfulness"] == 1
