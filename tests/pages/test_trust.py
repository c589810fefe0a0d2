"""The page Trust: the planted head is first, its pictures have the truth outlined, and a question has its line."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dashboard.data import jobs
from dashboard.views.trust import examples, figures
from ingest.vision.geometry import Frame
from store.evaluations import StoredTruth
from tests.support.commands import run
from tests.support.evaluations import COLS, HEIGHT, ODD, PATCH, PERFECT, ROWS, WIDTH, X0, Y0, planted
from tests.support.pages import choose, walls

FRAME = Frame(X0, Y0, X0 + PATCH * COLS, Y0 + PATCH * ROWS, ROWS, COLS)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("trust") / "planted.duckdb"
    planted(path)
    return path


@pytest.fixture(scope="module")
def evaluated(made):
    path = made.with_name("evaluated.duckdb")
    shutil.copy(made, path)
    result = run("evaluate", "--run", 1, "--truth", "boxes:boxes", "--random-run", 2, db=path)
    assert result.code == 0, result.err
    return path


@pytest.fixture
def page(evaluated, monkeypatch, open_page):
    monkeypatch.setenv("BILDERATLAS_DB", str(evaluated))
    return open_page("trust", run=1)


def matrix(page) -> dict:
    (found,) = [each for each in page.get("plotly_chart") if each.proto.id.endswith("trust_matrix")]
    return json.loads(found.proto.spec)


def test_the_planted_head_is_first_and_said_in_a_sentence(page):
    assert not page.exception
    sentence = page.success[0].value.replace("\\", "")
    assert sentence.startswith("Of 6 maps, cls · layer 1, head 1 is the best on the 12 pictures")
    assert "On the 12 others it comes to 1.00 [1.00, 1.00], chance 0.20, random weights 0.2" in sentence
    ranking = page.dataframe[-1].value
    assert ranking["map"].tolist()[0] == "cls · layer 1, head 1" and len(ranking) == 6
    assert np.all(np.diff(ranking["value"]) <= 0) and ranking["chance"].tolist() == pytest.approx([0.2] * 6)
    assert ranking["p (Holm)"].tolist()[0] < 0.01 and min(ranking["p (Holm)"][1:]) > 0.05
    (left_out,) = [each.value for each in page.dataframe if "reason" in each.value]
    assert set(left_out["picture"]) == set(ODD)


def test_the_matrix_opens_the_best_map_and_writes_the_rest_in_brackets(page):
    heat, points = matrix(page)["data"]
    assert heat["z"][PERFECT[1]][PERFECT[0]] == 1 and heat["text"][PERFECT[1]][PERFECT[0]] == "1.00"
    others = [text for row in heat["text"] for text in row if text != "1.00"]
    assert len(others) == 3 and all(text.startswith("(.") for text in others)
    assert sorted(map(tuple, points["customdata"])) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (page.selectbox(key="trust_layer").value, page.selectbox(key="trust_head").value) == PERFECT
    (shape,) = matrix(page)["layout"]["shapes"]
    assert (shape["x0"], shape["y0"]) == (0.5, 0.5)


def test_pictures_behind_a_map_and_maps_without_heads(page):
    items = walls(page)["trust_examples"]["items"]
    assert len(items) == 12 and all(item["src"].startswith("data:image") for item in items)
    assert all(
        item["caption"].startswith("1.00 · ") and "The truth is outlined; it covers 20%" in item["alt"]
        for item in items
    )
    choose(page, "trust_head", 0)
    low = [
        float(item["caption"][:4]) for item in walls(choose(page, "trust_order", "lowest"))["trust_examples"]["items"]
    ]
    assert low == sorted(low) and low[0] < 0.2
    choose(page, "trust_method", ("rollout", ""))
    assert not page.exception and matrix(page)["layout"]["yaxis"]["ticktext"] == ["all heads"]
    assert [each.key for each in page.selectbox if each.key == "trust_head"] == []
    assert walls(page)["trust_examples"]["items"][0]["src"].startswith("data:image")


@pytest.mark.parametrize("metric", ["pointing_game", "sparseness", "box_acc_50"])
def test_every_measure_can_be_asked_for(page, metric):
    choose(page, "metric", metric)
    assert not page.exception
    assert len(page.success) == (metric != "sparseness")
    choose(page, "split", "held-out")
    assert not page.exception and set(page.dataframe[-1].value["pictures"]) == {12}
    if metric == "box_acc_50":
        choose(page, "size", "medium")
        assert not page.exception and "p (Holm)" in page.dataframe[-1].value


def test_an_address_brings_measure_and_map_back(evaluated, monkeypatch, open_page):
    monkeypatch.setenv("BILDERATLAS_DB", str(evaluated))
    page = open_page("trust", run=1, metric="auprc", split="held-out", trust_layer=0, trust_head=1)
    assert page.selectbox(key="metric").value == "auprc" and page.selectbox(key="split").value == "held-out"
    assert (page.selectbox(key="trust_layer").value, page.selectbox(key="trust_head").value) == (0, 1)


def test_without_an_evaluation_a_button_makes_one(made, monkeypatch, open_page, tmp_path):
    monkeypatch.setenv("BILDERATLAS_DB", str(made))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []
    monkeypatch.setattr(jobs, "start", lambda db, title, arguments: asked.append(arguments) or stopped(tmp_path))
    page = open_page("trust", run=1)
    assert not page.exception and "Nothing has been evaluated for run 1 yet" in page.info[0].value
    assert page.selectbox(key="trust_question").options[0] == "regions with the note “face” (8)"
    assert page.code[0].value == "python -m ingest evaluate --run 1 --truth regions:face --random-weights"
    page.toggle(key="trust_random").set_value(False)
    page.toggle(key="trust_faithful").set_value(True)
    choose(page, "trust_question", "tag:portrait")
    page.button(key="trust_start").click().run()
    assert asked == [("evaluate", "--run", "1", "--truth", "tag:portrait", "--faithfulness", "3")]
    assert "boxes in the column boxes" in page.selectbox(key="trust_question").options
    choose(page, "trust_question", "masks:")
    assert "trust_start" not in [each.key for each in page.button]
    page.text_input(key="trust_masks").set_value("/home/me/my masks").run()
    assert "--truth 'masks:/home/me/my masks'" in page.code[0].value


def stopped(folder) -> jobs.Job:
    return jobs.Job(folder, "x", (), 0)


def test_the_truth_is_outlined_where_it_is():
    """White along the edges of the patches, and of the box, at the picture's own scale."""
    coverage = np.zeros((ROWS, COLS), np.float32)
    coverage[1:3, 2:4] = 1
    box = np.array([[X0 + 20, Y0 + 10, X0 + 40, Y0 + 30]], float)
    for patches in (True, False):
        picture = Image.new("RGB", (3 * WIDTH, 3 * HEIGHT), (128, 0, 0))
        examples.outline(picture, StoredTruth(1, "all", 0.2, box, coverage), FRAME, (WIDTH, HEIGHT), patches)
        white = (np.asarray(picture) == 255).all(axis=2)
        rows, cols = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
        assert abs(rows[0] - 3 * (Y0 + 10)) <= 2 and abs(rows[-1] - 3 * (Y0 + 30)) <= 2
        assert abs(cols[0] - 3 * (X0 + 20)) <= 2 and abs(cols[-1] - 3 * (X0 + 40)) <= 2
        assert not white[3 * (Y0 + 20), 3 * (X0 + 30)]


def test_edges_lie_between_patches_that_differ():
    cells = np.random.default_rng(0).random((ROWS, COLS)) < 0.5
    around = np.pad(cells, 1)
    upright = sum(around[1:-1, col] != around[1:-1, col + 1] for col in range(COLS + 1)).sum()
    level = sum(around[row, 1:-1] != around[row + 1, 1:-1] for row in range(ROWS + 1)).sum()
    found = examples.edges(cells, FRAME)
    assert sum(x0 == x1 for x0, _, x1, _ in found) == upright
    assert sum(y0 == y1 for _, y0, _, y1 in found) == level and len(set(found)) == upright + level


@pytest.mark.parametrize(
    ("held_out", "ends", "proven"),
    [
        ({}, "[0.30, 0.50], chance 0.20, random weights 0.25.", True),
        ({"p_value": 0.2}, "9 pictures are too few to say: draw the truth in some dozens.", False),
        ({"p_value": np.nan, "n": 30}, "That is not surely better than chance.", False),
        ({"baseline_random": 0.35}, "That is not surely better than random weights.", False),
        ({"baseline_random": 0.6}, "That is not surely better than random weights.", False),
    ],
)
def test_what_is_not_proven_is_not_praised(held_out, ends, proven):
    row = {"metric": "auprc", "size": "", "method": "cls", "target": "", "layer": 0, "head": 0, "value": 0.4, "n": 9}
    row |= {"low": 0.3, "high": 0.5, "baseline_area": 0.2, "baseline_random": 0.25, "p_value": 0.01, "p_holm": 0.03}
    table = pd.DataFrame([row | {"split": "choosing"}, row | {"split": "held-out"} | held_out])
    sentence, sure = figures.summary(table, "auprc", "")
    assert sentence.endswith(ends) and sure is proven


def test_names_of_maps():
    assert figures.place(3, -1) == "layer 3" and figures.place(3, 2) == "layer 3, head 2"
    assert figures.of("daam", "label:artist=Hokusai") == "daam of label:artist=Hokusai"
