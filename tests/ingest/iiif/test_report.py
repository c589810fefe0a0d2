"""From an address to a database, and what the user is told where there is none."""

import pytest

from ingest.errors import SourceError
from tests.ingest.iiif.server import FAST, tasks
from tests.support.commands import TINY
from tests.support.databases import ask


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


def test_options_of_iiif_are_refused_for_folders(folder, command):
    result = command("scan", folder, "--keep", "nothing")
    assert result.code == 2 and "are for IIIF manifests" in result.err
    assert command("scan", folder, "--json").counts["new"] == 9


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
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
def test_what_is_no_manifest(museum, command, body, code, sentence):
    result = command("run", museum.put("/x", body), *TINY, *FAST)
    assert (result.code, sentence in result.err, command.db.exists()) == (code, True, False), result.err


@pytest.mark.parametrize(
    "address", ["/viewer?manifest={}", "/#?c=0&manifest={}&cv=3", "/embed/?iiif-content={}", "/x?iiifManifestId={}#top"]
)
def test_the_address_of_a_viewer_leads_to_that_of_the_manifest(museum, command, address):
    museum.answer = lambda handler: (200, {}, b"<!doctype html><title>Viewer</title>")
    result = command("run", museum.url(address.format("https%3A%2F%2Fm.example%2F7.json")), *TINY, *FAST)
    assert result.code == 2 and "shows a manifest; give its own address: https://m.example/7.json" in result.err


def test_an_empty_page_is_left_out_and_told(museum):
    canvases = [museum.canvas("a", museum.image("a")), museum.canvas("b", museum.image("b"), items=[])]
    found = tasks(museum.manifest("/m.json", canvases))
    assert len(found.tasks) == 1 and found.left_out == [
        (museum.url("/canvas/b"), "no picture is painted on this canvas")
    ]


def test_a_source_that_cannot_be_read(museum):
    with pytest.raises(SourceError, match="no pictures"):
        tasks(museum.manifest("/m.json", [museum.canvas("b", image="x.jpg", items=[])]))
