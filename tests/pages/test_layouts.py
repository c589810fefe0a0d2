"""The layouts of the map: what the address says, what the canvas is sent, and what is refused."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import app
from dashboard.data import cache, layouts
from dashboard.data.layouts import CLUSTER, LayoutOptions
from store import clusters as stored
from store import connection, write
from store.vocabularies import Term, Vocabulary, add_vocabulary
from tests.pages import database
from tests.pages.test_map import given, layout_of, unpacked

STRANGE = 'a & "b"=ü?/#'


@pytest.fixture
def client():
    return TestClient(Starlette(routes=[Route(path, answer) for path, answer in app.ROUTES.items()]))


@pytest.fixture
def clustered(db):
    """The first two pictures in one cluster, the others in none."""
    with connection.writing(db) as con:
        for projection in (1, 2, 3):
            stored.add(con, projection, "HDBSCAN", {}, np.arange(1, 7), np.array([1, 1, 0, 0, 0, 0]), {1: 2})
    return db


def parts(data: bytes) -> tuple[dict[str, np.ndarray], dict]:
    """The points and the notes at their end."""
    at = data.rindex(b'{"cell"')
    return unpacked(data[:at]), json.loads(data[at:])


def layout_options_of(at) -> dict[str, str]:
    """What the address of the points asks for."""
    query = {name: value for name, (value,) in parse_qs(urlsplit(given(at)["points"]).query).items()}
    return {name: query[name] for name in ("layout", "by") if name in query}


def test_the_address_names_the_layout_and_its_column(db, open_page):
    at = open_page("map")
    assert layout_options_of(at) == {} and "layout" not in at.query_params
    at.selectbox(key="layout").set_value("time").run()
    assert layout_options_of(at) == {"layout": "time", "by": "year"}
    assert at.query_params["layout"] == "time"
    at.selectbox(key="layout").set_value("groups").run()
    at.selectbox(key="layout_by").set_value("country").run()
    assert layout_options_of(at) == {"layout": "groups", "by": "country"}
    assert (at.query_params["layout"], at.query_params["layout_by"]) == ("groups", "country")
    at.selectbox(key="layout").set_value("grid").run()
    assert layout_options_of(at) == {"layout": "grid"} and not at.exception


def test_a_size_is_no_time_line_but_older_links_go_on_working(db, open_page):
    described(db, height_cm=[1500, 1600, 1700, 1650, 1666, 1777], year=[1500, 1510, None, 1600, 1650, 1700])
    at = open_page("map", layout="time")
    assert at.selectbox(key="layout_by").options == ["year"]
    at.selectbox(key="layout").set_value("scale").run()
    assert layout_options_of(at) == {"layout": "scale", "by": "height_cm"}
    assert layout_options_of(open_page("map", layout="time", layout_by="height_cm")) == {
        "layout": "time", "by": "height_cm",
    }  # fmt: skip


def test_a_range_of_years_is_a_span_of_the_axis(db):
    described(
        db,
        date=["1600–10", "1700", *[None] * 4],
        date_from=[1600, 1700, *[None] * 4],
        date_to=[1610, 1700, *[None] * 4],
    )
    points, notes = parts(layouts.points(db, 1, LayoutOptions("time", "date")))
    spans = np.frombuffer(base64.b64decode(notes["spans"]), "<f4").reshape(-1, 2)[np.argsort(points["ids"])]
    axis = notes["axis"]
    assert np.isfinite(spans[:, 0]).tolist() == [True] + [False] * 5
    years = axis["low"] + (spans[0] - axis["x0"]) / (axis["x1"] - axis["x0"]) * (axis["high"] - axis["low"])
    assert years == pytest.approx([1600, 1610], abs=0.01) and axis["low"] == 1600


def test_a_link_opens_a_layout_and_a_wrong_one_opens_the_projection(db, open_page):
    assert layout_options_of(open_page("map", layout="groups", layout_by="movement")) == {
        "layout": "groups",
        "by": "movement",
    }
    assert layout_options_of(open_page("map", layout="spiral", layout_by="movement")) == {}
    assert layout_options_of(open_page("map", layout="time", layout_by="artist")) == {"layout": "time", "by": "year"}


def test_each_layout_says_what_near_means_in_it(db, open_page):
    for layout, words in (("grid", "cell of its own"), ("time", "to scale"), ("groups", "block for each")):
        assert words in open_page("map", layout=layout).main.caption[0].value


def test_the_route_answers_for_each_layout_and_nothing_else(db, client):
    for query in ("layout=grid", "layout=time&by=year", "layout=groups&by=artist", "layout=projection"):
        assert client.get(f"/atlas/points/1?{query}").status_code == 200, query
    wrong = (
        "layout=grid&by=year",
        "layout=time",
        "layout=time&by=nothing",
        "layout=spiral&by=year",
        "layout=groups&by=path",
    )
    for query in (*wrong, f"layout=groups&by={CLUSTER}"):
        assert client.get(f"/atlas/points/1?{query}").status_code == 404, query
    assert client.get("/atlas/clusters/1").status_code == 404


def test_a_vocabulary_names_a_cluster_that_metadata_do_not(db, client):
    """The term's score is 1 in the two pictures of the cluster and 0 in the others."""
    with connection.writing(db) as con:
        stored.add(con, 1, "HDBSCAN", {}, np.arange(1, 7), np.array([1, 0, 0, 0, 0, 1]), {1: 1})
    assert client.get("/atlas/clusters/1").json()["groups"][0]["name"] == "around “The Great Wave off Kanagawa”"
    ids, vectors = cache.features(1)
    snow = np.linalg.pinv(vectors) @ np.isin(ids, [1, 6])
    terms = np.array([-snow, snow], np.float32)
    vocabulary = Vocabulary("motifs", 1, (Term("a desert"), Term("snow & sea")), ("a picture of {}",))
    with connection.writing(db) as con:
        add_vocabulary(con, vocabulary, terms, *np.empty((4, 0)))
    (group,) = client.get("/atlas/clusters/1").json()["groups"]
    assert (group["name"], group["vocabulary"]) == ("snow & sea", "motifs")


def test_a_time_line_goes_by_the_catalogue_and_names_what_is_missing(db):
    points, notes = parts(layouts.points(db, 1, LayoutOptions("time", "year")))
    facts = database.metadata()
    years = {number: facts[name].get("year") for number, name in enumerate(database.NAMES, 1)}
    known = [number for number in sorted(years, key=lambda i: years[i] or 0) if years[number]]
    x = [points["x"][points["ids"].tolist().index(number)] for number in known]
    assert x == sorted(x)
    axis = notes["axis"]
    assert (axis["kind"], axis["low"], axis["high"]) == ("number", 1503, 1894)
    texts = [axis["low"] + place / axis["x1"] * (axis["high"] - axis["low"]) for place in x]
    assert texts == pytest.approx([years[number] for number in known], abs=0.01)
    assert [(block["text"], block["count"]) for block in notes["blocks"]] == [("without a date", 6 - len(known))]


def described(db, **columns):
    """Gives the six pictures these values, and no others."""
    with connection.writing(db) as con:
        cells = [{name: values[place] for name, values in columns.items()} for place in range(6)]
        write.set_metadata(con, 1, dict(zip(database.NAMES, cells, strict=True)))


def test_dates_are_laid_out_by_their_ranges_with_open_ends(db, open_page):
    described(
        db,
        date=["1600–10", "before 1750", "after 1500", "n.d.", "1600", "c. 1900"],
        date_from=["1600", None, "1500", None, "1600", "1895"],
        date_to=["1610", "1750", None, None, "1600", "1905"],
    )
    for by, at in (("date", 1605), ("date_from", 1600), ("date_to", 1610)):
        points, notes = parts(layouts.points(db, 1, LayoutOptions("time", by)))
        axis, ids = notes["axis"], points["ids"].tolist()
        years = {
            number: axis["low"] + points["x"][ids.index(number)] / axis["x1"] * (axis["high"] - axis["low"])
            for number in (1, 2, 3)
        }
        assert years == pytest.approx({1: at, 2: 1750, 3: 1500}, abs=3)
        assert {ids[place]: side for place, side in notes["open"]} == {2: -1, 3: 1}
        assert [(block["text"], block["count"]) for block in notes["blocks"]] == [("without a date", 1)]
    page = open_page("map", layout="time", layout_by="date")
    assert (
        layout_options_of(page) == {"layout": "time", "by": "date"}
        and "an arrow to the side" in page.main.caption[0].value
    )


def test_blocks_and_colours_go_by_the_parts_of_lists(db, open_page):
    described(db, subject=["sea; sky", "sky", "ship; sea", "ship", "sky; sea", None])
    _, notes = parts(layouts.points(db, 1, LayoutOptions("groups", "subject")))
    assert sorted((block["text"], block["count"]) for block in notes["blocks"]) == [
        ("no subject", 1), ("sea (3 in all)", 1), ("ship", 2), ("sky (3 in all)", 2),
    ]  # fmt: skip
    page = open_page("map", layout="groups", layout_by="subject", map_colour="subject")
    assert "lies with the first" in page.main.caption[0].value
    assert "colour of the first value of subject" in page.main.caption[0].value
    assert [entry[0] for entry in given(page)["legend"]["names"]] == ["sea", "sky", "ship", "not given"]


def test_blocks_go_by_the_catalogue(db):
    _, notes = parts(layouts.points(db, 1, LayoutOptions("groups", "artist")))
    assert (notes["blocks"][0]["text"], notes["blocks"][0]["count"]) == ("Katsushika Hokusai", 2)
    assert sum(block["count"] for block in notes["blocks"]) == 6


def test_a_column_of_any_name_can_be_asked_for(db, client, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {name: {STRANGE: number % 2} for number, name in enumerate(database.NAMES)})
    at = open_page("map", layout="groups", layout_by=STRANGE)
    assert layout_options_of(at) == {"layout": "groups", "by": STRANGE}
    _, notes = parts(client.get(given(at)["points"]).content)
    assert [block["count"] for block in notes["blocks"]] == [3, 3]


def test_another_value_gives_the_layouts_that_go_by_it_another_address(db, open_page):
    links = {
        "time": {"layout": "time"},
        "groups": {"layout": "groups", "layout_by": "artist"},
        "grid": {"layout": "grid"},
    }
    before = {name: given(open_page("map", **query))["points"] for name, query in links.items()}
    with connection.writing(db) as con:
        first = database.metadata()[database.NAMES[0]]
        write.set_metadata(con, 1, {database.NAMES[0]: first | {"year": 1700, "artist": "Nobody"}})
    after = {name: given(open_page("map", **query))["points"] for name, query in links.items()}
    assert {name for name in links if before[name] != after[name]} == {"time", "groups"}


def test_clusters_are_offered_where_they_are_known(clustered, client, open_page):
    at = open_page("map")
    assert given(at)["clusters"] == ""
    at.toggle(key="clusters").set_value(True).run()
    texts = client.get(given(at)["clusters"]).json()
    assert [(group["number"], group["count"], group["image"]) for group in texts["groups"]] == [(1, 2, 2)]
    assert "Outlines are clusters that HDBSCAN" in at.main.caption[0].value
    at.selectbox(key="layout").set_value("grid").run()
    assert given(at)["clusters"] == ""  # outlines belong to the projection
    assert not at.exception


def test_clusters_colour_frames_and_make_blocks(clustered, client, open_page):
    at = open_page("map", map_colour=CLUSTER, layout="groups", layout_by=CLUSTER)
    names = [(name, count) for name, _, count in given(at)["legend"]["names"]]
    assert [count for _, count in names] == [2, 4] and names[1][0] == "in no cluster"
    _, notes = parts(client.get(given(at)["points"]).content)
    assert [(block["text"], block["count"]) for block in notes["blocks"]] == names


def test_without_clusters_there_is_no_toggle_and_no_colour(db, open_page):
    at = open_page("map")
    assert not [toggle for toggle in at.toggle if toggle.key == "clusters"]
    assert CLUSTER not in at.selectbox(key="map_colour").options


def test_positions_of_the_projection_itself_are_sent_without_notes(db):
    assert layouts.points(db, 1) == layouts.points(db, 1, LayoutOptions()) == layouts.packed(layout_of(db))
