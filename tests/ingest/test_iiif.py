"""IIIF manifests and collections as sources: what is read of them, what is asked for, what is stored."""

import copy
import json
import random
import struct
import threading
import time
import zlib

import pytest

from ingest import web
from ingest.pipeline import Plan, process
from ingest.sources.folder import SourceError
from ingest.sources.iiif import Wishes, iiif_tasks, is_iiif, texts
from ingest.sources.iiif.images import BadInfo, parse_info, requests
from ingest.sources.iiif.presentation import Manifest, NotIiif, Painted, read_document
from ingest.vision.loader import BadImage
from ingest.vision.originals import original
from ingest.web import Web, WebError
from store.rows import to_json
from tests.ingest.iiif_server import I2, I3, P2, P3, Museum, jpeg
from tests.ingest.test_run import TINY, ask

FAST = ("--allow-host", "127.0.0.1", "--per-second", "100")


@pytest.fixture
def museum(monkeypatch):
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.01)
    made = Museum()
    yield made
    made.close()


@pytest.fixture
def book(museum):
    """A manifest of Presentation 3 with three pages."""
    canvases = [museum.canvas(name, museum.image(name)) for name in ("p1", "p2", "p3")]
    return museum.manifest("/book/manifest.json", canvases)


def tasks(museum, source, limit=None, **wishes):
    return iiif_tasks(Web(["127.0.0.1"], 1000), source, Wishes(**wishes), limit)


# ---- from an address to a database ---------------------------------------------------------------------------------


def test_a_manifest_becomes_a_database(museum, book, command):
    result = command("run", book, *TINY, *FAST, "--json")
    assert result.code == 0, result.err
    assert (result.counts["collection"], result.counts["new"], result.counts["failed"]) == ("A book", 3, 0)
    rows = ask(command.db, "SELECT path, width, height FROM images ORDER BY path")
    assert rows == [(museum.url(f"/canvas/p{n}"), 1024, 768) for n in (1, 2, 3)]
    query = "SELECT title, manifest, canvas, iiif_manifest, iiif_canvas, iiif_service, iiif_canvas_width FROM catalogue"
    assert ask(command.db, query + " ORDER BY path")[1] == (
        "A book, p2", "A book", "p2", book, museum.url("/canvas/p2"), museum.url("/iiif/p2"), 3200,
    )  # fmt: skip
    assert ask(command.db, "SELECT count(*) FROM features") == [(3,)]
    assert ask(command.db, "SELECT source FROM collection") == [(book,)]
    # One description and one picture each, in the size that a network needs, and nothing larger.
    assert museum.count("info.json") == 3 and museum.count("/full/1024,768/0/default.jpg") == 3
    assert len(museum.asked) == 7
    again = command("run", book, *TINY, *FAST, "--json")
    assert (again.counts["new"], again.counts["already"]) == (0, 3) and museum.asked[7:] == ["/book/manifest.json"]


def test_again_fetches_only_what_is_new(museum, book, command):
    command("scan", book, *FAST)
    before = len(museum.asked)
    again = command("scan", book, *FAST, "--json")
    assert (again.counts["new"], again.counts["already"]) == (0, 3)
    assert museum.asked[before:] == ["/book/manifest.json"]
    canvases = [museum.canvas(name, museum.image(name)) for name in ("p1", "p2", "p3", "p4")]
    canvases[1] = museum.canvas("p2", museum.image("rescan"))
    museum.manifest(
        "/book/manifest.json", canvases, metadata=[{"label": {"en": ["Scribe"]}, "value": {"en": ["Anna"]}}]
    )
    before = len(museum.asked)
    third = command("scan", book, *FAST, "--json")
    assert (third.counts["new"], third.counts["already"]) == (2, 2)  # the fourth, and the second, which is another now
    assert sum("0/default.jpg" in path for path in museum.asked[before:]) == 2
    assert ask(command.db, "SELECT count(*), count(Scribe) FROM catalogue") == [(4, 4)]


def test_an_interrupted_ingest_goes_on(museum, book, command):
    assert command("scan", book, *FAST, "--limit", "2", "--json").counts["new"] == 2
    assert command("scan", book, *FAST, "--json").counts["new"] == 1
    assert museum.count("default.jpg") == 3


def test_without_allow_host_nothing_is_asked(museum, book, command):
    result = command("run", book, *TINY)
    assert result.code == 2 and museum.asked == []
    assert "127.0.0.1 has the address 127.0.0.1, which is not on the public internet; add --allow-host" in result.err
    assert not command.db.exists()


def test_what_looks_like_a_key_is_stored_nowhere(museum, command):
    canvases = [museum.canvas("a", museum.image("a"))]
    address = museum.manifest("/m.json", canvases, id=None) + "?token=geheim"
    museum.pages["/m.json?token=geheim"] = museum.pages["/m.json"]
    result = command("scan", address, *FAST)
    assert result.code == 0 and "geheim" not in result.out + result.err
    assert b"geheim" not in command.db.read_bytes()


def test_one_broken_canvas_of_five(museum, command):
    canvases = [museum.canvas(f"p{n}", museum.image(f"p{n}")) for n in range(5)]
    canvases[2]["items"][0]["items"][0]["body"] = {"type": "Image"}
    result = command("scan", museum.manifest("/m.json", canvases), *FAST, "--json")
    assert (result.code, result.counts["new"], result.counts["failed"]) == (0, 4, 1)
    assert ask(command.db, "SELECT path, error FROM failures") == [
        (museum.url("/canvas/p2"), "Its picture has no address on the web.")
    ]
    canvases[2] = museum.canvas("p2", museum.image("p2"))
    museum.manifest("/m.json", canvases)
    assert command("scan", museum.url("/m.json"), *FAST, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT count(*) FROM failures") == [(0,)]


def test_pictures_that_cannot_be_had_become_failures(museum, command):
    good = museum.image("good")
    bomb = museum.image("bomb", 100, 100)
    museum.pages["/iiif/bomb/*"] = lambda handler: (200, {}, b"\x89PNG\r\n\x1a\n" + png_header(15_000, 15_000))
    liar = museum.image("liar", 1600, 1200)
    museum.pages["/iiif/liar/*"] = lambda handler: (200, {}, jpeg(300, 300))
    trap = museum.image("trap")
    museum.put("/iiif/trap/info.json", b"", 302, Location=f"http://localhost:{museum.port}/iiif/good/info.json")
    page = museum.image("page")
    museum.pages["/iiif/page/*"] = lambda handler: (200, {"Content-Type": "image/jpeg"}, b"<html>Please log in</html>")
    cut = museum.image("cut")
    museum.pages["/iiif/cut/*"] = lambda handler: (200, {}, jpeg(1024, 768)[:3000])
    services = {"good": good, "bomb": bomb, "liar": liar, "trap": trap, "page": page, "cut": cut}
    canvases = [museum.canvas(name, uri) for name, uri in services.items()]
    canvases.append(museum.canvas("gone", image=museum.url("/gone.jpg")))
    canvases.append(museum.canvas("local", image="file:///etc/hostname"))
    result = command("scan", museum.manifest("/m.json", canvases), *FAST, "--json")
    assert (result.code, result.counts["new"], result.counts["failed"]) == (0, 1, 7)
    failures = {path.rpartition("/")[2]: error for path, error in ask(command.db, "SELECT path, error FROM failures")}
    said = {
        "bomb": "15000 × 15000 pixels, more than",
        "liar": "sent a picture of 300 × 300 pixels where 1024 × 768 were asked for",
        "trap": "localhost has the address",
        "page": "web page",
        "cut": "damaged or cut short",
        "gone": "answers 404",
        "local": "no address on the web",
    }
    for name, words in said.items():
        assert words.casefold() in failures[name].casefold(), failures[name]


def png_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (body, data)]
    return b"".join(chunks)


def test_a_slow_and_stumbling_server(museum, command):
    canvases = [museum.canvas(f"p{n}", museum.image(f"p{n}")) for n in range(3)]
    info = museum.pages["/iiif/p1/info.json"](None)[2]
    museum.stumbling("/iiif/p1/info.json", 2, 503, {}, info)
    museum.stumbling("/iiif/p2/full/1024,768/0/default.jpg", 2, 429, {"Retry-After": "0"}, jpeg(1024, 768, "p2"))
    result = command("scan", museum.manifest("/m.json", canvases), *FAST, "--json")
    assert (result.counts["new"], result.counts["failed"]) == (3, 0)


def test_an_interruption_waits_for_no_server(museum, command):
    """Ctrl-C while a server wants to be left alone for a minute and a half."""
    museum.put("/busy.jpg", b"", 429, Retry_After="90")
    source = museum.manifest("/m.json", [museum.canvas("a", image=museum.url("/busy.jpg"))])
    command("scan", museum.manifest("/n.json", [museum.canvas("b", museum.image("b"))]), *FAST)
    client = Web(["127.0.0.1"], 1000)
    (task,) = iiif_tasks(client, source, Wishes()).tasks

    def interrupted():
        yield task
        while museum.count("busy.jpg") == 0:
            time.sleep(0.01)
        raise KeyboardInterrupt

    def run():
        with pytest.raises(KeyboardInterrupt):
            process(Plan(command.db, 1, "scan", stop=client.close), interrupted())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and museum.count("busy.jpg") == 1
    assert ask(command.db, "SELECT count(*) FROM failures") == [(0,)]  # nothing has gone wrong


def test_keep_nothing_stores_no_picture(museum, book, command):
    assert command("run", book, *TINY, *FAST, "--keep", "nothing", "--json").counts["new"] == 3
    assert ask(command.db, "SELECT count(*) FROM thumbnail") == [(0,)]
    assert ask(command.db, "SELECT count(*) FROM features") == [(3,)]
    # Adding maps looks at the pictures once more, in the same size, and keeps none either.
    museum.asked.clear()
    result = command("explain", "--methods", "received", "--allow-host", "127.0.0.1", "--json")
    assert result.code == 0 and result.counts["new"] == 3, result.err
    assert museum.count("/full/1024,768/0/") == 3
    assert ask(command.db, "SELECT count(*) FROM thumbnail") == [(0,)]
    assert ask(command.db, "SELECT count(DISTINCT method) FROM attention") == [(3,)]


def test_explain_asks_no_private_address_by_itself(museum, book, command):
    command("run", book, *TINY, *FAST)
    before = len(museum.asked)
    result = command("explain", "--methods", "received")
    assert "not on the public internet" in result.err and len(museum.asked) == before
    assert ask(command.db, "SELECT count(*) FROM features") == [(3,)]  # what was there stays


def test_embed_with_another_network_asks_for_the_same_pictures(museum, command):
    """Also where the first ingest asked for another size than the usual one, and where the server has fixed sizes."""
    small = museum.image("small", level=0, sizes=[(200, 150), (320, 240), (400, 300), (800, 600)], forms=("w,h",))
    canvases = [museum.canvas("large", museum.image("large")), museum.canvas("small", small)]
    source = museum.manifest("/m.json", canvases)
    command("run", source, *TINY, *FAST, "--side", "400")
    first = ask(command.db, "SELECT path, width, height, sha256 FROM images ORDER BY path")
    assert [row[1:3] for row in first] == [(533, 400), (400, 300)]
    result = command("embed", "--model", "tiny:vit", "--allow-host", "127.0.0.1", "--json")
    assert result.counts["new"] == 2 and result.counts["failed"] == 0, result.err
    assert ask(command.db, "SELECT path, width, height, sha256 FROM images ORDER BY path") == first
    assert ask(command.db, "SELECT count(*) FROM features") == [(4,)]


def test_two_manifests_of_one_name_do_not_flow_together(museum, book, command):
    other = museum.manifest("/other.json", [museum.canvas("x", museum.image("x"))])
    command("scan", book, *FAST)
    result = command("scan", other, *FAST)
    assert result.code == 2 and "give this one a name of its own with --collection NAME" in result.err
    assert command("scan", other, *FAST, "--collection", "Other", "--json").counts["new"] == 1
    assert command("scan", other, *FAST, "--collection", "A book", "--json").counts["new"] == 1  # as the user wishes
    assert ask(command.db, "SELECT collection, count(*) FROM images GROUP BY 1 ORDER BY 1") == [
        ("A book", 4),
        ("Other", 1),
    ]


def test_a_folder_does_not_flow_into_a_collection_from_the_web(museum, book, folder, command):
    command("scan", book, *FAST)
    result = command("scan", folder, "--collection", "A book")
    assert result.code == 2 and f"was made from {book}" in result.err
    command("scan", folder)
    result = command("scan", book, *FAST, "--collection", "scans")
    assert result.code == 2 and "give this one a name of its own" in result.err
    assert ask(command.db, "SELECT count(DISTINCT collection), count(*) FROM images") == [(2, 12)]


def test_what_lies_on_the_web_is_not_gone(museum, book, command):
    command("scan", book, *FAST)
    assert command("prune", "--json").counts["pruned"] == []
    assert "gone" not in command("status").out
    assert ask(command.db, "SELECT count(*) FROM images") == [(3,)]


def test_a_table_adds_to_the_metadata(museum, book, command, tmp_path):
    table = tmp_path / "more.csv"
    table.write_text(f"page,scribe\n{museum.url('/canvas/p2')},Anna\n")
    assert command("scan", book, *FAST, "--metadata", table).code == 0
    assert ask(command.db, "SELECT canvas FROM catalogue WHERE scribe = 'Anna'") == [("p2",)]


def test_options_of_iiif_are_refused_for_folders(folder, command):
    result = command("scan", folder, "--keep", "nothing")
    assert result.code == 2 and "are for IIIF manifests" in result.err
    assert command("scan", folder, "--json").counts["new"] == 9


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"<html><body>The manifest is over there</body></html>", 1, "a web page, no IIIF manifest"),
        (b'{"type": "Canvas", "id": "x"}', 2, "a IIIF Canvas, not a manifest or a collection"),
        (b'{"hello": 1}', 2, "JSON without a IIIF type"),
        (b"[1, 2]", 2, "no IIIF manifest"),
        (b"{", 1, "cut short"),
        (b"[" * 100_000, 1, "nested too deep"),
        (b'{"type": "Manifest", "id": "x", "items": []}', 2, "there are no pictures in"),
    ],
)
def test_what_is_no_manifest(museum, command, body, code, said):
    result = command("run", museum.put("/x", body), *TINY, *FAST)
    assert (result.code, said in result.err, command.db.exists()) == (code, True, False), result.err


@pytest.mark.parametrize(
    "address", ["/viewer?manifest={}", "/#?c=0&manifest={}&cv=3", "/embed/?iiif-content={}", "/x?iiifManifestId={}#top"]
)
def test_the_address_of_a_viewer_leads_to_that_of_the_manifest(museum, command, address):
    museum.answer = lambda handler: (200, {}, b"<!doctype html><title>Viewer</title>")
    result = command("run", museum.url(address.format("https%3A%2F%2Fm.example%2F7.json")), *TINY, *FAST)
    assert result.code == 2 and "shows a manifest; give its own address: https://m.example/7.json" in result.err


def test_a_server_that_is_not_there(museum, command):
    result = command("run", "http://127.0.0.1:9/manifest.json", *TINY, *FAST)
    assert result.code == 1 and "could not be read: the connection to 127.0.0.1 broke" in result.err


# ---- files, collections, cycles --------------------------------------------------------------------------------------


def test_a_manifest_in_a_file(museum, book, command, tmp_path):
    file = tmp_path / "saved.json"
    file.write_bytes(museum.pages["/book/manifest.json"](None)[2])
    museum.asked.clear()
    assert tasks(museum, str(file)).source == str(file.resolve())
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
    found = tasks(museum, str(tmp_path / "list.json"))
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
    found = tasks(museum, nested(museum), canvases="first")
    assert [task.name.rpartition("/")[2] for task in found.tasks] == ["b1p1", "old1", "lost.json", "b2p1"]


def test_a_limit_stops_the_reading(museum):
    found = tasks(museum, nested(museum), limit=2)
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
    assert [task.name[-2:] for task in tasks(museum, museum.json("/t.json", top)).tasks] == ["c1", "c2", "c3"]


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
    found = tasks(museum, museum.url("/loop"))
    assert len(found.tasks) == 1 and len(museum.asked) < 6


# ---- what documents say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Text", {"none": ("Text",)}),
        (["a", "b", "a"], {"none": ("a", "b")}),
        ({"@value": "Buch", "@language": "de"}, {"de": ("Buch",)}),
        ([{"@value": "Buch", "@language": "de"}, {"@value": "Book", "@language": "en"}, "x"], {"de": ("Buch",), "en": ("Book",), "none": ("x",)}),
        ({"de": ["Buch", "Band"], "none": ["1r"]}, {"de": ("Buch", "Band"), "none": ("1r",)}),
        ({"de": "Buch"}, {"de": ("Buch",)}),
        (1520, {"none": ("1520",)}),
        ({"@value": 1520}, {"none": ("1520",)}),
        ("<p>One &amp; <b>two</b><br/>three</p>", {"none": ("One & two three",)}),
        ("a < b and c > d", {"none": ("a < b and c > d",)}),
        (None, {}), ("", {}), ([], {}), ({}, {}), (True, {}), ([[[[[["deep"]]]]]], {}), ({"de": [None, 3.5]}, {"de": ("3.5",)}),
        ("x" * 100_000, {"none": ("x" * texts.LONGEST,)}),
    ],
)  # fmt: skip
def test_words(value, words):
    assert texts.words_of(value) == words


@pytest.mark.parametrize(
    ("language", "text", "columns"),
    [
        (None, "Painter", {"k": "Painter", "k [de-CH]": "Maler", "k [fr]": "Peintre"}),
        ("de", "Maler", {"k": "Maler", "k [en]": "Painter", "k [fr]": "Peintre"}),
        ("fr", "Peintre", {"k": "Peintre", "k [de-CH]": "Maler", "k [en]": "Painter"}),
        ("it", "Painter", {"k": "Painter", "k [de-CH]": "Maler", "k [fr]": "Peintre"}),
    ],
)
def test_a_language_is_chosen_and_the_others_are_kept(language, text, columns):
    words = {"de-CH": ("Maler",), "en": ("Painter",), "fr": ("Peintre",)}
    assert texts.chosen(words, language) == text and texts.columns("k", words, language) == columns


def test_without_english_comes_no_language_then_any():
    assert texts.chosen({"de": ("a",), "none": ("b",)}) == "b" and texts.chosen({"fr": ("a",), "de": ("b",)}) == "a"
    assert texts.chosen({}) == "" and texts.columns("k", {}) == {}


def test_metadata_of_presentation_3(museum):
    pairs = [
        {"label": {"en": ["Date"], "de": ["Datum"]}, "value": {"none": ["c. 1520"]}},
        {"label": {"en": ["Subject"]}, "value": {"en": ["Fish", "River"]}},
        {"label": {"en": ["Title"]}, "value": {"en": ["On fish"], "de": ["Von Fischen"]}},
        {"label": {}, "value": {"en": ["lost"]}},
        "nonsense",
    ]
    source = museum.manifest(
        "/m.json",
        [museum.canvas("f. 1r", museum.image("a"), metadata=[{"label": {"en": ["Condition"]}, "value": {"en": ["torn"]}}])],
        metadata=pairs,
        summary={"en": ["<p>A small book.</p>"]},
        rights="http://creativecommons.org/licenses/by/4.0/",
        requiredStatement={"label": {"en": ["Attribution"]}, "value": {"en": ["The Museum"]}},
        homepage=[{"id": "https://museum.example/1", "type": "Text", "format": "text/html"}],
        navDate="1520-01-01T00:00:00Z",
    )  # fmt: skip
    (task,) = tasks(museum, source).tasks
    assert task.metadata == {
        "title": "A book", "manifest": "A book", "canvas": "f. 1r", "Date": "c. 1520", "Date_from": "1515", "Date_to": "1525", "Subject": "Fish; River",
        "Title (metadata)": "On fish", "Title (metadata) [de]": "Von Fischen", "Condition": "torn", "summary": "A small book.",
        "attribution": "The Museum", "rights": "http://creativecommons.org/licenses/by/4.0/",
        "homepage": "https://museum.example/1", "nav_date": "1520-01-01", "iiif_manifest": source,
        "iiif_canvas": museum.url("/canvas/f. 1r"), "iiif_service": museum.url("/iiif/a"), "iiif_service_type": "ImageService3 level2",
        "iiif_image": museum.url("/iiif/a/full/max/0/default.jpg"), "iiif_canvas_width": 3200.0, "iiif_canvas_height": 2400.0,
    }  # fmt: skip
    (german,) = tasks(museum, source, language="de").tasks
    assert german.metadata["Datum"] == "c. 1520" and german.metadata["Title (metadata)"] == "Von Fischen"


def test_metadata_of_presentation_2(museum):
    source = museum.manifest2(
        "/m.json",
        ["a", "b"],
        metadata=[
            {"label": "Ort", "value": "Basel"},
            {"label": [{"@value": "Maler", "@language": "de"}], "value": ["X", "Y"]},
        ],
        description="Beschreibung",
        license="https://rightsstatements.org/vocab/NoC-NC/1.0/",
        attribution=[{"@value": "Das Museum", "@language": "de"}],
        related=[
            {"@id": "https://m.example/x.pdf", "format": "application/pdf"},
            {"@id": "https://m.example/x", "format": "text/html"},
        ],
    )
    first, second = tasks(museum, source).tasks
    assert first.metadata | {"iiif_canvas": ""} == {
        "title": "Ein Buch, f. a", "manifest": "Ein Buch", "canvas": "f. a", "Ort": "Basel", "Maler": "X; Y",
        "summary": "Beschreibung", "attribution": "Das Museum", "rights": "https://rightsstatements.org/vocab/NoC-NC/1.0/",
        "homepage": "https://m.example/x", "iiif_manifest": source, "iiif_canvas": "", "iiif_service": museum.url("/iiif/a"), "iiif_service_type": "ImageService2 level2",
        "iiif_image": museum.url("/iiif/a/full/full/0/default.jpg"), "iiif_canvas_width": 3200.0, "iiif_canvas_height": 2400.0,
    }  # fmt: skip
    assert second.name == museum.url("/canvas/b")


def test_dates_have_years_beside_them(museum):
    dates = ["c. 1520", "1830–1832", "undated"]
    canvases = [
        museum.canvas(f"p{n}", museum.image("p"), metadata=[{"label": {"en": ["Date"]}, "value": {"none": [date]}}])
        for n, date in enumerate(dates)
    ]
    found = [task.metadata for task in tasks(museum, museum.manifest("/m.json", canvases)).tasks]
    assert [(each["Date"], each.get("Date_from"), each.get("Date_to")) for each in found] == [
        ("c. 1520", "1515", "1525"), ("1830–1832", "1830", "1832"), ("undated", None, None),
    ]  # fmt: skip


def test_no_end_of_labels(museum):
    canvases = [
        museum.canvas(
            f"p{n}", museum.image("p"), metadata=[{"label": f"key {n} {k}", "value": "v"} for k in range(150)]
        )
        for n in range(5)
    ]
    found = tasks(museum, museum.manifest("/m.json", canvases))
    assert len(set().union(*(task.metadata for task in found.tasks)) - {"title"}) <= 410
    assert any("labels of metadata left out" in line for line in found.lines())


def painted(body, **canvas):
    data = {"type": "Manifest", "id": "https://m.example/m", "items": [
        {"id": "https://m.example/c", "type": "Canvas", "width": 1000, "height": 500, **canvas,
         "items": [{"items": [{"motivation": "painting", "body": body, "target": canvas.get("target", "https://m.example/c")}]}]}]}  # fmt: skip
    return read_document(data, "https://m.example/m").canvases[0]


SERVICE = {"id": "https://i.example/a/", "type": "ImageService3", "profile": "level1"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("https://m.example/a.jpg", Painted("https://m.example/a.jpg")),
        ({"id": "a.jpg", "type": "Image"}, Painted("https://m.example/a.jpg")),
        ({"id": "https://m.example/a.jpg", "service": SERVICE}, Painted("https://m.example/a.jpg", "https://i.example/a", service_type="ImageService3 level1")),
        ({"type": "Image", "service": [{"@id": "https://x/login", "profile": "http://iiif.io/api/auth/1/login"}, SERVICE]},
         Painted("", "https://i.example/a", service_type="ImageService3 level1")),
        ({"type": "Choice", "items": [{"id": "https://m.example/a.jpg"}, {"id": "https://m.example/b.jpg"}]},
         Painted("https://m.example/a.jpg")),
        ({"@type": "oa:Choice", "default": {"@id": "https://m.example/d.jpg"}, "item": [{"@id": "https://m.example/e.jpg"}]},
         Painted("https://m.example/d.jpg")),
        ({"type": "SpecificResource", "source": {"id": "https://m.example/a.jpg", "service": [SERVICE]},
          "selector": {"type": "ImageApiSelector", "region": "10,20,300,400"}},
         Painted("https://m.example/a.jpg", "https://i.example/a", "10,20,300,400", "ImageService3 level1")),
        ({"@type": "oa:SpecificResource", "full": {"@id": "https://m.example/a.jpg"}, "selector": {"region": "../../etc"}},
         Painted("https://m.example/a.jpg")),
        ({"id": "https://m.example/a.jpg", "service": {"@context": I2, "@id": "https://i.example/a/info.json"}},
         Painted("https://m.example/a.jpg", "https://i.example/a", service_type="ImageService2 level0")),
    ],
)  # fmt: skip
def test_what_is_painted(body, expected):
    assert painted(body).painted == expected


@pytest.mark.parametrize(
    "body", [{"id": "https://m.example/a.mp4", "type": "Video"}, {"@id": "https://m/a", "@type": "dctypes:MovingImage"}]
)
def test_films_on_canvases_are_left_out(body):
    assert painted(body).painted is None and painted(body).fault == "it shows video, not a picture"


def test_a_picture_on_a_part_of_its_canvas():
    assert painted("https://m.example/a.jpg", target="https://m.example/c#xywh=10,20,300,400").place == (
        10,
        20,
        300,
        400,
    )
    assert painted("https://m.example/a.jpg", target="https://m.example/c#xywh=percent:50,0,50,100").place == (
        500,
        0,
        500,
        500,
    )
    assert painted("https://m.example/a.jpg", target="https://m.example/c#xywh=0,0,1000,500").place is None


JUNK = [
    None,
    0,
    "",
    "http://[",
    {"id": "http://["},
    [],
    {},
    [[]],
    {"id": 3},
    "x",
    True,
    {"a": {"b": []}},
    [None, 1, "x", {}],
]


@pytest.mark.parametrize(
    "key",
    ["id", "label", "metadata", "items", "rights", "homepage", "requiredStatement", "navDate", "service", "summary"],
)
@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_junk_costs_no_more_than_itself(key, junk):
    """Whatever one field holds, the document is read, and the canvas beside a broken one too."""
    good = {
        "id": "https://m.example/c",
        "type": "Canvas",
        "items": [{"items": [{"motivation": "painting", "body": "https://m.example/a.jpg"}]}],
    }
    data = {
        "id": "https://m.example/m",
        "type": "Manifest",
        "items": [{**good, "id": "https://m.example/c1", key: junk}, good],
    }
    manifest = read_document(data, "https://m.example/m")
    assert isinstance(manifest, Manifest) and manifest.canvases[-1].painted == Painted("https://m.example/a.jpg")
    read_document({**data, key: junk}, "https://m.example/m")
    for version in ("sequences", "collections", "members", "manifests"):
        try:
            read_document(
                {"@type": "sc:Collection" if version != "sequences" else "sc:Manifest", version: junk},
                "https://x.example/",
            )
        except NotIiif:
            raise AssertionError("a typed document is what it says") from None


def places_in(data, path=()):
    """The way to every value inside a JSON document."""
    for key in data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield (*path, key)
        yield from places_in(data[key], (*path, key))


@pytest.mark.parametrize("version", [2, 3])
def test_documents_spoilt_at_random_are_read_or_refused(museum, version):
    """One to three values of a good manifest become junk, are doubled, or go; 400 times."""
    chance = random.Random(version)
    museum.image("a", version=2)
    museum.manifest("/3.json", [museum.canvas("a", museum.image("b")), museum.canvas("b", image="http://x.example/y.jpg")],
                    metadata=[{"label": {"en": ["Date"]}, "value": {"en": ["c. 1520"], "de": ["um 1520"]}}], summary={"en": ["x"]},
                    homepage=[{"id": "http://x.example/"}], requiredStatement={"label": {"en": ["A"]}, "value": {"en": ["B"]}})  # fmt: skip
    museum.manifest2("/2.json", ["a", "b"], metadata=[{"label": "Ort", "value": "Basel"}], related="http://x.example/")
    good = json.loads(museum.pages[f"/{version}.json"](None)[2])
    junk = [
        *JUNK,
        -1,
        1e400,
        10**30,
        float("nan"),
        "\ud800",
        "\0",
        {"@value": None},
        "javascript:1",
        {"id": "http://u:p@h/"},
    ]
    read = 0
    for _ in range(400):
        data = json.loads(json.dumps(good))
        for _ in range(chance.randint(1, 3)):
            *way, last = chance.choice(list(places_in(data)))
            parent = data
            for key in way:
                parent = parent[key]
            kind = chance.random()
            if kind < 0.6:
                parent[last] = copy.deepcopy(chance.choice(junk))
            elif kind < 0.8:
                parent[last] = [parent[last]] * 2
            else:
                del parent[last]
        try:
            found = iiif_tasks(Replying(data), "http://m.example/", Wishes())
        except SourceError:
            continue
        read += 1
        for task in found.tasks:
            assert "://" in task.name and task.name.isprintable()
            to_json(task.metadata)
    assert read > 200


class Replying:
    """A Web that has one document."""

    def __init__(self, data):
        self.data = data

    def json(self, address, most=0):
        if address != "http://m.example/":
            raise WebError("there is nothing here", 404)
        return self.data, address


def test_canvases_without_a_name_of_their_own():
    body = [{"items": [{"motivation": "painting", "body": "https://m.example/a.jpg"}]}]
    items = [
        {"id": name, "type": "Canvas", "items": body}
        for name in ("same", "https://m.example/c", "https://m.example/c", "/etc/passwd")
    ]
    manifest = read_document({"type": "Manifest", "id": "https://m.example/m", "items": items}, "https://m.example/m")
    assert [canvas.uri for canvas in manifest.canvases] == [
        "https://m.example/m#canvas=1", "https://m.example/c", "https://m.example/m#canvas=3", "https://m.example/m#canvas=4",
    ]  # fmt: skip


def test_an_empty_page_is_left_out_and_told(museum):
    canvases = [museum.canvas("a", museum.image("a")), museum.canvas("b", museum.image("b"), items=[])]
    found = tasks(museum, museum.manifest("/m.json", canvases))
    assert len(found.tasks) == 1 and found.left_out == [
        (museum.url("/canvas/b"), "no picture is painted on this canvas")
    ]


# ---- sizes --------------------------------------------------------------------------------------------------------------


def info(version=3, level=2, width=4000, height=3000, **more):
    data = {"width": width, "height": height}
    if version == 3:
        data |= {"@context": I3, "id": "u", "type": "ImageService3", "profile": f"level{level}"}
    elif version == 2:
        data |= {
            "@context": I2,
            "@id": "u",
            "profile": [f"http://iiif.io/api/image/2/level{level}.json", more.pop("limits", {})],
        }
    else:
        data |= {"@context": "http://library.stanford.edu/iiif/image-api/1.1/context.json", "@id": "u",
                 "profile": f"http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level{level}"}  # fmt: skip
    return parse_info(data | more, "u")


def sizes(*pairs):
    return [{"width": w, "height": h} for w, h in pairs]


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (info(3, 2), "u/full/1024,768/0/default.jpg"),
        (info(3, 1), "u/full/1024,/0/default.jpg"),
        (info(2, 2), "u/full/1024,/0/default.jpg"),
        (info(2, 1), "u/full/1024,/0/default.jpg"),
        (info(1, 1), "u/full/1024,/0/native.jpg"),
        (info(3, 0), "u/full/max/0/default.jpg"),
        (info(2, 0), "u/full/full/0/default.jpg"),
        (info(3, 0, sizes=sizes((250, 188), (1000, 750), (2000, 1500))), "u/full/1000,750/0/default.jpg"),
        (info(3, 0, sizes=sizes((250, 188), (700, 525), (2000, 1500))), "u/full/2000,1500/0/default.jpg"),
        (info(2, 0, sizes=sizes((250, 188), (2000, 1500))), "u/full/2000,/0/default.jpg"),
        (info(3, 2, sizes=sizes((500, 375), (1200, 900), (4000, 3000))), "u/full/1200,900/0/default.jpg"),  # ready-made
        (info(3, 2, sizes=sizes((500, 375), (4000, 3000))), "u/full/1024,768/0/default.jpg"),  # far too large
        (info(3, 2, 600, 400), "u/full/max/0/default.jpg"),  # never enlarged
        (info(2, 2, 600, 400), "u/full/full/0/default.jpg"),
        (info(3, 2, maxWidth=500), "u/full/500,375/0/default.jpg"),
        (info(2, 2, limits={"maxWidth": 500}), "u/full/500,/0/default.jpg"),
        (info(3, 2, maxArea=120_000), "u/full/400,300/0/default.jpg"),
        (info(3, 0, extraFeatures=["sizeByH"]), "u/full/,768/0/default.jpg"),
        (info(3, 0, extraFeatures=["sizeByPct"]), "u/full/pct:25/0/default.jpg"),
        (info(2, 0, tiles=[{"width": 1024, "scaleFactors": [1, 2, 4, 8]}]), "u/full/1000,/0/default.jpg"),  # one tile
        (info(3, 2, 200_000, 2000), "u/full/40000,400/0/default.jpg"),  # a scroll: bounded by its area
        (info(3, 0, 200_000, 150_000, sizes=sizes((800, 600))), "u/full/800,600/0/default.jpg"),  # the whole is too large
        (info(3, 2, sizes=sizes((9000, 6750), (-5, 3), (100, 100), (1040, 780))), "u/full/1040,780/0/default.jpg"),  # lies
    ],
)  # fmt: skip
def test_what_is_asked_for(found, first):
    asked = requests(found)
    assert asked[0].address == first
    assert all(request.width <= found.width and request.height <= found.height for request in asked)


@pytest.mark.parametrize("junk", [None, 0, -5, "x", [], {}, 1e300, float("nan"), True and "0"])
def test_an_image_without_a_size_is_not_believed(junk):
    with pytest.raises(BadInfo):
        parse_info({"width": junk, "height": 100}, "u")


@pytest.mark.parametrize(
    "key", ["sizes", "tiles", "profile", "extraFeatures", "maxWidth", "maxArea", "@context", "type", "supports"]
)
@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_junk_in_a_description_is_passed_over(key, junk):
    asked = requests(parse_info({"width": "400", "height": 300.0, "profile": "level2", key: junk}, "u"))
    assert asked and all(request.width <= 400 for request in asked)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("form", ["w,", "w,h"])
def test_a_server_of_level_0_with_fixed_sizes_only(museum, command, version, form):
    """Static files: each size lies under one way of writing it, and nobody says which; the whole picture may be missing."""
    uri = museum.image("a", version=version, level=0, sizes=[(200, 150), (1200, 900)], forms=(form,))
    source = museum.manifest("/m.json", [museum.canvas("a", uri)])
    assert command("scan", source, *FAST, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT width, height FROM images") == [(1200, 900)]


def test_a_server_that_does_not_offer_what_it_lists(museum, command):
    uri = museum.image("a", level=2, said={"sizes": sizes((1100, 825))})
    real = museum.pages["/iiif/a/*"]
    museum.pages["/iiif/a/*"] = lambda handler: (404, {}, b"") if "1100" in handler.path else real(handler)
    assert command("scan", museum.manifest("/m.json", [museum.canvas("a", uri)]), *FAST, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT width, height FROM images") == [(1024, 768)]


def test_without_a_description_the_picture_of_the_manifest_is_taken(museum, command):
    uri = museum.url("/iiif/broken")
    museum.put("/iiif/broken/info.json", b"", 404)
    museum.put("/iiif/broken/full/max/0/default.jpg", jpeg(900, 700))
    source = museum.manifest(
        "/m.json", [museum.canvas("a", uri), museum.canvas("b", image=museum.put("/b.jpg", jpeg(80, 60)))]
    )
    assert command("scan", source, *FAST, "--json").counts["new"] == 2
    assert ask(command.db, "SELECT width, height FROM images ORDER BY path") == [(900, 700), (80, 60)]


def test_a_source_that_cannot_be_read(museum):
    with pytest.raises(SourceError, match="no pictures"):
        tasks(museum, museum.manifest("/m.json", [museum.canvas("b", image="x.jpg", items=[])]))
