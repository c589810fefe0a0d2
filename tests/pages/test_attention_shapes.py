"""The attention page where each picture has a grid of its own: portraits, landscapes, scrolls."""

from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dashboard.drawing import figure
from dashboard.drawing.figure import ColourBar, Plate
from dashboard.drawing.panels import Scene
from dashboard.drawing.text import inputs
from ingest.cli import main
from ingest.vision.geometry import Frame
from tests.pages.database import run_record
from tests.pages.test_attention import panes
from tests.support.pages import html_of, walls
from tests.support.pictures import save_picture

SHAPES = {"a tall": (60, 90), "b broad": (90, 60), "c scroll": (320, 40), "d tower": (40, 320)}
SCROLL = 3


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Pictures of four shapes before two networks: run 1 sees them whole, run 2 a square of each."""
    folder, db = tmp_path_factory.mktemp("shapes"), tmp_path_factory.mktemp("db") / "shapes.duckdb"
    for number, (name, size) in enumerate(SHAPES.items()):
        save_picture(folder / f"{name}.png", number, size)
    for words in (("--model", "tiny:dinov2", "--fit", "aspect"), ("--model", "tiny:vit")):
        words = ["run", str(folder), *words, "--project", "none", "--db", str(db)]
        assert CliRunner().invoke(main, words, catch_exceptions=False).exit_code == 0
    return db


@pytest.fixture
def page(shapes, monkeypatch, open_page):
    monkeypatch.setenv("BILDERATLAS_DB", str(shapes))
    return lambda **query: open_page("attention", **query)


def test_captions_tell_the_input_of_this_very_picture(page):
    at = page(run=1, image=1)
    assert not at.exception
    assert "input of 42 × 56 px, 4 rows × 3 columns of patches, fit aspect" in html_of(at)
    at = page(run=2, image=1)
    assert "input of 56 × 56 px, 4 rows × 4 columns of patches, fit crop" in html_of(at)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            run_record(fit="aspect", size=224),
            "input in the shape of each picture with 256 patches at most",
        ),
        (run_record(fit="crop", size=224), "input of 224 × 224 px, fit crop"),
    ],
)
def test_of_many_pictures_what_holds_for_all_is_told(run, words):
    assert inputs.of_run(run).startswith(words)
    assert ("224" in inputs.shape_of_run(run)) == (run.fit == "crop")


def test_one_row_of_patches_is_one_row():
    run = run_record(fit="aspect", size=56)
    assert "14 px, 1 row × 16 columns" in inputs.of_picture(run, Frame(0, 0, 320, 4, 1, 16))


def test_maps_of_a_scroll_stand_in_few_columns_below_it(page):
    at = page(run=1, image=SCROLL)
    assert walls(at)["maps"]["columns"] == 2 and len(panes(at)) == 6
    assert [(pane["rows"], pane["cols"]) for pane in panes(at)] == [(1, 8)] * 6
    assert walls(page(run=2, image=1))["maps"]["columns"] == 2  # as many as the network has heads


def test_a_patch_that_another_picture_had_leaves_ways_out(page):
    at = page(run=1, image=SCROLL, method="query(token=r3c0)")
    assert not at.exception
    assert at.main.info[0].value.startswith("There is no patch r3c0")
    next(button for button in at.button if button.label == "Ask the patch in the middle").click().run()
    assert not at.exception and at.selectbox(key="asks").value == "r0c4"


def test_networks_of_different_grids_and_fits_are_compared(page):
    at = page(run=1, image=1, view="compare")
    assert not at.exception
    one, other = (walls(at)[f"compare_{number}"]["panes"][0] for number in range(2))
    assert (one["rows"], one["cols"], one["frame"]) == (4, 3, [0, 0, 1, 1])
    assert (other["rows"], other["cols"]) == (4, 4) and other["frame"][1] > 0
    assert "(1) The network saw the whole picture." in html_of(at)
    assert "(2) The network saw the central " in html_of(at)


def test_long_pictures_get_as_many_pixels_as_others():
    usual = Scene(Image.new("RGB", (1200, 800)), (1200, 800), Frame(0, 0, 1200, 800, 13, 19)).at(300)
    tower = Scene(Image.new("RGB", (300, 2400)), (300, 2400), Frame(0, 0, 300, 2400, 40, 5)).at(300)
    assert usual.picture.size == (300, 200)
    assert tower.picture.height > 600 and tower.picture.width >= 80
    assert np.prod(tower.picture.size) == pytest.approx(np.prod(usual.picture.size), rel=0.1)


def test_titles_of_narrow_panels_do_not_run_into_each_other():
    """Each title begins at its panel and ends before the next."""
    title = "Layer 11 · mean of 6 heads · CLS attention by head · run 1"
    panels = tuple((title, Image.new("RGB", (60, 480))) for _ in range(3))
    bar = ColourBar(np.zeros((256, 3), np.uint8), "least", "greatest", "What it means")
    drawn = figure._draw(Plate("Tower", panels, 3, bar, "Caption"))
    drawn.canvas.draw()
    words = [text for text in drawn.texts if text.get_text() and text.get_text() in title]
    boxes = sorted((text.get_window_extent() for text in words), key=lambda box: (-round(box.y0), box.x0))
    lines = [boxes[start : start + 3] for start in range(0, len(boxes), 3)]
    assert len(lines) >= 3
    assert all(left.x1 < right.x0 for line in lines for left, right in pairwise(line))
