"""The page Map with a second map beside the first: which ones there are, what they share, and what is said of them."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from dashboard.compute.neighbours import maps
from dashboard.views.map import canvases
from store import atlas, clusters, connection, read, write
from tests.pages import database

N = len(database.NAMES)
COLOUR = "neighbourhood agreement"


@pytest.fixture
def two_runs(db):
    """The small database with a second run, of other features, that lacks the last picture; its projections are 4 to
    6."""
    with connection.writing(db) as con:
        images = read.images(con).to_pandas()
        ids = images["image_id"].to_numpy()[:-1]
        run = write.add_run(con, 1, database.run_record(size=112))
        found = database.results(ids, list(zip(images["width"], images["height"], strict=True))[:-1], seed=1)
        write.add_results(con, run, found)
        for method in ("umap", "tsne", "pca"):
            write.add_projection(con, run, method, {}, ids, found.vectors[:, :2])
    return db


def given(at, name: str) -> dict | None:
    """What a canvas of the page was given."""
    found = [each.proto for each in at.get("bidi_component") if each.proto.id.rsplit("-", 1)[1] == name]
    return json.loads(found[0].json) if found else None


def ids_of(db, projection_id: int) -> np.ndarray:
    with connection.reading(db) as con:
        return atlas.layout(con, projection_id).ids


def said(at) -> str:
    return " ".join(each.value for each in [*at.markdown, *at.caption])


def test_there_is_one_canvas_until_another_map_is_chosen_by_hand(two_runs, open_page):
    at = open_page("map", run=1)
    assert given(at, "map2") is None and given(at, "map")["pairing"] is None
    names = at.selectbox(key="compare").options
    assert names[0] == "none" and "UMAP, laid out otherwise" in names and len(names) == 7
    assert sum("of run 2" in name and "112" in name for name in names) == 3
    at.selectbox(key="compare").set_value(6).run()
    assert not at.exception and at.query_params["compare"] == "6"
    one, other = given(at, "map"), given(at, "map2")
    assert (one["n"], other["n"]) == (N, N - 1) and other["points"].startswith("/atlas/points/6?v=")
    assert one["pairing"]["word"] == other["pairing"]["word"] and one["view"] and not other["view"]
    assert [each["pairing"]["second"] for each in (one, other)] == [False, True]
    assert one["pairing"]["title"].startswith("UMAP\nRun 1: ")
    assert other["pairing"]["title"].startswith("PCA\nRun 2: ") and "112" in other["pairing"]["title"]
    at.selectbox(key="compare").set_value(0).run()
    assert given(at, "map2") is None and "compare" not in at.query_params


def test_clusters_are_outlined_on_both_maps_where_both_are_projections(two_runs, open_page):
    with connection.writing(two_runs) as con:
        for projection in (1, 4):
            clusters.add(con, projection, "HDBSCAN", {}, np.arange(1, 6), np.array([1, 1, 0, 0, 0]), {1: 2})
    at = open_page("map", run=1, compare=4, clusters="true")
    assert [given(at, name)["clusters"].split("?")[0] for name in ("map", "map2")] == [
        "/atlas/clusters/1",
        "/atlas/clusters/4",
    ]
    at.selectbox(key="compare_layout").set_value("grid").run()
    assert given(at, "map")["clusters"] and not given(at, "map2")["clusters"]


def test_the_agreement_is_that_of_features_and_says_what_chance_is_and_what_is_left_out(two_runs, open_page):
    at = open_page("map", run=1, compare=5, compare_k=2)
    with connection.reading(two_runs) as con:
        both = [dict(zip(*each, strict=True)) for each in (pairs(con, 1), pairs(con, 2))]
    ids = sorted(both[1])
    near = [[near_to(each, ids, i, 2) for i in ids] for each in both]
    mean = np.mean([len(a & b) for a, b in zip(*near, strict=True)])
    text = said(at)
    assert f"Of **2** neighbours, **{mean:.1f}** are the same in both on average" in text
    assert f"by chance it would be {2 * 2 / (len(ids) - 1):.1f}" in text
    assert "Left out: 1 picture only the first has." in text and "cosine" in text
    swapped = said(open_page("map", run=2, compare=1, compare_k=2))
    assert f"**{mean:.1f}** are the same" in swapped and "1 picture only the second has." in swapped


def pairs(con, run: int):
    table = con.execute("SELECT image_id, vector FROM features WHERE run_id = ? ORDER BY image_id", [run]).fetchall()
    return [row[0] for row in table], [np.array(row[1], np.float64) for row in table]


def near_to(vectors: dict, ids: list[int], image: int, k: int) -> set[int]:
    return set(sorted((i for i in ids if i != image), key=lambda i: (-vectors[i] @ vectors[image], i))[:k])


def test_two_layouts_of_a_run_are_compared_by_their_places(db, open_page):
    at = open_page("map", compare=3)
    assert "lie nearest on each map" in said(at) and "Left out" not in said(at)
    at = open_page("map", compare=1)
    assert at.selectbox(key="compare_layout").value == "grid" and "layout=grid" in given(at, "map2")["points"]
    at.selectbox(key="compare_layout").set_value("projection").run()
    assert "Both maps are the same" in said(at) and "on average" not in said(at)
    assert not [each for each in at.button if each.key == "compare_colour"]
    at.selectbox(key="compare_layout").set_value("time").run()
    assert not at.exception and at.query_params["compare_layout"] == "time"
    assert "layout=time" in given(at, "map2")["points"] and "on average" in said(at)


def tints(document: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(document["tints"]), np.uint8).reshape(-1, 3)


@pytest.mark.parametrize("column", ["artist", COLOUR])
def test_a_picture_has_the_same_colour_on_both_maps_and_one_legend_is_enough(two_runs, open_page, column):
    at = open_page("map", run=2, compare=1, map_colour=column)
    one, other = (dict(zip(ids_of(two_runs, p), map(tuple, tints(given(at, name))), strict=True))
                  for p, name in ((4, "map"), (1, "map2")))  # fmt: skip
    assert len(other) == len(one) + 1 and all(other[i] == colour for i, colour in one.items())
    assert len(set(one.values())) > 1
    assert given(at, "map")["legend"] is not None and given(at, "map2")["legend"] is None


def test_the_colour_by_agreement_has_a_scale_and_goes_with_the_second_map(two_runs, open_page):
    at = open_page("map", run=1, compare=5, compare_k=2)
    at.button(key="compare_colour").click().run()
    assert at.query_params["map_colour"] == COLOUR
    legend = given(at, "map")["legend"]
    assert legend["title"].startswith("how many of 2 neighbours are the same in both") and legend["ticks"]
    assert legend["names"][0][0].startswith("not measured") and legend["names"][0][2] == 1
    at.selectbox(key="compare").set_value(0).run()
    assert not at.exception and given(at, "map")["tints"] is None


def test_what_is_selected_and_filtered_is_so_on_both(two_runs, open_page):
    at = open_page("map", run=1, compare=4, f="artist:Katsushika Hokusai")
    one, other = given(at, "map"), given(at, "map2")
    assert one["included"] and other["included"]
    at.session_state["_map_marked"] = [1, 6]  # the second run has not seen the last one
    at.run()
    marked = [ids_of(two_runs, p)[mask(given(at, name))].tolist() for p, name in ((1, "map"), (4, "map2"))]
    assert sorted(marked[0]) == [1, 6] and marked[1] == [1]


def mask(document: dict) -> np.ndarray:
    return canvases.canvas.mask(document["marked"], document["n"])


def test_who_adds_on_one_map_has_what_only_the_other_holds_still_selected(db, monkeypatch):
    chosen: list[int] = [1, 6]
    monkeypatch.setattr(canvases.selected, "ids", lambda: np.array(chosen))
    monkeypatch.setattr(canvases.selected, "choose", lambda ids: chosen.__setitem__(slice(None), sorted(ids)))
    state: dict = {}
    monkeypatch.setattr(canvases.st, "session_state", state)
    first, second = ids_of(db, 1), np.array([1, 2, 3, 4, 5])

    class Named:
        def __init__(self, ids):
            self.ids = ids

    def say(figure, ids, picked, at, other):
        source = canvases.canvas.Source(len(ids), "/p", "", "", "")
        state[figure] = {"marked": {"points": "/p", "ranges": canvases.canvas.ranges(np.isin(ids, picked)), "at": at}}
        canvases.mark(figure, source, Named(ids), other)

    say("map2", second, [1, 2], 10, Named(first))
    assert chosen == [1, 2, 6]  # added
    say("map2", second, [3], 20, Named(first))
    assert chosen == [3]  # chosen anew
    say("map", first, [4], 15, Named(second))
    assert chosen == [3]  # clicked before, heard of later


def test_the_pictures_at_either_end_and_the_file(two_runs, open_page, monkeypatch):
    files = {}
    monkeypatch.setattr(st, "download_button", lambda label, data, *a, **k: files.update({label: data}))
    at = open_page("map", run=1, compare=5, compare_k=2, compare_list="true")
    wall = given(at, "agreement_wall")["items"]
    shares = [int(item["caption"].split()[0]) for item in wall]
    assert len(wall) == N - 1 and shares == sorted(shares) and wall[0]["caption"].endswith("of 2 the same")
    at.button_group(key="compare_end").set_value("most").run()
    assert at.query_params["compare_end"] == "most"
    other = [int(item["caption"].split()[0]) for item in given(at, "agreement_wall")["items"]]
    assert other == sorted(shares, reverse=True)
    table = pd.read_csv(io.BytesIO(files["Agreement as CSV"]()), encoding="utf-8-sig")
    assert table["shared_neighbours"].sum() == sum(shares) and (table["neighbours"] == 2).all()
    assert table["neighbourhood_agreement"].tolist() == (table["shared_neighbours"] / 2).tolist()
    assert {"image_id", "path", "first_x", "first_y", "second_x", "second_y"} < set(table)


def test_a_selection_is_exported_with_the_agreement_of_its_pictures(two_runs, open_page):
    at = open_page("map", run=1, compare=5, compare_k=2, selection_part="table", marked="")
    at.session_state["_map_marked"] = [1, 6]
    at.run()
    column = at.dataframe[0].value.set_index("image_id")["neighbourhood_agreement"]
    assert column[1] in (0, 0.5, 1) and np.isnan(column[6])


def test_of_a_large_collection_it_is_said_how_many_were_measured(two_runs, open_page, monkeypatch):
    monkeypatch.setattr(maps, "LEAST", 3)
    monkeypatch.setattr(maps, "WORK", 1)
    assert "Measured for 3 pictures, drawn at random, among all 5" in said(open_page("map", run=1, compare=5))


def test_a_map_that_is_not_there_leaves_the_first_alone(two_runs, open_page):
    at = open_page("map", run=1, compare=99)
    assert not at.exception and given(at, "map2") is None
