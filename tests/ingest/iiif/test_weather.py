"""Servers that are slow, busy, gone, or send something else than they should."""

import struct
import threading
import time
import zlib

import pytest

from ingest.pipeline import Plan, process
from ingest.sources.iiif.tasks import IiifOptions, iiif_tasks
from ingest.web import Web
from tests.ingest.iiif.server import FAST, jpeg
from tests.support.commands import TINY
from tests.support.databases import ask


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
    texts = {
        "bomb": "15000 × 15000 pixels, more than",
        "liar": "sent a picture of 300 × 300 pixels where 1024 × 768 were asked for",
        "trap": "localhost has the address",
        "page": "web page",
        "cut": "damaged or cut short",
        "gone": "answers 404",
        "local": "no address on the web",
    }
    for name, words in texts.items():
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
    (task,) = iiif_tasks(client, source, IiifOptions()).tasks

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


def test_a_server_that_is_not_there(museum, command):
    result = command("run", "http://127.0.0.1:9/manifest.json", *TINY, *FAST)
    assert result.code == 1 and "could not be read: the connection to 127.0.0.1 broke" in result.err
