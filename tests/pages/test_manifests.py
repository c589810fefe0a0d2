"""The selection as a IIIF manifest: what is offered, what is left out and told, what the file holds."""

import json

import iiif_prezi3
import numpy as np
import pytest

from dashboard.compute import packing
from dashboard.selection.files import manifests
from ingest.vision.peaks import peaks
from store import connection, manifest, marks, read, regions, write
from tests.pages import database

CANVAS = "https://iiif.example/book/canvas/{}"


@pytest.fixture
def museum(db):
    """The database with its first two pictures from a manifest, the others from a folder."""
    with connection.writing(db) as con:
        for number in (1, 2):
            facts = {"title": f"Page {number}", "iiif_canvas": CANVAS.format(number), "iiif_canvas_width": 4000.0}
            facts |= {"iiif_canvas_height": 3000.0, "iiif_image": f"https://iiif.example/{number}.jpg"}
            write.set_metadata(con, 1, {database.NAMES[number - 1]: facts})
    return db


@pytest.fixture
def files(open_page, monkeypatch):
    """`files([1, 2])`: the page Map with the files of these pictures, and what each button would build."""
    built = []

    def remember(*given):
        built.append(given)
        return b""

    monkeypatch.setattr(manifests, "build", remember)

    def open_(ids, **query):
        built.clear()
        at = open_page("map", selection_part="files", marked=packing.pack(np.array(ids)), **query)
        assert not at.exception
        return at

    return open_


def offered(at) -> bool:
    buttons = [each for each in at.get("download_button") if each.proto.label == "Download the IIIF manifest"]
    return any(not button.proto.disabled for button in buttons)


def texts(at) -> str:
    return "\n".join(caption.value for caption in at.main.caption)


def test_what_is_left_out_is_told(museum, files):
    at = files([1, 2, 3])
    assert offered(at)
    assert (
        "2 pictures. 1 picture without an address on the web is left out. The manifest’s address is made up"
        in texts(at)
    )
    at.text_input(key="iiif_folder").set_value("https://m.example/scans").run()
    assert "3 pictures. The manifest’s address is made up" in texts(at)
    at.text_input(key="iiif_uri").set_value("https://m.example/m.json").run()
    assert "made up" not in texts(at) and "3 pictures." in texts(at)


def test_pictures_of_a_folder_alone_need_its_address(museum, files):
    at = files([3, 4])
    assert not offered(at) and "None of these pictures has an address on the web" in texts(at)
    at.text_input(key="iiif_folder").set_value("javascript:1").run()
    assert not offered(at) and "it should begin with https://" in texts(at)
    assert offered(files([3, 4], iiif_folder="https://m.example/scans"))


def test_this_dashboard_serves_pictures_that_lie_nowhere_else(museum, files, monkeypatch):
    monkeypatch.setattr("dashboard.data.cache.services", lambda: "http://localhost:8501/iiif")
    at = files([1, 3])
    assert offered(at) and "2 pictures." in texts(at)
    assert "come from this dashboard, http://localhost:8501/iiif" in texts(at)
    assert "come from this dashboard" not in texts(files([1, 2]))


def test_what_this_dashboard_serves_has_its_service(museum):
    with connection.reading(museum) as con:
        rows = read.images(con, ids=[1, 3]).to_pandas()
    rows["metadata"] = rows["metadata"].map(json.loads)
    data = json.loads(
        manifests.build(museum, rows, "Two", "https://me.example/m.json", None, None, "http://localhost:8501/iiif")
    )
    iiif_prezi3.Manifest(**data)
    museum_s, ours = (canvas["items"][0]["items"][0]["body"] for canvas in data["items"])
    assert museum_s["id"] == "https://iiif.example/1.jpg" and "service" not in museum_s
    assert ours["service"] == [{"id": "http://localhost:8501/iiif/3", "type": "ImageService3", "profile": "level2"}]


def test_kept_regions_are_counted(museum, files):
    with connection.writing(museum) as con:
        regions.add(con, 1, (0, 0, 0.5, 0.5), "sky")
        regions.add(con, 3, (0, 0, 0.5, 0.5), "of a picture that is left out")
    assert "1 picture, 1 region. 1 picture without" in texts(files([1, 3]))


def test_peaks_are_those_of_a_stored_map(museum, files):
    at = files([1, 2])
    assert "iiif_method" not in {box.key for box in at.selectbox}
    at = files([1, 2], iiif_peaks=2)
    assert offered(at) and at.slider(key="iiif_peaks").value == 2
    assert at.selectbox(key="iiif_method").value == "cls"


def test_too_many_for_a_viewer(museum, files, monkeypatch):
    monkeypatch.setattr(manifest, "MOST", 2)
    at = files([1, 2, 3])
    assert not offered(at) and "select 2 pictures at most" in texts(at)


@pytest.mark.parametrize(("method", "head", "words"), [("cls", "mean", ", mean of all heads"), ("rollout", None, "")])
def test_what_the_file_holds(museum, method, head, words):
    with connection.writing(museum) as con:
        regions.add(con, 1, (0.25, 0.5, 0.75, 1.0), "The fish")
    with connection.reading(museum) as con:
        rows = read.images(con).to_pandas()
        heads = None if head is None else list(range(database.HEADS))
        stack = read.maps(con, 1, 1, method, "", [database.LAYERS - 1], heads)
        size = con.execute("SELECT width, height FROM images WHERE image_id = 1").fetchone()
    rows["metadata"] = rows["metadata"].map(json.loads)
    wanted = marks.Peaks(2, 1, method, "attention", "", database.LAYERS - 1, head)
    data = json.loads(manifests.build(museum, rows, "Two", "https://me.example/m.json", None, wanted))
    iiif_prezi3.Manifest(**data)
    assert [canvas["id"] for canvas in data["items"]] == [CANVAS.format(1), CANVAS.format(2)]
    first, second, kept = data["items"][0]["annotations"][0]["items"]
    assert kept["target"] == f"{CANVAS.format(1)}#xywh=1000,1500,2000,1500" and kept["body"]["value"] == "The fish"
    weights = stack.weights.mean(axis=0)
    found = peaks(weights, (0, 0, *size), size, 2, "attention")
    for rank, (annotation, peak) in enumerate(zip((first, second), found, strict=True), start=1):
        x, y, width, height = (float(part) for part in annotation["target"].partition("=")[2].split(","))
        assert (x, y) == pytest.approx((peak.box[0] / size[0] * 4000, peak.box[1] / size[1] * 3000), abs=1)
        assert (width, height) == pytest.approx((4000 / database.COLS, 3000 / database.ROWS), abs=1)
        assert annotation["body"]["value"].startswith(f"Peak {rank} of attention: {peak.times:.1f} times uniform")
        assert annotation["body"]["value"].endswith(f"({method}, layer {database.LAYERS - 1}{words}, run 1)")
