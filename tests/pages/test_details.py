"""The page Details: a box that is drawn is found in the other pictures, compared, saved and exported."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from dashboard.components import crop
from dashboard.views.details import exports, figures
from dashboard.views.details.finding import Query
from ingest.vision.details import measuring
from ingest.vision.details.crops import overlap
from ingest.vision.details.search import KEY_POINTS, Hit
from tests.support import commands
from tests.support.databases import ask
from tests.support.pages import walls
from tests.vision.test_details import textured

SHARED = (70, 50, 170, 140)  # where the second picture shows what lies at the same place of the first


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Four pictures; a piece of the first is copied into the second."""
    folder = tmp_path_factory.mktemp("page")
    scans = folder / "scans"
    scans.mkdir()
    pictures = [textured(260 + 10 * number, 200, 40 + number) for number in range(4)]
    pictures[1].paste(pictures[0].crop(SHARED), SHARED[:2])
    for number, picture in enumerate(pictures):
        picture.save(scans / f"p{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "CROPS", 4)
        patch.setattr(measuring, "SIDES", (8,))
        result = commands.run("run", scans, *commands.TINY, "--patches", db=folder / "a.duckdb")
    assert result.code == 0, result.err
    return folder / "a.duckdb", pictures


@pytest.fixture
def drawn(collection, monkeypatch):
    """The database in view, without the browser's side of the box."""
    monkeypatch.setenv("BILDERATLAS_DB", str(collection[0]))
    monkeypatch.setattr(crop, "crop", lambda src, alt, key, box=None: None)
    width, height = collection[1][0].size
    return "{:.3f},{:.3f},{:.3f},{:.3f}".format(
        *(edge / side for edge, side in zip(SHARED, (width, height) * 2, strict=True))
    )


def test_a_drawn_box_is_found_compared_and_saved(collection, drawn, open_page):
    at = open_page("details", image=1, crop=drawn)
    assert not at.exception and not at.error
    wall = walls(at)["detail_wall"]["items"]
    assert wall[0]["id"] == 2 and sorted(item["id"] for item in wall) == [2, 3, 4]
    assert "key points" in wall[0]["caption"] and wall[0]["src"].startswith("data:image/")
    assert "votes" in wall[1]["caption"]
    assert at.subheader[0].value == "p1"
    at.text_input("hit_region_note").set_value("the same piece")
    next(button for button in at.button if button.key == "hit_region_keep").click().run()
    assert not at.exception
    ((image_id, note, *box),) = ask(collection[0], "SELECT image_id, note, x0, y0, x1, y1 FROM regions")
    assert (image_id, note) == (2, "the same piece") and overlap(tuple(box), SHARED) > 0.7


def test_without_a_box_or_without_patches_the_page_says_what_to_do(collection, drawn, open_page, db):
    at = open_page("details", image=1)
    assert "no patches to search in" in at.info[0].value and "ingest details --run" in at.info[0].value


def test_without_a_box_nothing_is_searched(collection, drawn, open_page):
    at = open_page("details", image=1)
    assert [info.value for info in at.info] == ["Draw a box on the picture first."] and "detail_wall" not in walls(at)
    at = open_page("details", image=1, crop="0,0,0.02,0.02")
    assert not at.exception and any("smaller than a patch" in info.value for info in at.info)


def test_the_heat_map_and_mirror_images_on_request(collection, drawn, open_page):
    at = open_page("details", image=1, crop=drawn, detail_heat="true", mirrored="true", hit=3)
    assert not at.exception and not at.error
    assert at.subheader[0].value == "p2" and "detail_part" in walls(at)
    assert any("Cosine with the most similar patch" in caption.value for caption in at.caption)


def row(image_id: int, path: str, **metadata) -> dict:
    return {"image_id": image_id, "path": path, "title": path, "width": 200, "height": 100, "metadata": metadata}


def test_pairs_as_a_table_and_as_annotations():
    hit = Hit(7, (10.0, 20.0, 60.04, 50.0), 0.91234, KEY_POINTS, 12, True)
    own, other = row(3, "=1+1.jpg"), row(7, "b.jpg", iiif_canvas="https://a.org/canvas/7")
    (found,) = csv.DictReader(io.StringIO(exports.table(own, (1.0, 2.0, 31.0, 22.0), [(hit, other)])))
    assert (found["x"], found["width"], found["score"], found["matches"]) == ("10.0", "50.0", "0.9123", "12")
    assert found["from_path"] == "'=1+1.jpg" and found["from_width"] == "30.0" and found["mirrored"] == "True"
    assert exports.annotations(own, (1.0, 2.0, 31.0, 22.0), [(hit, other)], None) is None
    page = json.loads(exports.annotations(own, (1.0, 2.0, 31.0, 22.0), [(hit, row(7, "b.jpg"))], "https://b.org/iiif"))
    (link,) = page["items"]
    assert link["motivation"] == "linking" and link["target"].endswith("canvas/3#xywh=1,2,30,20")
    assert link["body"][0]["id"].endswith("canvas/7#xywh=10,20,50,30")


def test_boxes_and_points_are_drawn_where_they_are():
    picture = Image.new("RGB", (200, 100), "white")
    marked = np.asarray(figures.marked(picture, (50, 20, 120, 80)))
    dark = np.argwhere((marked != 255).any(axis=2))
    assert abs(dark.min(axis=0) - (20, 50)).max() <= 3 and abs(dark.max(axis=0) - (80, 120)).max() <= 3
    around = figures.in_context(picture, (50, 20, 120, 80), 300)
    assert max(around.size) == 300
    hit = Hit(7, (10.0, 20.0, 60.0, 50.0), 0.9, KEY_POINTS)
    sheet = figures.pair(Query(None, (0.25, 0.2, 0.6, 0.8), picture), hit, picture, 400)
    yellow = np.argwhere((np.asarray(sheet) == figures.MARK).all(axis=2))
    scale, left = 6.4, 1280 + figures.GAP
    right = yellow[yellow[:, 1] >= left] - (0, left)
    assert (
        overlap((*right.min(axis=0)[::-1], *right.max(axis=0)[::-1]), tuple(edge * scale / 2 for edge in hit.box)) > 0.9
    )
