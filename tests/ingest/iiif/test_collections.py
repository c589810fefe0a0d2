"""Collections, files and what leads from one document to the next: each is read once, and every way ends."""

import json

import pytest

from ingest.sources.iiif.tasks import is_iiif
from ingest.vision.loader import BadImage
from ingest.vision.originals import original
from tests.ingest.iiif.server import FAST, P2, P3, Museum, tasks
from tests.support.databases import ask


def test_a_manifest_in_a_file(museum, book, command, tmp_path):
    file = tmp_path / "saved.json"
    file.write_bytes(museum.pages["/book/manifest.json"](None)[2])
    museum.asked.clear()
    assert tasks(str(file)).source == str(file.resolve())
    assert is_iiif(str(file)) and not is_iiif(str(tmp_path)) and not is_iiif("plate.jpg")
    assert command("scan", file, *FAST, "--json").counts["new"] == 3
    assert museum.count("manifest.json") == 0


def test_a_file_leads_to_no_other_file(museum, tmp_path):
    """Relative addresses in a local document are those of files; none is opened."""
    secret = tmp_path / "secret.json"
    secret.write_text(
        json.dumps({"@context": P3, "id": "s", "type": "Manifest", "items": [museum.canvas("a", image="/a.jpg")]})
    )
    listing = {"@context": P3, "type": "Collection", "items": [{"id": "secret.json", "type": "Manifest"}]}
    (tmp_path / "list.json").write_text(json.dumps(listing))
    found = tasks(str(tmp_path / "list.json"))
    with pytest.raises(Exception, match="only addresses that begin with http"):
        found.tasks[0].read()
    assert len(found.tasks) == 1 and found.manifests == []


@pytest.mark.parametrize("source", ["https://m.example/manifest.json", __file__, "/"])
@pytest.mark.parametrize(
    "name", ["https://m.example/c", "https://m.example/a.mp4#t=1.500", "https://m.example/b.pdf#page=3"]
)
def test_the_original_of_a_picture_on_the_web_is_no_file(source, name):
    with pytest.raises(BadImage, match="lies on the web"):
        original(source, name)


def test_an_address_of_one_image(museum, command):
    uri = museum.image("alone")
    assert command("scan", f"{uri}/info.json", *FAST, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT path, width, height FROM images") == [(uri, 1024, 768)]


def nested(museum):
    """A collection of Presentation 3 in which one of Presentation 2 leads back to the first."""
    books = [
        museum.manifest(f"/b{n}.json", [museum.canvas(f"b{n}p{p}", museum.image(f"b{n}p{p}")) for p in (1, 2)])
        for n in (1, 2)
    ]
    for name in ("old1", "old2"):
        museum.image(name, version=2)
    old = museum.manifest2("/old.json", ["old1", "old2"])
    top, inner = museum.url("/top.json"), museum.url("/inner.json")
    museum.json("/inner.json", {
        "@context": P2, "@id": inner, "@type": "sc:Collection", "label": "Inner",
        "collections": [{"@id": top, "@type": "sc:Collection"}],
        "manifests": [{"@id": old, "@type": "sc:Manifest"}, {"@id": museum.url("/lost.json"), "@type": "sc:Manifest"}],
    })  # fmt: skip
    museum.json("/top.json", {
        "@context": P3, "id": top, "type": "Collection", "label": {"de": ["Alles"]},
        "items": [{"id": books[0], "type": "Manifest"}, {"id": inner, "type": "Collection"}, {"id": books[1], "type": "Manifest"},
                  {"id": books[0], "type": "Manifest"}],
    })  # fmt: skip
    return top


def test_nested_collections_with_a_cycle(museum, command):
    result = command("scan", nested(museum), *FAST, "--json")
    assert (result.code, result.counts["collection"], result.counts["new"], result.counts["failed"]) == (
        0,
        "Alles",
        6,
        1,
    )
    assert ask(command.db, "SELECT path, error FROM failures") == [
        (museum.url("/lost.json"), "The manifest could not be read: 127.0.0.1 answers 404 Not Found.")
    ]
    documents = [path for path in museum.asked if path.count("/") == 1]
    assert sorted(documents) == sorted(set(documents))  # each once
    names = [path.rpartition("/")[2] for (path,) in ask(command.db, "SELECT path FROM images ORDER BY image_id")]
    assert names == ["b1p1", "b1p2", "old1", "old2", "b2p1", "b2p2"]


def test_the_first_canvas_of_each_manifest(museum):
    found = tasks(nested(museum), canvases="first")
    assert [task.name.rpartition("/")[2] for task in found.tasks] == ["b1p1", "old1", "lost.json", "b2p1"]


def test_a_limit_stops_the_reading(museum):
    found = tasks(nested(museum), limit=2)
    assert len(found.tasks) == 2 and museum.asked == ["/top.json", "/b1.json"]


def test_pages_of_a_collection(museum):
    for number in (1, 2, 3):
        more = {"next": museum.url(f"/page{number + 1}.json")} if number < 3 else {}
        manifest = museum.manifest(f"/m{number}.json", [museum.canvas(f"c{number}", museum.image(f"c{number}"))])
        data = {"@context": P2, "@id": museum.url(f"/page{number}.json"), "@type": "sc:Collection", "label": "",
                "manifests": [{"@id": manifest, "@type": "sc:Manifest"}], **more}  # fmt: skip
        museum.json(f"/page{number}.json", data)
    top = {
        "@context": P2,
        "@id": museum.url("/t.json"),
        "@type": "sc:Collection",
        "label": "T",
        "first": museum.url("/page1.json"),
    }
    assert [task.name[-2:] for task in tasks(museum.json("/t.json", top)).tasks] == ["c1", "c2", "c3"]


def test_a_cycle_under_changing_addresses_ends(museum):
    """The same collection at ever other addresses is known by its own name."""
    book = museum.manifest("/m.json", [museum.canvas("c", museum.image("c"))])
    count = iter(range(10**6))

    def page(handler):
        items = [{"id": museum.url(f"/loop?{next(count)}"), "type": "Collection"}, {"id": book, "type": "Manifest"}]
        data = {"@context": P3, "id": museum.url("/loop"), "type": "Collection", "label": {"en": ["L"]}, "items": items}
        return 200, {}, json.dumps(data).encode()

    museum.pages["/loop/*"] = page
    museum.pages["/loop"] = page
    museum.answer = lambda handler: (
        page(handler) if handler.path.startswith("/loop") else Museum.answer(museum, handler)
    )
    found = tasks(museum.url("/loop"))
    assert len(found.tasks) == 1 and len(museum.asked) < 6
