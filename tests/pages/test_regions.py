"""Regions on the page Similar: a box that is drawn becomes an address to cite, and can be kept with a note."""

import numpy as np
import pytest

from dashboard.components import crop
from store import connection, regions, write
from store.manifest import content_state
from tests.pages import database

CANVAS, MANIFEST = "https://iiif.example/wave/canvas/1", "https://iiif.example/wave/manifest.json"
BOX = {"crop": "0.2,0.4,0.6,0.8"}  # of a picture of 665 × 450 pixels


@pytest.fixture
def page(db, open_page, monkeypatch):
    """The page with image 1, which came from a manifest, and image 2, which did not."""
    with connection.writing(db) as con:
        facts = {"title": "Wave", "iiif_canvas": CANVAS, "iiif_manifest": MANIFEST, "iiif_canvas_width": 6650.0}
        facts |= {"iiif_canvas_height": 4500.0, "iiif_image": "https://iiif.example/wave.jpg"}
        write.set_metadata(con, 1, {database.NAMES[0]: facts})
    monkeypatch.setattr(crop, "crop", lambda *_, **__: None)
    monkeypatch.setattr("dashboard.data.cache.backbone", lambda run: None)
    monkeypatch.setattr("ingest.vision.embedding.embed", lambda *_, **__: np.eye(1, database.DIM))

    def open_(image=1, **query):
        at = open_page("similar", image=image, **query)
        assert not at.exception
        return at

    return open_


def stored(db) -> list[tuple]:
    with connection.reading(db) as con:
        return [(r["image_id"], round(r["x0"]), round(r["y0"]), round(r["x1"]), round(r["y1"]), r["note"])
                for r in regions.of(con, [1, 2]).to_pylist()]  # fmt: skip


def urls(at) -> list[str]:
    return [button.proto.url for button in at.get("link_button")]


def texts(at) -> str:
    return "\n".join(element.value for element in [*at.main.caption, *at.main.markdown])


def test_a_box_on_a_picture_from_a_manifest_has_an_address(page):
    at = page(**BOX)
    target = f"{CANVAS}#xywh=1330,1800,2660,1800"
    assert [code.value for code in at.code] == [target]
    assert any(content_state(target, MANIFEST) in url for url in urls(at))


def test_a_box_on_another_picture_has_pixels(page):
    at = page(image=2, **BOX)
    assert not at.code and "The box in pixels of the original: x " in texts(at)


def test_without_a_box_there_is_nothing_to_keep(page):
    at = page()
    assert not at.code and "region_keep" not in {button.key for button in at.button}


def test_a_region_is_kept_listed_shown_again_and_deleted(db, page):
    at = page(**BOX)
    at.text_input(key="region_note").set_value(" The *claws* ")
    at.button(key="region_keep").click().run()
    assert stored(db) == [(1, 133, 180, 399, 360, "The *claws*")]
    assert at.text_input(key="region_note").value == ""
    assert r"The \*claws\*" in texts(at) and "266 × 180 px" in texts(at)
    other = page()  # without a box in the address
    other.button(key="region_show_1").click().run()
    assert not other.exception and other.session_state["crop"] == (0.2, 0.4, 0.6, 0.8)
    assert other.code[0].value == f"{CANVAS}#xywh=1330,1800,2660,1800"
    other.button(key="region_delete_1").click().run()
    assert stored(db) == [] and "266 × 180 px" not in texts(other)


def test_the_same_box_with_another_note_is_one_region(db, page):
    at = page(image=2, **BOX)
    for note in ("first", "second"):
        at.text_input(key="region_note").set_value(note)
        at.button(key="region_keep").click().run()
    assert [row[5] for row in stored(db)] == ["second"]


def test_a_database_that_is_busy_says_so_and_keeps_the_words(db, page, monkeypatch):
    at = page(**BOX)
    monkeypatch.setattr("dashboard.data.cache.memory.PATIENCE", 0.1)
    with connection.writing(db):
        at.text_input(key="region_note").set_value("sea")
        at.button(key="region_keep").click().run()
    assert "The database is busy" in at.warning[0].value
    assert at.text_input(key="region_note").value == "sea" and stored(db) == []


def test_two_people_delete_the_same_region(db, page):
    with connection.writing(db) as con:
        regions.add(con, 1, (0, 0, 0.5, 0.5), "sky")
    at = page()
    with connection.writing(db) as con:
        regions.delete(con, 1)
    at.button(key="region_delete_1").click().run()
    assert not at.exception and "sky" not in texts(at)
