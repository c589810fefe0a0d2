"""What manifests and canvases say: labels, metadata, what is painted where, and junk in any place."""

import pytest

from ingest.sources.iiif import texts
from ingest.sources.iiif.presentation import Painted, read_document
from tests.ingest.iiif.server import I2, tasks


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
    (task,) = tasks(source).tasks
    assert task.metadata == {
        "title": "A book", "manifest": "A book", "canvas": "f. 1r", "Date": "c. 1520", "Date_from": "1515", "Date_to": "1525", "Subject": "Fish; River",
        "Title (metadata)": "On fish", "Title (metadata) [de]": "Von Fischen", "Condition": "torn", "summary": "A small book.",
        "attribution": "The Museum", "rights": "http://creativecommons.org/licenses/by/4.0/",
        "homepage": "https://museum.example/1", "nav_date": "1520-01-01", "iiif_manifest": source,
        "iiif_canvas": museum.url("/canvas/f. 1r"), "iiif_service": museum.url("/iiif/a"), "iiif_service_type": "ImageService3 level2",
        "iiif_image": museum.url("/iiif/a/full/max/0/default.jpg"), "iiif_canvas_width": 3200.0, "iiif_canvas_height": 2400.0,
    }  # fmt: skip
    (german,) = tasks(source, language="de").tasks
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
    first, second = tasks(source).tasks
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
    found = [task.metadata for task in tasks(museum.manifest("/m.json", canvases)).tasks]
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
    found = tasks(museum.manifest("/m.json", canvases))
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
