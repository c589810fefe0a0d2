"""Documents and servers of kinds that are rare and right: nothing of what they say is lost, and each picture is the one
that a viewer shows."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.errors import SourceError
from ingest.sources.iiif import texts
from ingest.sources.iiif.images import is_rotation
from ingest.sources.iiif.lists import addresses_in
from ingest.sources.iiif.presentation import service_address
from ingest.sources.iiif.tasks import IiifOptions, iiif_tasks, is_iiif
from ingest.vision.loader import BadImage
from store.rows import to_json
from tests.ingest.iiif.server import FAST, Museum, tasks
from tests.ingest.iiif.test_junk import Replying
from tests.support.databases import ask


def pair(label, *values, language="none"):
    return {"label": {language: [label]}, "value": {language: list(values)}}


@pytest.mark.parametrize(
    ("whole", "page", "expected"),
    [
        (
            [("Subject", "Angels"), ("Subject", "Trees"), ("Subject", "Horses")],
            [],
            {"Subject": "Angels; Trees; Horses"},
        ),
        ([("Creator", "Dürer"), ("creator", "Workshop")], [], {"Creator": "Dürer; Workshop"}),
        ([("Motif", "Tree")], [("Motif", "Dog")], {"Motif": "Tree; Dog"}),
        ([("Motif", "Tree", "Dog")], [("Motif", "Dog", "Cat")], {"Motif": "Tree; Dog; Cat"}),
        ([("Title", "A")], [("title", "B")], {"Title (metadata)": "A; B"}),
        ([("\u200fשם\u200f", "אחת")], [("שם", "שתיים")], {"שם": "אחת; שתיים"}),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_a_label_that_occurs_several_times_keeps_all_values(museum, whole, page, expected, version):
    if version == 3:
        canvas = museum.canvas("p", museum.image("p"), metadata=[pair(*each) for each in page])
        source = museum.manifest("/m.json", [canvas], metadata=[pair(*each) for each in whole])
    else:
        two = [[{"label": name, "value": list(values)} for name, *values in each] for each in (whole, page)]
        source = museum.manifest2("/m.json", ["p"], metadata=two[0])
        data = Replying(None)
        data.data, _ = _document(museum, "/m.json"), None
        data.data["sequences"][0]["canvases"][0]["metadata"] = two[1]
        museum.json("/m.json", data.data)
    (task,) = tasks(source).tasks
    columns = {key: task.metadata[key] for key in task.metadata if key.casefold() in {k.casefold() for k in expected}}
    assert columns == expected


def _document(museum, path):
    import json

    return json.loads(museum.pages[path](None)[2])


def test_labels_that_occur_several_times_in_several_languages():
    pairs = [
        ({"en": ("Motif",), "de": ("Motiv",)}, {"en": ("tree",), "de": ("Baum",)}),
        ({"en": ("Motif",)}, {"en": ("dog",), "fr": ("chien",)}),
    ]
    assert texts.columns_of_pairs(pairs) == {"Motif": "tree; dog", "Motif [de]": "Baum", "Motif [fr]": "chien"}
    assert texts.columns_of_pairs(pairs, "de") == {
        "Motiv": "Baum", "Motiv [en]": "tree", "Motif": "dog", "Motif [fr]": "chien",
    }  # fmt: skip


def collection(museum, *paths):
    members = [{"id": museum.url(path), "type": "Manifest"} for path in paths]
    return museum.json(
        "/all.json", {"id": museum.url("/all.json"), "type": "Collection", "label": "All", "items": members}
    )


def test_manifests_that_use_the_same_names_for_canvases(museum):
    """As the issues of a newspaper do: every picture is there, and has the same name the next time."""
    for issue in "abc":
        canvases = [museum.canvas("p1", museum.image(f"{issue}1")), museum.canvas("p2", museum.image(f"{issue}2"))]
        museum.manifest(f"/{issue}.json", canvases)
    found = tasks(collection(museum, "/a.json", "/b.json", "/c.json")).tasks
    assert [task.name.removeprefix(museum.url("")) for task in found] == [
        "/canvas/p1", "/canvas/p2", "/b.json#canvas=1", "/b.json#canvas=2", "/c.json#canvas=1", "/c.json#canvas=2",
    ]  # fmt: skip
    assert len({task.metadata["iiif_service"] for task in found}) == 6
    assert [task.name for task in tasks(museum.url("/all.json")).tasks] == [task.name for task in found]


def test_manifests_that_bear_the_same_name(museum):
    for issue in "ab":
        museum.manifest(f"/{issue}.json", [museum.canvas("p", museum.image(issue))], id=museum.url("/copied.json"))
    museum.manifest("/c.json", [museum.canvas("p", museum.image("a"))], id=museum.url("/copied.json"))
    found = tasks(collection(museum, "/a.json", "/b.json", "/c.json"))
    assert {task.metadata["iiif_service"][-1] for task in found.tasks} == {"a", "b"}
    assert len({task.name for task in found.tasks}) == len(found.tasks) == 2


def test_one_picture_in_two_manifests_is_read_once_and_it_is_told(museum):
    for name in "ab":
        museum.manifest(f"/{name}.json", [museum.canvas("p", museum.image("p"))])
    found = tasks(collection(museum, "/a.json", "/b.json"))
    assert len(found.tasks) == 1 and "1 picture met again in another manifest: each is read once" in found.lines()


# What is painted


def corner_of(image):
    """The corner that is red."""
    width, height = image.size
    corners = {"nw": (9, 9), "ne": (width - 9, 9), "se": (width - 9, height - 9), "sw": (9, height - 9)}
    (found,) = (name for name, at in corners.items() if image.getpixel(at)[0] > 150 and image.getpixel(at)[1] < 90)
    return found


@pytest.fixture
def red_corner(museum):
    """A picture of 400 × 300 whose upper left corner is red, behind a service and as a plain file."""
    pixels = np.full((300, 400, 3), 90, np.uint8)
    pixels[:60, :60] = (220, 10, 10)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    service = museum.image("red", 400, 300)
    museum.pages["/iiif/red/*"] = lambda handler: (200, {}, buffer.getvalue())
    return service, museum.put("/red.jpg", buffer.getvalue())


@pytest.mark.parametrize(
    ("rotation", "corner", "turned"),
    [("90", "ne", True), ("180", "se", False), (270, "sw", True), ("!0", "ne", False), ("!90", "se", True), ("90.0", "ne", True),
     ("0", "nw", False), ("upside down", "nw", False), ("900", "nw", False)],
)  # fmt: skip
@pytest.mark.parametrize("plain", [True, False])
def test_a_picture_is_turned_as_its_canvas_shows_it(museum, red_corner, rotation, corner, turned, plain):
    service, address = red_corner
    body = {"id": address, "type": "Image"}
    if not plain:
        body["service"] = [{"id": service, "type": "ImageService3", "profile": "level2"}]
    part = {"type": "SpecificResource", "source": body, "selector": {"type": "ImageApiSelector", "rotation": rotation}}
    canvas = museum.canvas("p", service)
    canvas["items"][0]["items"][0]["body"] = part
    (task,) = tasks(museum.manifest("/m.json", [canvas])).tasks
    image = task.read().image
    assert image.size == ((300, 400) if turned else (400, 300)) and corner_of(image) == corner


def test_a_picture_turned_by_little_stands_on_white(museum, red_corner):
    canvas = museum.canvas("p", red_corner[0])
    inside = canvas["items"][0]["items"][0]
    inside["body"] = {"type": "SpecificResource", "source": inside["body"], "selector": {"rotation": "10"}}
    image = tasks(museum.manifest("/m.json", [canvas])).tasks[0].read().image
    assert image.width > 430 and image.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("text", ["", "!", "-90", "361", "9" * 50, "90deg", "nan", "1e2"])
def test_what_is_no_rotation(text):
    assert not is_rotation(text)


def test_a_turned_picture_is_the_same_one_the_next_time(museum, red_corner, command):
    canvas = museum.canvas("p", red_corner[0])
    source = museum.manifest("/m.json", [canvas])
    command("scan", source, *FAST)
    inside = canvas["items"][0]["items"][0]
    inside["body"] = {"type": "SpecificResource", "source": inside["body"], "selector": {"rotation": "90"}}
    museum.manifest("/m.json", [canvas])
    assert command("scan", source, *FAST, "--json").counts["new"] == 1  # another picture than before
    assert command("scan", source, *FAST, "--json").counts["already"] == 1
    assert ask(command.db, "SELECT width, height FROM images") == [(300, 400)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_picture_is_asked_for_where_its_description_has_moved(museum, status):
    museum.image("open", 640, 480)
    museum.put("/iiif/locked/info.json", b"", status, Location=museum.url("/iiif/open/info.json"))
    museum.put("/iiif/locked/*", b"login", 401)
    (task,) = tasks(museum.manifest("/m.json", [museum.canvas("p", museum.url("/iiif/locked"))])).tasks
    assert task.read().image.size == (640, 480)
    assert task.metadata["iiif_service"] == museum.url("/iiif/locked")  # what the manifest says


def test_a_description_does_not_lead_out_of_the_gate(museum):
    secret = Museum()
    try:
        inside = secret.image("inside").replace("127.0.0.1", "localhost")
        museum.put("/iiif/a/info.json", b"", 302, Location=f"{inside}/info.json")
        (task,) = tasks(museum.manifest("/m.json", [museum.canvas("p", museum.url("/iiif/a"))])).tasks
        with pytest.raises(BadImage, match="not on the public internet"):
            task.read()
        assert not secret.asked
    finally:
        secret.close()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://x/img/a", "https://x/img/a"),
        ("https://x/img/a/", "https://x/img/a"),
        ("https://x/img/a/info.json", "https://x/img/a"),
        ("https://x/img/a/info.json?v=2#top", "https://x/img/a"),
        ("https://x/fcgi?IIIF=/a/b.tif", "https://x/fcgi?IIIF=/a/b.tif"),
        ("https://x/fcgi?IIIF=/a/b.tif/info.json", "https://x/fcgi?IIIF=/a/b.tif"),
        ("https://x/ark:%2F12%2Fa%20b#x", "https://x/ark:%2F12%2Fa%20b"),
    ],
)
def test_identifiers_are_kept_whole(uri, expected):
    assert service_address(uri) == expected


def test_an_image_whose_name_lies_behind_a_question_mark(museum):
    info = b'{"@context": "http://iiif.io/api/image/2/context.json", "@id": "x", "width": 64, "height": 48, "profile": ["http://iiif.io/api/image/2/level2.json"]}'
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, "JPEG")
    museum.put("/fcgi?IIIF=/a/b.tif/info.json", info)
    museum.put("/fcgi?IIIF=/a/b.tif/full/full/0/default.jpg", buffer.getvalue())
    service = museum.url("/fcgi?IIIF=/a/b.tif")
    for source in (f"{service}/info.json", museum.manifest("/m.json", [museum.canvas("p", service)])):
        (task,) = tasks(source).tasks
        assert task.metadata["iiif_service"] == service and task.read().image.size == (64, 48)


# Lists of addresses


def test_a_list_of_manifests(museum, book, command, tmp_path):
    """A bad line and a manifest that is gone are told with their numbers, stop nothing, and are forgotten once right."""
    museum.manifest("/b.json", [museum.canvas("q1", museum.image("q1"))], label={"en": ["Another"]})
    lines = tmp_path / "manifests.txt"
    lines.write_bytes(
        f"\ufeff# Two books\r\n\r\n{book}\r\nbooks/three\r\n  {museum.url('/b.json')}  # the other\r\n{book}\r\n"
        f"{museum.url('/gone.json')}\r\n".encode()
    )
    result = command("scan", str(lines), *FAST, "--json")
    assert (result.counts["new"], result.counts["failed"], result.counts["collection"]) == (4, 2, "manifests")
    failures = dict(ask(command.db, "SELECT path, error FROM failures"))
    assert failures["manifests.txt#line=4"] == "Line 4 of manifests.txt is not a valid web address: books/three."
    assert (
        "404" in failures[museum.url("/gone.json")]
        and "(line 7 of manifests.txt)" in failures[museum.url("/gone.json")]
    )
    lines.write_text(f"{book}\n{museum.url('/b.json')}\n")
    assert command("scan", str(lines), *FAST, "--json").counts["already"] == 4
    assert ask(command.db, "SELECT path FROM failures WHERE path LIKE '%line=%'") == []


@pytest.mark.parametrize(
    ("name", "content", "is_one"),
    [
        ("a.txt", b"https://m.example/1\nhttps://m.example/2", True),
        ("a.list", b"x\n<https://m.example/1>\n", True),
        ("a", b'"https://m.example/1",\n', True),
        ("a.txt", "https://m.example/Dürer\n".encode("utf-16"), True),
        ("a.txt", b"HTTPS://m.example/1\n\xff\xfe\xfa\n", True),
        ("a.csv", b"https://m.example/1\n", False),
        ("a.txt", b"Nothing of the kind\n", False),
        ("a.txt", b"One line about https://m.example/1\n" * 99, False),
        ("a.txt", b"", False),
        ("a.txt", b"# https://m.example/1\n", False),
    ],
)
def test_what_is_a_list_of_manifests(tmp_path, name, content, is_one):
    (tmp_path / name).write_bytes(content)
    assert is_iiif(str(tmp_path / name)) is is_one
    if is_one:
        assert next(iter(addresses_in(str(tmp_path / name)).good)).casefold().startswith("https://m.example/")


# Any JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["en", "@value", "<b>x</b>", "c. 1520", "http://m.example/x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["en", "de-CH", "none", "ar", "@value", "@language", "label", "value", "id", "@id", "type", "x y"]) | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
PAIRS = st.lists(st.fixed_dictionaries({"label": JSON, "value": JSON}) | JSON, max_size=5) | JSON


@settings(max_examples=150, deadline=5000, derandomize=True, database=None)
@given(whole=PAIRS, page=PAIRS, label=JSON, summary=JSON, selector=JSON, language=st.sampled_from([None, "de", "x"]))
def test_any_json_as_metadata_is_read_or_refused_in_a_sentence(whole, page, label, summary, selector, language):
    picture = {"id": "https://m.example/a.jpg", "type": "Image"}
    body = {"type": "SpecificResource", "source": picture, "selector": selector}
    canvas = {
        "id": "https://m.example/c", "type": "Canvas", "label": label, "metadata": page,
        "items": [{"items": [{"motivation": "painting", "body": body}]}],
    }  # fmt: skip
    data = {
        "id": "http://m.example/",
        "type": "Manifest",
        "label": label,
        "summary": summary,
        "metadata": whole,
        "items": [canvas],
    }
    try:
        (task,) = iiif_tasks(Replying(data), "http://m.example/", IiifOptions(language=language)).tasks
    except SourceError as error:
        raise AssertionError("the picture is sound") from error
    to_json(task.metadata)
    names = [name.casefold() for name in task.metadata]
    assert all(name and isinstance(name, str) for name in task.metadata) and len(names) == len(set(names))


@settings(max_examples=100, deadline=5000, derandomize=True, database=None)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from("aAbB"), st.lists(st.sampled_from("wxyz"), min_size=1, max_size=3)), max_size=8
    )
)
def test_no_value_is_lost_whatever_the_labels(pairs):
    found = texts.columns_of_pairs([({"none": (name,)}, {"none": tuple(values)}) for name, values in pairs])
    expected: dict[str, list[str]] = {}
    for name, values in pairs:
        expected.setdefault(name.casefold(), []).extend(values)
    assert {name.casefold(): text.split("; ") for name, text in found.items()} == {
        name: list(dict.fromkeys(values)) for name, values in expected.items()
    }
