"""The page Details: a box that is drawn is found in the other pictures, compared, saved and exported."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from dashboard.components import crop
from dashboard.compute import packing
from dashboard.views.details import exports, figures, finding
from dashboard.views.details.finding import Query
from ingest.vision.details import measuring
from ingest.vision.details.crops import overlap
from ingest.vision.details.search import KEY_POINTS, VOTES, Hit
from ingest.vision.details.verification import Agreement
from tests.support import commands
from tests.support.databases import ask
from tests.support.pages import choose, html_of, walls
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
    assert "no patches to search in" in at.info[0].value and "ingest details --run" in at.code[0].value


def test_without_a_box_nothing_is_searched(collection, drawn, open_page):
    at = open_page("details", image=1)
    assert [info.value for info in at.info] == ["Draw a box on the picture first."] and "detail_wall" not in walls(at)
    at = open_page("details", image=1, crop="0,0,0.02,0.02")
    assert not at.exception and any("smaller than a patch" in info.value for info in at.info)


def test_the_heat_map_and_mirror_images_on_request(collection, drawn, open_page):
    at = open_page("details", image=1, crop=drawn, detail_heat="true", mirrored="true", hit=3)
    assert not at.exception and not at.error
    assert at.subheader[0].value == "p2" and "detail_part" in walls(at)
    assert [item["id"] for item in walls(at)["detail_heat_wall"]["items"]] == [
        item["id"] for item in walls(at)["detail_wall"]["items"]
    ]
    assert "cosine with the most similar patch of the part" in html_of(at)
    at = open_page("details", image=1, crop=drawn, detail_heat="true", detail_patch=3)
    assert "cosine with the patch that was clicked" in html_of(at) and at.query_params["detail_patch"] == "3"
    row, col = (round(edge * 4) for edge in walls(at)["detail_part"]["chosen"][1::-1])
    assert (row, col) == (0, 3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_pair_is_joined_where_the_pictures_show_the_same(collection, drawn, open_page, mirrored):
    """Each point of the part leads, by what the key points agree on, to the point that it is joined with."""
    at = open_page("details", image=1, crop=drawn, **({"mirrored": "true"} if mirrored else {}))
    data = walls(at)["pair_viewer"]
    own, other = data["sides"]
    assert own["tiles"]["id"] == "/iiif/1" and other["tiles"]["id"] == "/iiif/2" and not data["sentence"]
    assert overlap(np.array(own["box"]) * ((own["width"], own["height"]) * 2), SHARED) > 0.98
    here, there = np.split(np.array(data["points"]), 2, axis=1)
    here, there = here * (own["width"], own["height"]), there * (other["width"], other["height"])
    matrix = np.array(data["matrix"]).reshape(2, 3)
    assert len(here) >= 5 and np.abs(here @ matrix[:, :2].T + matrix[:, 2] - there).max() < 6
    assert np.abs(here - there).max() < 6  # the piece lies at the same place in both


def test_what_leads_from_a_mirrored_part_or_one_without_key_points_ends_in_its_place():
    picture, place = Image.new("RGB", (100, 80)), (200.0, 40.0, 260.0, 100.0)
    query = Query(None, (0.1, 0.25, 0.5, 0.75), picture)  # 10, 20 to 50, 60
    for mirrored, (x0, x1) in ((False, (200, 260)), (True, (260, 200))):
        matrix = finding.leads(query, Hit(7, place, 0.9, VOTES, mirrored=mirrored))
        ends = np.array([[10, 20], [50, 60]]) @ matrix[:, :2].T + matrix[:, 2]
        assert np.allclose(ends, [[x0, 40], [x1, 100]])
    turned = np.array([[0.0, -2.0, 300.0], [2.0, 0.0, 5.0]])  # of the mirror image, twice as large
    hit = Hit(7, place, 0.9, KEY_POINTS, 1, True, Agreement(np.array([[4.0, 30.0]]), np.array([[240.0, 13.0]]), turned))
    assert np.allclose(finding.joined(query, hit), [[46, 50, 240, 13]])
    assert np.allclose(finding.leads(query, hit) @ (46, 50, 1), [240, 13])


def test_pictures_of_places_can_be_selected_and_searched_with(collection, drawn, open_page):
    at = open_page("details", image=1, crop=drawn, marked=packing.pack(np.array([2, 4])), like="3")
    assert not at.exception
    wall = walls(at)["detail_wall"]
    assert wall["selected"] == [2, 4] and wall["shown"] == 2
    assert {"compare", "like", "unlike", "select"} <= {each["key"] for each in wall["actions"]}
    assert any("**2** of 4 pictures" in text.value for text in at.markdown)
    assert any("1 example to search" in caption.value for caption in at.caption)
    choose(at, "selection_part", "table")
    table = at.dataframe[0].value.set_index("image_id")
    assert table.loc[2, "detail_stage"] == KEY_POINTS and table.loc[2, "detail_matches"] >= 5
    x, y, width, height = table.loc[2, ["detail_x", "detail_y", "detail_width", "detail_height"]].astype(float)
    assert overlap((x, y, x + width, y + height), SHARED) > 0.7
    # Without any, what was found is there to be tagged.
    at = open_page("details", image=1, crop=drawn)
    assert any("**3** of 4 pictures" in text.value for text in at.markdown)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_of_ones_own_is_searched_for(collection, drawn, open_page, kind):
    file = io.BytesIO()
    collection[1][0].crop(SHARED).save(file, kind)
    at = open_page("details", image=4)
    at.file_uploader[0].upload(f"seal.{kind.lower()}", file.getvalue()).run()
    assert not at.exception and not at.error
    first = walls(at)["detail_wall"]["items"][:2]
    assert {item["id"] for item in first} == {1, 2} and all("key points" in item["caption"] for item in first)
    own, _ = walls(at)["pair_viewer"]["sides"]
    assert own["tiles"] is None and own["thumb"].startswith("data:image/") and own["box"] == [0, 0, 1, 1]


def test_a_file_that_is_no_picture_gets_a_sentence(collection, drawn, open_page):
    at = open_page("details", image=4)
    at.file_uploader[0].upload("seal.png", b"no picture").run()
    assert not at.exception and len(at.error) == 1 and "detail_wall" not in walls(at)


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
    assert figures.surroundings((50, 20, 150, 70)) == (-10, -40, 210, 130)
    hit = Hit(7, (10.0, 20.0, 60.0, 50.0), 0.9, KEY_POINTS)
    sheet = figures.pair(Query(None, (0.25, 0.2, 0.6, 0.8), picture), hit, picture, (400, 200))
    yellow = np.argwhere((np.asarray(sheet) == figures.MARK).all(axis=2))
    scale, left = figures.HEIGHT / 100, 2 * figures.HEIGHT + figures.GAP
    right = yellow[yellow[:, 1] >= left] - (0, left)
    assert (
        overlap((*right.min(axis=0)[::-1], *right.max(axis=0)[::-1]), tuple(edge * scale / 2 for edge in hit.box)) > 0.9
    )
