"""Pictures out as IIIF: what a viewer gets, and where exactly the places lie."""

import csv
import io
import json
import shutil

import duckdb
import iiif_prezi3
import numpy as np
import pytest

from ingest.sources.iiif.presentation import read_document
from ingest.sources.iiif.tasks import IiifOptions, iiif_tasks
from ingest.web import Web
from store import regions
from store.connection import writing
from store.manifest import Picture, Place, as_picture, csv_of, manifest
from tests.ingest.iiif.server import FAST, Museum
from tests.support.commands import TINY, run
from tests.support.databases import ask


@pytest.fixture(scope="module")
def shelved(tmp_path_factory):
    """A museum, and a database of four of its pictures: with a version 3 service, with one of version 2, without one, on
    a part of its canvas."""
    museum, db = Museum(), tmp_path_factory.mktemp("shelf") / "shelf.duckdb"
    museum.image("old", version=2)
    canvases = [
        museum.canvas("new", museum.image("new"), homepage=[{"id": "https://m.example/new", "type": "Text"}]),
        museum.canvas("plain", image=museum.url("/iiif/new/full/max/0/default.jpg")),
        museum.canvas("part", museum.image("part")),
    ]
    canvases[2]["items"][0]["items"][0]["target"] += "#xywh=200,400,1600,1200"
    pairs = [{"label": {"en": ["Artist"]}, "value": {"en": ["=HYPERLINK()"], "de": ["Meister"]}}]
    rights = "http://creativecommons.org/publicdomain/mark/1.0/"
    source = museum.manifest("/m.json", canvases, metadata=pairs, rights=rights)
    for address in (source, museum.manifest2("/old.json", ["old"])):
        assert run("run", address, *TINY, *FAST, "--collection", "shelf", db=db).code == 0
    yield museum, db
    museum.close()


@pytest.fixture
def shelf(shelved, command):
    """The museum; its database is the one that `command` uses."""
    shutil.copy(shelved[1], command.db)
    return shelved[0]


def export(command, tmp_path, *words, name="out.json"):
    result = command("export-iiif", tmp_path / name, *words, "--json")
    assert result.code == 0, result.err
    return (tmp_path / name), result.counts


def by_name(data):
    return {canvas["id"].rpartition("/")[2]: canvas for canvas in data["items"]}


def test_the_manifest_keeps_canvases_and_services(shelf, command, tmp_path):
    file, counts = export(command, tmp_path, "--uri", "https://me.example/m.json", "--label", "Four")
    data = json.loads(file.read_text())
    assert counts["pictures"] == 4 and counts["left_out"] == []
    assert data["label"] == {"none": ["Four"]} and data["id"] == "https://me.example/m.json"
    iiif_prezi3.Manifest(**data)
    read = {canvas.uri: canvas for canvas in read_document(data, "https://me.example/m.json").canvases}
    for name, kind in {
        "new": "ImageService3 level2",
        "old": "ImageService2 level2",
        "plain": "",
        "part": "ImageService3 level2",
    }.items():
        canvas = read[shelf.url(f"/canvas/{name}")]
        assert (canvas.width, canvas.height) == (3200, 2400)
        assert canvas.painted.service == (shelf.url(f"/iiif/{name}") if kind else None)
        assert canvas.painted.service_type == kind
    assert read[shelf.url("/canvas/part")].place == (200, 400, 1600, 1200)
    new = by_name(data)["new"]
    assert new["metadata"] == [{"label": {"none": ["Artist"]}, "value": {"none": ["=HYPERLINK()"], "de": ["Meister"]}}]
    assert new["rights"] == "http://creativecommons.org/publicdomain/mark/1.0/"
    assert new["homepage"][0]["id"] == "https://m.example/new"
    assert new["partOf"] == [{"id": shelf.url("/m.json"), "type": "Manifest"}]


def test_what_goes_out_comes_in_again(shelf, command, tmp_path):
    file, _ = export(command, tmp_path)
    shelf.put("/again.json", file.read_bytes())
    found = iiif_tasks(Web(["127.0.0.1"], 1000), shelf.url("/again.json"), IiifOptions())
    assert sorted(task.name for task in found.tasks) == sorted(
        path for (path,) in ask(command.db, "SELECT path FROM images")
    )
    assert all(task.read().image.width > 0 for task in found.tasks)
    stored = dict(ask(command.db, "SELECT path, sha256 FROM images"))
    assert {task.name: task.read().sha256 for task in found.tasks} == stored


def test_peaks_lie_where_the_maps_have_them(shelf, command, tmp_path):
    """Against the views, by other arithmetic: the largest weight of the mean over heads, as a part of the canvas."""
    file, counts = export(command, tmp_path, "--peaks", "3")
    assert counts["places"] == 12
    canvases = by_name(json.loads(file.read_text()))
    with duckdb.connect(str(command.db), read_only=True) as con:
        rows = con.execute("""
            SELECT path, list(weights ORDER BY head), any_value(width), any_value(height), any_value(x0), any_value(y0),
                any_value(x1), any_value(y1), any_value(rows), any_value(cols)
            FROM (SELECT i.path, a.weights, a.head, i.width, i.height, f.* FROM attention a JOIN images i USING (image_id)
                  JOIN frames f USING (run_id, image_id)
                  WHERE method = 'cls' AND run_id = (SELECT max(run_id) FROM runs) AND layer = 2) GROUP BY path
        """).fetchall()
    assert len(rows) == 4
    for path, weights, width, height, x0, y0, x1, y1, count, across in rows:
        name = path.rpartition("/")[2]
        mean = np.mean(weights, axis=0)
        row, col = divmod(int(np.argmax(mean)), across)
        left, top = x0 + (x1 - x0) * col / across, y0 + (y1 - y0) * row / count
        right, bottom = left + (x1 - x0) / across, top + (y1 - y0) / count
        ox, oy, w, h = (200, 400, 1600, 1200) if name == "part" else (0, 0, 3200, 2400)
        expected = (
            ox + left / width * w,
            oy + top / height * h,
            (right - left) / width * w,
            (bottom - top) / height * h,
        )
        (page,) = canvases[name]["annotations"]
        first = page["items"][0]
        uri, _, box = first["target"].partition("#xywh=")
        assert uri == path
        assert np.allclose([float(part) for part in box.split(",")], expected, atol=0.51)
        times = mean.max() * len(mean)
        assert f"{times:.1f} times uniform attention (cls, layer 2, mean of all heads" in first["body"]["value"]
        assert first["motivation"] == "commenting" and len(page["items"]) == 3


def test_links_to_places(shelf, command, tmp_path):
    file, _ = export(command, tmp_path, "--peaks", "1", "--method", "rollout", "--layer", "1", name="links.csv")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 4 and all("#xywh=" in row["link"] and "rollout, layer 1, run" in row["words"] for row in rows)


def test_regions_that_were_drawn(shelf, command, tmp_path):
    ((image_id,),) = ask(command.db, "SELECT image_id FROM images WHERE path LIKE '%/new'")
    table = tmp_path / "regions.csv"
    table.write_text(f"image_id,x0,y0,x1,y1,note\n{image_id},512,384,1024,768,The fish\n{image_id},-50,-50,10,12,\n"
                     f"{image_id},5000,5000,6000,6000,outside\n999,1,1,2,2,elsewhere\n")  # fmt: skip
    file, counts = export(command, tmp_path, "--regions", table)
    assert counts["places"] == 2 and counts["regions_elsewhere"] == [999]
    first, second = by_name(json.loads(file.read_text()))["new"]["annotations"][0]["items"]
    assert first["target"] == shelf.url("/canvas/new#xywh=1600,1200,1600,1200") and first["body"]["value"] == "The fish"
    assert (
        second["target"].endswith("#xywh=0,0,31,38") and second["motivation"] == "highlighting" and "body" not in second
    )


def test_regions_that_were_kept_go_out_by_themselves(shelf, command, tmp_path):
    ((image_id,),) = ask(command.db, "SELECT image_id FROM images WHERE path LIKE '%/part'")
    with writing(command.db) as con:
        regions.add(con, image_id, (0.5, 0.5, 1, 1), "The corner")
    table = tmp_path / "regions.csv"
    table.write_text(f"image_id,x0,y0,x1,y1,note\n{image_id},0,0,10,10,Mine\n")
    file, counts = export(command, tmp_path, "--regions", table)
    first, second = by_name(json.loads(file.read_text()))["part"]["annotations"][0]["items"]
    assert counts["places"] == 2 and second["body"]["value"] == "Mine"
    assert first["body"]["value"] == "The corner"
    assert first["target"] == shelf.url("/canvas/part#xywh=1000,1000,800,600")  # of the part that the picture covers
    assert export(command, tmp_path, "--no-kept")[1]["places"] == 0
    rows = csv.DictReader(export(command, tmp_path, name="links.csv")[0].read_text(encoding="utf-8-sig").splitlines())
    assert [(row["words"], row["link"]) for row in rows] == [("The corner", first["target"])]


@pytest.mark.parametrize(
    ("metadata", "canvas", "size"),
    [
        ({"iiif_canvas": "https://m.example/c", "iiif_canvas_width": 50.4, "iiif_canvas_height": "40"}, "https://m.example/c", (50, 40)),
        ({"iiif_canvas": "https://m.example/m#canvas=3", "iiif_canvas_width": 50, "iiif_canvas_height": 40}, "https://me.example/canvas/7", (50, 40)),
        ({"iiif_canvas": "javascript:1", "iiif_canvas_width": "wide", "iiif_canvas_height": 3}, "https://me.example/canvas/7", (100, 80)),
        ({"iiif_canvas": 3, "iiif_canvas_width": -1, "iiif_canvas_height": 3, "iiif_place": "0,0,0,0"}, "https://me.example/canvas/7", (100, 80)),
    ],
)  # fmt: skip
def test_only_a_canvas_with_a_name_is_kept(metadata, canvas, size):
    """Anybody's table may hold columns of these names."""
    row = {"image_id": 7, "path": "a.jpg", "title": "A", "width": 100, "height": 80, "metadata": metadata}
    made = as_picture(row, "https://me.example/manifest.json", "https://me.example/scans")
    assert (made.canvas, made.size, made.address) == (canvas, size, "https://me.example/scans/a.jpg")
    assert made.link(Place((0, 0, 0.1, 0.1), "")).endswith("#xywh=0,0,1,1")
    data = manifest("https://me.example/manifest.json", "One", [(made, [Place((10, 10, 50, 50), "x")])])
    assert data["items"][0]["annotations"][0]["items"][0]["target"].startswith(f"{canvas}#xywh=")


@pytest.mark.parametrize(
    "odd", ["https://m.example:99999/", "https://exa mple/x", "https://[::1", "https://", "https://m.example/\x00", "https://m.example/a b"]
)  # fmt: skip
@pytest.mark.parametrize("key", ["iiif_canvas", "iiif_image", "iiif_service", "iiif_manifest", "homepage", "rights"])
def test_one_strange_address_never_costs_a_manifest(key, odd):
    """The standard's checker refuses a document with an address that it cannot read."""
    metadata = {"iiif_image": "https://m.example/a.jpg"} | {key: odd}
    row = {"image_id": 7, "path": "a.jpg", "title": odd, "width": 100, "height": 80, "metadata": metadata}
    made = as_picture(row, "https://me.example/manifest.json", "https://me.example/scans")
    data = manifest("https://me.example/manifest.json", "One", [(made, [Place((10, 10, 50, 50), "x")])])
    assert len(data["items"]) == 1 and data["items"][0]["annotations"]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("--images", "2,1,2"), 2),
        (("--where", "canvas = 'part'"), 1),
        (("--tag", "seen"), 2),
        (("--tag", "seen", "--images", "1"), 1),
        (("--selection", "mine"), 2),
    ],
)
def test_a_selection(shelf, command, tmp_path, words, count):
    from store import selections

    with writing(command.db) as con:
        con.execute("INSERT INTO tag VALUES (1, 'seen', NULL, now()::TIMESTAMP), (3, 'seen', NULL, now()::TIMESTAMP)")
        selections.save(con, "shelf", "mine", [2, 3])
    assert export(command, tmp_path, *words)[1]["pictures"] == count


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--images", "77"), "holds no such image 77"),
        (("--images", "x"), "expects ids such as 3,5,7"),
        (("--where", "nonsense = 3"), "cannot be asked of the catalogue"),
        (("--tag", "unseen"), "no picture of the collection 'shelf' is meant"),
        (("--selection", "none"), "there is no selection 'none'"),
        (("--collection", "none"), "there is no collection 'none'"),
        (("--uri", "javascript:alert(1)"), "is not a valid web address"),
        (("--uri", "https://m.example:99999/m.json"), "is not a valid web address"),
        (("--pictures", "https://my museum.example/"), "is not a valid web address"),
        (("--peaks", "1", "--method", "daam"), "has no maps daam; it has cls; rollout"),
        (("--peaks", "1", "--target", "class:3"), "has no maps of class:3"),
        (("--peaks", "1", "--layer", "9"), "have no layer 9; they have 0 to 2"),
        (("--peaks", "1", "--method", "rollout", "--head", "0"), "have no head 0; they have no heads"),
        (("--regions", __file__), "must be a CSV with the columns"),
        (("--regions", "/nowhere.csv"), "could not be read"),
    ],
)
def test_what_cannot_be_exported(shelf, command, tmp_path, words, sentence):
    result = command("export-iiif", tmp_path / "out.json", *words)
    assert result.code == 2 and sentence in result.err, result.err
    assert not (tmp_path / "out.json").exists()


def test_pictures_of_a_folder(folder, command, tmp_path):
    assert command("run", folder, *TINY).code == 0
    refused = command("export-iiif", tmp_path / "out.json")
    assert refused.code == 2 and "--pictures https://" in refused.err
    file, counts = export(command, tmp_path, "--pictures", "https://m.example/my%20scans/", "--peaks", "1")
    assert counts["pictures"] == 9 and counts["places"] == 9
    first = json.loads(file.read_text())["items"][0]
    body = first["items"][0]["items"][0]["body"]
    assert body == {"id": "https://m.example/my%20scans/inner/p1.png", "type": "Image", "format": "image/png"}
    assert (first["width"], first["height"]) == (90, 70) and first["label"] == {"none": ["Picture 1"]}
    file, counts = export(command, tmp_path, "--service", "https://atlas.example/iiif/")
    first = json.loads(file.read_text())["items"][0]
    body = first["items"][0]["items"][0]["body"]
    service = body["service"][0]
    assert service == {"id": service["id"], "type": "ImageService3", "profile": "level2"}
    assert body["id"] == f"{service['id']}/full/max/0/default.jpg"
    assert service["id"].rpartition("/")[0] == "https://atlas.example/iiif" and counts["left_out"] == []
    assert command("export-iiif", tmp_path / "out.json", "--service", "atlas.example").code == 2
    assert command("export-iiif", tmp_path / "out.txt").code == 2


def test_words_that_a_spreadsheet_would_run_are_text():
    picture = Picture(3, "=1+1", 100, 100, {}, "https://m.example/c", (200, 200), "https://m.example/a.jpg")
    text = csv_of([(picture, [Place((0, 0, 10, 10), "@SUM(A1)"), Place((200, 0, 300, 10), "outside")])])
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"image_id": "3", "title": "'=1+1", "words": "'@SUM(A1)", "link": "https://m.example/c#xywh=0,0,20,20"}
    ]
