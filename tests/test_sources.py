"""Which addresses of somebody's metadata become links."""

import base64
import json
import re
from urllib.parse import unquote

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.drawing.text.sources import THESEUS, facts, links, viewer_at
from store.manifest import content_state


def test_links_of_a_picture_from_a_manifest():
    metadata = {
        "homepage": "https://www.museum.example/7",
        "iiif_manifest": "https://iiif.museum.example/7/manifest.json?a=1&b=2",
    }
    page, viewer, manifest = links(metadata)
    assert (page.label, page.address) == ("Page at museum.example", "https://www.museum.example/7")
    assert viewer.address == (
        "https://projectmirador.org/embed/?iiif-content=https%3A%2F%2Fiiif.museum.example%2F7%2Fmanifest.json%3Fa%3D1%26b%3D2"
    )
    assert (manifest.label, manifest.address) == ("Manifest", metadata["iiif_manifest"])


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,<script>", "file:///etc/passwd", "//evil.example", "7", 7,
     None, "", "https://", "https://museum.example@evil.example/", "https://a.example/\njavascript:alert(1)", "http://[::1",
     'https://a.example/"onclick="x', " https://a.example"],
)  # fmt: skip
def test_nothing_else_becomes_a_link(address):
    assert links({"homepage": address, "iiif_manifest": address}) == []


def test_a_viewer_opens_at_a_part_of_the_picture():
    """As the Content State API 1.0 writes it: encodeURIComponent, then base64url without its padding."""
    place = "https://m.example/ü/c#xywh=1,2,3,4"
    link = viewer_at({"iiif_manifest": "https://m.example/7.json"}, place)
    texts = link.address.removeprefix(THESEUS)
    assert re.fullmatch(r"[\w-]+", texts)
    text = base64.urlsafe_b64decode(texts + "=" * (-len(texts) % 4)).decode("ascii")
    part_of = [{"id": "https://m.example/7.json", "type": "Manifest"}]
    assert json.loads(unquote(text)) == {"id": place, "type": "Canvas", "partOf": part_of}
    assert (
        "This part" in link.label
        and "This picture" in viewer_at({"iiif_manifest": "https://m.example/7"}, "https://m.example/c").label
    )


@pytest.mark.parametrize("metadata", [{}, {"iiif_manifest": "javascript:1"}])
def test_without_a_manifest_no_viewer_opens(metadata):
    assert viewer_at(metadata, "https://m.example/c#xywh=1,2,3,4") is None
    assert viewer_at({"iiif_manifest": "https://m.example/7"}, "javascript:1") is None


def test_facts_are_for_people():
    assert facts({"title": "A", "year": 1520, "none": None, "iiif_canvas": "https://a.example/c"}) == {
        "title": "A",
        "year": "1520",
    }


def test_the_ways_out_of_an_image_are_links_and_none_is_opened():
    def ways():
        from dashboard.drawing.text import sources

        sources.show(
            {
                "homepage": "https://m.example/*7*",
                "iiif_manifest": "https://m.example/7.json",
                "iiif_canvas": "https://m.example/c",
            }
        )

    at = AppTest.from_function(ways).run()
    assert not at.exception
    buttons = at.get("link_button")
    assert [button.proto.url for button in buttons] == [
        "https://m.example/*7*",
        "https://projectmirador.org/embed/?iiif-content=https%3A%2F%2Fm.example%2F7.json",
        "https://m.example/7.json",
        THESEUS + content_state("https://m.example/c", "https://m.example/7.json"),
    ]
