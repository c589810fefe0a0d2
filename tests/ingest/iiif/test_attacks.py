"""Documents written to harm: by their length, by what they would have printed, by where they would lead."""

import json

import pytest
from PIL import Image

from ingest.sources.iiif import texts
from ingest.sources.iiif.images import parse_info, requests
from ingest.sources.iiif.presentation import NotIiif, read_document
from ingest.vision.loader import BadImage
from tests.ingest.iiif.server import FAST, P3, jpeg, tasks
from tests.support.databases import ask

ESCAPE = "\x1b[2J\x07"


def canvas(body="https://m.example/a.jpg", **more):
    painting = {"motivation": "painting", "body": body} | more
    return {
        "id": "https://m.example/c",
        "type": "Canvas",
        "width": 1000,
        "height": 500,
        "items": [{"items": [painting]}],
    }


def read(*canvases):
    data = {"id": "https://m.example/m", "type": "Manifest", "items": list(canvases)}
    return read_document(data, "https://m.example/m").canvases


@pytest.mark.parametrize(
    "target", ["#" * 2_000_000, "#&" * 1_000_000, "#xywh=" * 300_000, "#" + "a&" * 1_000_000 + "xywh=1,1,1,1",
               "#xywh=1.1.1,1,1,1", "#xywh=,,,", "#xywh=9e9,1,1,1"],
    ids=range(7),
)  # fmt: skip
def test_an_endless_target_is_the_whole_canvas(target):
    (found,) = read(canvas(target="https://m.example/c" + target))
    assert found.painted is not None and found.place is None


def test_endless_words_are_cut():
    """A list of half a million labels, and one label for each of half a million languages."""
    many = texts.words_of({"en": [f"label {number}" for number in range(500_000)]})
    assert len(many["en"]) == texts.VALUES
    assert len(texts.words_of({f"aa-{number}": ["x"] for number in range(500_000)})) == texts.VALUES
    long = texts.words_of({"en": ["x" * texts.LONGEST + str(number) for number in range(90)], "de": ["y"] * 90})
    assert len(texts.chosen(long)) == texts.LONGEST
    assert all(len(text) <= texts.LONGEST for text in texts.columns("k", long).values())


def test_nothing_that_moves_a_terminal_is_printed(museum, command):
    with pytest.raises(NotIiif) as error:
        read_document({"type": f"Strange{ESCAPE}" * 50}, "https://m.example/m")
    assert str(error.value).isprintable() and len(str(error.value)) < 200
    pages = [museum.canvas("a", museum.image("a")), museum.canvas("b") | {"id": f"https://m.example/{ESCAPE}"}]
    pages.append(museum.canvas("c", image=museum.url("/gone.jpg"), label={"en": [f"{ESCAPE}Page"]}))
    source = museum.manifest("/m.json", pages, label={"en": [f"Book{ESCAPE}"]})
    result = command("scan", source, *FAST, "--json")
    assert result.code == 0, result.err
    assert ESCAPE[0] not in result.out + result.err
    stored = ask(
        command.db,
        "SELECT collection, path, metadata::VARCHAR FROM images UNION ALL SELECT collection, path, error FROM failures",
    )
    assert len(stored) >= 2 and all(ESCAPE[0] not in text for row in stored for text in row)


@pytest.mark.parametrize("address", ["file:///etc/hostname", "http://[::1]/c.json", "http://2130706433/c.json",
                                     "http://anna:geheim@m.example/c.json", "gopher://m.example/"])  # fmt: skip
def test_a_collection_leads_to_no_private_place(museum, address):
    listing = {"@context": P3, "id": museum.url("/c.json"), "type": "Collection", "label": {"en": ["C"]},
               "items": [{"id": address, "type": "Manifest"}]}  # fmt: skip
    (task,) = tasks(museum.json("/c.json", listing)).tasks
    with pytest.raises(BadImage, match="could not be read") as error:
        task.read()
    assert "geheim" not in str(error.value) and museum.asked == ["/c.json"]


def test_an_image_service_leads_to_no_private_place(museum):
    body = {
        "type": "Image",
        "service": [{"id": "http://localhost:1/iiif/a", "type": "ImageService3", "profile": "level2"}],
    }
    page = museum.canvas("a") | {"items": [{"items": [{"motivation": "painting", "body": body}]}]}
    (task,) = tasks(museum.manifest("/m.json", [page])).tasks
    with pytest.raises(BadImage, match="localhost has the address"):
        task.read()


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>Please log in</html>", b"", b"null", b"[]", b'{"width": "9" }']
)
def test_a_description_that_is_none(museum, body):
    """With the status 200, as pages that ask for a login have it."""
    uri = museum.image("a")
    museum.put("/iiif/a/info.json", body)
    (task,) = tasks(museum.manifest("/m.json", [museum.canvas("a", uri)])).tasks
    assert task.read().image.size == (1600, 1200)  # the picture that the manifest names


def test_an_html_page_in_place_of_the_picture(museum):
    uri = museum.put("/a.jpg", b"<!DOCTYPE html><html>Please log in</html>", Content_Type="image/jpeg")
    (task,) = tasks(museum.manifest("/m.json", [museum.canvas("a", image=uri)])).tasks
    with pytest.raises(BadImage):
        task.read()


def test_a_server_of_tiles_alone_says_so(museum):
    uri = museum.image("a", 40_000, 30_000, level=0, info={"tiles": [{"width": 256, "scaleFactors": [1, 2, 4]}]})
    (task,) = tasks(museum.manifest("/m.json", [museum.canvas("a", uri)])).tasks
    with pytest.raises(BadImage, match="offers no size of the image that could be read"):
        task.read()


def test_a_collection_nested_a_thousand_deep_is_read(museum):
    book = museum.manifest("/book.json", [museum.canvas("a", museum.image("a"))])
    for number in range(1000):
        inner = (
            {"id": museum.url(f"/c{number + 1}.json"), "type": "Collection"}
            if number < 999
            else {"id": book, "type": "Manifest"}
        )
        data = {"@context": P3, "id": museum.url(f"/c{number}.json"), "type": "Collection", "items": [inner]}
        museum.json(f"/c{number}.json", data)
    assert [task.name for task in tasks(museum.url("/c0.json")).tasks] == [museum.url("/canvas/a")]


def test_canvases_that_nest_their_body_without_end():
    body = "https://m.example/a.jpg"
    for _ in range(500):
        body = {"type": "SpecificResource", "source": {"type": "Choice", "items": [body]}}
    (found,) = read(canvas(body))
    assert found.painted is None and found.fault


# ---- parts of pictures -------------------------------------------------------------------------------------------------


def selected(region, key="region"):
    source = {
        "id": "https://m.example/a.jpg",
        "service": [{"id": "https://i.example/a", "type": "ImageService3", "profile": "level2"}],
    }
    (found,) = read(canvas({"type": "SpecificResource", "source": source, "selector": {key: region}}))
    return found.painted.region


@pytest.mark.parametrize(
    ("written", "region"),
    [("10,20,300,400", "10,20,300,400"), ("pct:25,0,50,100", "pct:25,0,50,100"), ("square", "square"), ("full", "full"),
     ("../../etc", "full"), ("1,2,3", "full"), ("٣,٣,٣,٣", "full"), (f"{'9' * 5000},1,1,1", "full"), ("-1,0,5,5", "full"),
     ("1,2,3,4/../x", "full"), (None, "full"), ([], "full"), ({"a": 1}, "full")],
)  # fmt: skip
def test_regions_are_taken_as_the_image_api_writes_them(written, region):
    assert selected(written) == region


def test_fragments_mean_regions_too():
    assert selected("xywh=pixel:1,2,3,4", "value") == "1,2,3,4"
    assert selected("xywh=percent:25,0,50,100", "value") == "pct:25,0,50,100"


@pytest.mark.parametrize(
    ("region", "first"),
    [
        ("400,300,2000,1600", "u/400,300,2000,1600/960,768/0/default.jpg"),
        ("pct:25,50,50,50", "u/1000,1500,2000,1500/1024,768/0/default.jpg"),
        ("square", "u/500,0,3000,3000/768,768/0/default.jpg"),
        ("pct:0,0,100,100", "u/full/1024,768/0/default.jpg"),
        ("3000,2000,9000,9000", "u/3000,2000,1000,1000/768,768/0/default.jpg"),  # as far as the image goes
    ],
)
def test_a_part_is_asked_for_in_pixels(region, first):
    info = parse_info({"type": "ImageService3", "id": "u", "profile": "level2", "width": 4000, "height": 3000}, "u")
    assert requests(info, region=region)[0].address == first


@pytest.mark.parametrize("region", ["4000,0,10,10", "0,0,0,10", "pct:100,0,10,10"])
def test_a_part_outside_of_the_image_is_nothing(region):
    info = parse_info({"type": "ImageService3", "id": "u", "profile": "level2", "width": 4000, "height": 3000}, "u")
    assert requests(info, region=region) == []


def test_a_size_in_percent_is_one_of_the_part():
    data = {
        "type": "ImageService3",
        "id": "u",
        "profile": "level0",
        "width": 4000,
        "height": 3000,
        "extraFeatures": ["sizeByPct"],
    }
    assert requests(parse_info(data, "u"), region="0,0,2000,1536")[0].address == "u/0,0,2000,1536/pct:50/0/default.jpg"


def part_of(museum, uri, region, service=None):
    source = {"id": uri, "type": "Image"} | ({"service": [{"id": service, "type": "ImageService3"}]} if service else {})
    body = {"type": "SpecificResource", "source": source, "selector": {"type": "ImageApiSelector", "region": region}}
    page = museum.canvas("a") | {"items": [{"items": [{"motivation": "painting", "body": body}]}]}
    return tasks(museum.manifest("/m.json", [page])).tasks[0]


def test_a_part_of_a_picture_without_a_server_is_cut_from_it(museum):
    uri = museum.put("/a.jpg", jpeg(400, 300, "a"))
    whole = tasks(museum.manifest("/w.json", [museum.canvas("w", image=uri)])).tasks[0].read().image
    found = part_of(museum, uri, "100,50,200,100").read().image
    assert found.size == (200, 100)
    assert found.tobytes() == whole.crop((100, 50, 300, 150)).tobytes() and isinstance(found, Image.Image)
    with pytest.raises(BadImage, match="lies outside of the picture"):
        part_of(museum, uri, "400,50,200,100").read()


def test_a_part_is_not_guessed_where_the_server_fails(museum):
    """The picture that the manifest names may have another size than the one in whose pixels the part is told."""
    uri = museum.put("/iiif/a/full/800,/0/default.jpg", jpeg(800, 600))
    museum.put("/iiif/a/info.json", b"", 404)
    with pytest.raises(BadImage, match="404"):
        part_of(museum, uri, "100,50,200,100", museum.url("/iiif/a")).read()


def test_a_manifest_of_nothing_but_nonsense(museum):
    found = tasks(
        museum.put("/m.json", json.dumps({"type": "Manifest", "id": 5, "items": [[], None, 7, "x"]}).encode())
    )
    assert len(found.tasks) == 4
    for task in found.tasks:
        with pytest.raises(BadImage, match="no JSON object"):
            task.read()
