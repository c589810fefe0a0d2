"""The map as a page of its own: what is in the file, and how much of it."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest

from dashboard.components import canvas
from dashboard.data.layouts import LayoutOptions
from dashboard.views.map import publication
from store import atlas, connection

HARMFUL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def view(db):
    """The first projection as a page would publish it."""
    with connection.reading(db) as con:
        layout = atlas.layout(con, 1)
    n = len(layout.ids)
    known = {"title": [f"{HARMFUL} {i}" for i in layout.ids]}
    known["metadata"] = [json.dumps({"artist": HARMFUL, "year": 1800 + i}) for i in range(n)]
    looks = {"included": np.arange(n) < 4, "marked": np.arange(n) == 2}
    words = (f"t {HARMFUL}", [f"made by {HARMFUL}"])
    source = canvas.Source(n, "/points", "/thumb/{id}", "/about/{id}", "")
    return publication.View(
        *words, 1, LayoutOptions(), source, layout, None, looks, pd.DataFrame(known, index=layout.ids)
    )


def inside(page: bytes) -> dict:
    text = page.decode().split('id="given">')[1].split("</script>")[0]
    return json.loads(text)


def test_the_published_map_needs_no_other_file_and_carries_all_words(db, view):
    page = publication.page(db, view)
    given = inside(page)
    assert HARMFUL.encode() not in page and b"&lt;/script&gt;" in page
    assert given["titles"] == view.images["title"].tolist() and given["columns"] == ["artist", "year"]
    assert given["facts"][1] == [HARMFUL, 1801] and len(given["thumbs"]) == len(view.layout.ids)
    assert base64.b64decode(given["thumbs"]["1"])[:2] == b"\xff\xd8"
    assert canvas.mask(given["canvas"]["marked"], 6).tolist() == view.looks["marked"].tolist()
    assert canvas.mask(given["canvas"]["included"], 6).sum() == 4
    assert b"default-src 'none'" in page and b"To keep this file small" not in page
    text = page.decode().replace(page.decode().split('id="given">')[1].split("</script>")[0], "")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=|@import|url\(", text)


def test_a_published_map_is_bounded_and_says_what_it_left_out(db, view):
    with connection.reading(db) as con:
        most = con.execute(
            "SELECT octet_length(jpeg) FROM thumbnail WHERE image_id = ?", [int(view.layout.ids[2])]
        ).fetchone()
    page = publication.page(db, view, most[0])
    assert list(inside(page)["thumbs"]) == [str(view.layout.ids[2])]  # what is selected comes first
    assert b"it holds 1 of the 6 pictures" in page


def test_a_published_map_has_the_pages_of_the_atlas(db, view):
    from ingest import atlas as pages

    pages.make(db, 1)
    with connection.reading(db) as con:
        layout = atlas.layout(con, 1)
    drawn = publication.View(**(vars(view) | {"layout": layout}))
    assert sorted(inside(publication.page(db, drawn))["pages"]) == ["16/0", "64/0"]
    small = inside(publication.page(db, drawn, 20_000))
    assert "16/0" in small["pages"] and len(small["thumbs"]) < 6
