"""Charts and clusters on the page Map: what the drawers are given, and what they change."""

import json

import numpy as np
import pytest

from dashboard.components.charts import filtering
from dashboard.data import cache
from store import clusters as stored
from store import connection, write
from store.conditions import OneOf
from tests.pages import database
from tests.pages.test_filtering import count, in_address
from tests.pages.test_map import given


def drawn(at, key: str) -> dict[str, dict]:
    """The charts of a component, by their column; none if it is not there."""
    found = [each.proto for each in at.get("bidi_component") if each.proto.id.rsplit("-", 1)[1] == key]
    return {chart["name"]: chart for chart in json.loads(found[0].json)["charts"]} if found else {}


def test_charts_are_opened_by_a_button_and_by_a_link(db, open_page):
    at = open_page("map")
    assert not drawn(at, filtering.DRAWER) and not drawn(at, filtering.TIME)
    at.button(key="map_charts").click().run()
    assert in_address(at, "charts") == ["true"]
    charts = drawn(at, filtering.DRAWER)
    assert list(drawn(at, filtering.TIME)) == ["year"] and "artist" in charts and "year" not in charts
    assert drawn(open_page("map", charts="true"), filtering.DRAWER) == charts
    assert list(drawn(open_page("map", layout="time"), filtering.TIME)) == ["year"]


def test_a_chart_shows_all_and_what_other_filters_leave(db, open_page):
    facts = database.metadata()
    country = facts[database.NAMES[0]]["country"]
    there = [name for name in database.NAMES if facts[name].get("country") == country]
    at = open_page("map", charts="true", f=f"country:{country}")
    countries = {value: (total, left) for value, total, left, _ in drawn(at, filtering.DRAWER)["country"]["values"]}
    assert countries[country] == (len(there), len(there))  # its own filter does not count
    artists = drawn(at, filtering.DRAWER)["artist"]["values"]
    assert sum(left for _, _, left, _ in artists) == sum("artist" in facts[name] for name in there)
    assert sum(total for _, total, _, _ in artists) > sum(left for _, _, left, _ in artists)


def test_what_is_done_with_a_chart_is_the_filter_of_the_page(db, open_page):
    at = open_page("map", charts="true")
    columns = cache.chart_columns("paintings", 1)
    artist = columns["artist"].names[0]
    at.session_state["f"] = (filtering.wanted(columns["artist"], {"act": "toggle", "value": artist}, ()),)
    at.run()
    assert in_address(at, "f") == [f"artist:{artist}"] and count(at).startswith("**")
    assert cache.matching("paintings", (OneOf("artist", (artist,)),), 1).tolist() == [
        number for number, name in enumerate(database.NAMES, 1) if database.metadata()[name].get("artist") == artist
    ]


def test_a_date_with_years_beside_it_is_filtered_by_them(db, open_page):
    with connection.writing(db) as con:
        dates = ["c. 1600", "1650–60", "before 1700", "n.d.", "19th c.", "1601"]
        ends = [(1595, 1605), (1650, 1660), (None, 1700), (None, None), (1801, 1900), (1601, 1601)]
        facts = [{"date": d, "date_from": a, "date_to": b} for d, (a, b) in zip(dates, ends, strict=True)]
        write.set_metadata(con, 1, dict(zip(database.NAMES, facts, strict=True)))
    at = open_page("map", charts="true", f="date@1600..1655")
    assert count(at).startswith("**3** of 6")
    assert drawn(at, filtering.TIME)["date"]["missing"] == [1, 1, False]
    assert [each.label for each in at.button if (each.key or "").startswith("filter_off")] == ["date 1600–1655"]


@pytest.fixture
def levelled(db):
    """Two clusters, or three."""
    ids = np.arange(1, 7)
    with connection.writing(db) as con:
        stored.add(con, 1, "HDBSCAN", {}, ids, np.array([1, 1, 1, 2, 2, 0]), {1: 2, 2: 4})
        stored.add_level(con, 1, ids, np.array([1, 1, 3, 2, 2, 0]), {1: 2, 2: 4, 3: 3})
    return db


def opened(open_page, **query):
    at = open_page("map", clusters="true", **query)
    at.session_state["map_clusters"] = True
    return at.run()


def test_a_level_is_chosen_and_stands_in_the_address(levelled, open_page):
    at = opened(open_page)
    assert "level" not in given(at)["clusters"]
    at.select_slider(key="cluster_slider_1").set_value(3).run()
    assert in_address(at, "cluster_level") == ["3"] and given(at)["clusters"].endswith("&level=3")
    assert len(cache.cluster_names(1, 3)) == 3 and len(cache.cluster_names(1)) == 2
    assert opened(open_page, cluster_level=3).select_slider(key="cluster_slider_1").value == 3
    assert opened(open_page, cluster_level=17).select_slider(key="cluster_slider_1").value == 2


def test_a_name_and_a_merge_are_saved_with_the_projection(levelled, open_page):
    at = opened(open_page, cluster_level=3)
    at.text_input(key="cluster_name_1_3_1").set_value("Boats & ships")
    at.multiselect(key="cluster_merge_1_3_1").set_value([3])
    next(each for each in at.button if each.label == "Save" and "cluster" in each.key).click().run()
    assert not at.exception and not at.error
    assert cache.cluster_names(1, 3)[1] == "Boats & ships" and len(cache.cluster_names(1, 3)) == 2
    with connection.reading(levelled) as con:
        rows = con.execute("SELECT cluster, name, count(*) FROM clusters GROUP BY ALL ORDER BY 1").fetchall()
    assert rows == [(1, "Boats & ships", 3), (2, None, 2), (None, None, 1)]
    coloured = open_page("map", map_colour="map cluster")
    assert "Boats & ships" in [name for name, *_ in given(coloured)["legend"]["names"]]
    at.button(key="clusters_reset").click().run()
    assert len(cache.cluster_names(1, 3)) == 3 and "Boats & ships" not in cache.cluster_names(1, 3).values()


def test_the_name_that_is_typed_for_a_small_cluster_is_that_of_the_merged_one(levelled, open_page):
    at = opened(open_page, cluster_level=3)
    at.selectbox(key="cluster_chosen_1_3").set_value(3).run()
    at.text_input(key="cluster_name_1_3_3").set_value("Boats")
    at.multiselect(key="cluster_merge_1_3_3").set_value([1])
    next(each for each in at.button if each.label == "Save" and "cluster" in each.key).click().run()
    assert not at.exception and not at.error
    assert cache.cluster_names(1, 3)[1] == "Boats" and len(cache.cluster_names(1, 3)) == 2


def test_the_cluster_is_a_column_of_what_is_selected(levelled, open_page, monkeypatch):
    from dashboard.selection import show

    seen = []
    monkeypatch.setattr(show, "show", lambda selection, *_, **__: seen.append(selection.rows()))
    with connection.writing(levelled) as con:
        stored.label(con, 1, 2, 1, "=Boats")
    open_page("map", f="year:1400..", panel="open")
    assert "map_cluster" not in seen[-1]  # nobody waits for names who does not see clusters
    at = open_page("map", f="year:1400..", panel="open", clusters="true")
    assert not at.exception
    rows = seen[-1].set_index("image_id") if "image_id" in seen[-1] else seen[-1]
    assert set(rows["map_cluster"][[i for i in (1, 2, 3) if i in rows.index]]) == {"=Boats"}  # files make it harmless
