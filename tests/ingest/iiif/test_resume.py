"""The same command again: only what is new is fetched, and what is there stays."""

from tests.ingest.iiif.server import FAST
from tests.support.commands import TINY
from tests.support.databases import ask


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
