"""Pictures out as IIIF: what a viewer gets, and where exactly the places lie."""

import csv
import json
import shutil

import duckdb
import iiif_prezi3
import numpy as np
import pytest
from click.testing import CliRunner

from ingest.cli import main
from ingest.iiif_export import Picture, Place, links
from ingest.sources.iiif import Wishes, iiif_tasks
from ingest.sources.iiif.presentation import read_document
from ingest.web import Web
from tests.ingest.iiif_server import Museum
from tests.ingest.test_iiif import FAST
from tests.ingest.test_run import TINY, ask


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
        words = ["run", address, *TINY, *FAST, "--collection", "shelf", "--db", str(db)]
        assert CliRunner().invoke(main, words, catch_exceptions=False).exit_code == 0
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
    found = iiif_tasks(Web(["127.0.0.1"], 1000), shelf.url("/again.json"), Wishes())
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
    from store.connection import writing

    with writing(command.db) as con:
        con.execute("INSERT INTO tag VALUES (1, 'seen', NULL, now()::TIMESTAMP), (3, 'seen', NULL, now()::TIMESTAMP)")
        selections.save(con, "shelf", "mine", [2, 3])
    assert export(command, tmp_path, *words)[1]["pictures"] == count


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--images", "77"), "holds no such image 77"),
        (("--images", "x"), "expects ids such as 3,5,7"),
        (("--where", "nonsense = 3"), "cannot be asked of the catalogue"),
        (("--tag", "unseen"), "no picture of the collection 'shelf' is meant"),
        (("--selection", "none"), "there is no selection 'none'"),
        (("--collection", "none"), "there is no collection 'none'"),
        (("--uri", "javascript:alert(1)"), "is no address on the web"),
        (("--peaks", "1", "--method", "daam"), "has no maps daam; it has cls; rollout"),
        (("--peaks", "1", "--target", "class:3"), "has no maps of class:3"),
        (("--regions", __file__), "must be a CSV with the columns"),
        (("--regions", "/nowhere.csv"), "could not be read"),
    ],
)
def test_what_cannot_be_exported(shelf, command, tmp_path, words, said):
    result = command("export-iiif", tmp_path / "out.json", *words)
    assert result.code == 2 and said in result.err, result.err
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
    assert command("export-iiif", tmp_path / "out.txt").code == 2


def test_words_that_a_spreadsheet_would_run_are_text():
    picture = Picture(3, "=1+1", 100, 100, {}, "https://m.example/c", (200, 200), "https://m.example/a.jpg")
    rows = list(links([(picture, [Place((0, 0, 10, 10), "@SUM(A1)"), Place((200, 0, 300, 10), "outside")])]))
    assert rows == [
        {"image_id": 3, "title": "'=1+1", "words": "'@SUM(A1)", "link": "https://m.example/c#xywh=0,0,20,20"}
    ]
