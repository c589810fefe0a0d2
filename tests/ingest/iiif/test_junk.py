"""Documents that are not what they should be: nothing costs more than itself."""

import copy
import json
import random

import pytest

from ingest.errors import SourceError
from ingest.sources.iiif.images import parse_info, requests
from ingest.sources.iiif.presentation import Manifest, NotIiif, Painted, read_document
from ingest.sources.iiif.tasks import IiifOptions, iiif_tasks
from ingest.web import WebError
from store.rows import to_json
from tests.ingest.iiif.server import JUNK


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
            found = iiif_tasks(Replying(data), "http://m.example/", IiifOptions())
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


@pytest.mark.parametrize(
    "key", ["sizes", "tiles", "profile", "extraFeatures", "maxWidth", "maxArea", "@context", "type", "supports"]
)
@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_junk_in_a_description_is_passed_over(key, junk):
    asked = requests(parse_info({"width": "400", "height": 300.0, "profile": "level2", key: junk}, "u"))
    assert asked and all(request.width <= 400 for request in asked)
