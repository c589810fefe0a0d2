"""The map: what the canvas is given, what a selection gives, and the map that can be taken away."""

import base64
import json
from datetime import date

import numpy as np
import pytest

from dashboard.components import canvas
from dashboard.data import layouts
from dashboard.drawing import charts, colours
from ingest import atlas as pages
from store import atlas, connection, tags, write
from tests.pages import database

HARMFUL = "<img src=x onerror=alert(1)>"


def given(at) -> dict:
    """What the canvas of the page was given."""
    return next(
        json.loads(element.proto.json)
        for element in at.get("bidi_component")
        if element.proto.id.rsplit("-", 1)[1] == "map"
    )


def layout_of(db, projection_id: int = 1) -> atlas.Layout:
    with connection.reading(db) as con:
        return atlas.layout(con, projection_id)


def source(n: int = 3) -> canvas.Source:
    return canvas.Source(n, "/points", "/thumb/{id}", "/about/{id}", "")


def unpacked(data: bytes) -> dict[str, np.ndarray]:
    """What the browser reads out of the points."""
    n, placed = np.frombuffer(data, "<i4", 2)
    found, at = {}, 8
    for name, kind in (("ids", "<f8"), ("x", "<f4"), ("y", "<f4"), ("logs", "<f4"), *([("places", "<i4")] * placed)):
        found[name] = np.frombuffer(data, kind, n, at)
        at += found[name].nbytes
    assert at == len(data)
    return found


def test_every_picture_has_its_point_and_its_shape(db, open_page):
    assert given(open_page("map"))["n"] == len(database.NAMES)
    points = unpacked(layouts.points(db, 1))
    assert sorted(points["ids"]) == list(range(1, len(database.NAMES) + 1))
    with connection.reading(db) as con:
        stored = con.execute("SELECT image_id, x, y FROM points WHERE projection_id = 1").fetchall()
        shapes = dict(con.execute("SELECT image_id, width / height FROM images").fetchall())
    for image_id, x, y in stored:
        at = points["ids"].tolist().index(image_id)
        assert (points["x"][at], points["y"][at]) == pytest.approx((x, y))
        assert 2.0 ** points["logs"][at] == pytest.approx(shapes[image_id])


def test_another_projection_has_other_points_and_shows_its_settings(db, open_page):
    at = open_page("map")
    assert "n_neighbors 5" in at.main.code[0].value
    before = given(at)["points"]
    assert before.startswith("/atlas/points/1?v=")
    at.button_group(key="projection").set_value(2).run()
    assert not at.exception
    assert given(at)["points"].startswith("/atlas/points/2?v=")
    assert "perplexity 2.0" in at.main.code[0].value


def test_a_map_is_cited_in_one_sentence_and_made_anew_with_another_setting(db, open_page, monkeypatch):
    at = open_page("map", run=1)
    sentence = at.main.code[0].value
    for part in (
        "Map of 6 pictures of the collection",
        "UMAP (n_neighbors 5",
        "Tiny test network (weights ",
        " with Bil",
    ):
        assert part in sentence
    monkeypatch.setenv("XDG_CACHE_HOME", str(db.parent / "cache"))  # of jobs
    assert not [each for each in at.button if each.key == "map_another"]
    field = at.number_input(key="map_1_n_neighbors")
    assert field.label == "Neighbours" and "`n_neighbors`" in field.help
    field.set_value(3).run()
    assert not at.exception
    assert "project --run 1 --methods umap --set n_neighbors=3" in at.main.code[1].value
    assert at.button(key="map_another").label == "Make this map"


def test_a_run_without_a_map_offers_to_make_one(db, open_page):
    with connection.writing(db) as con:
        for (number,) in con.execute("SELECT projection_id FROM projection").fetchall():
            write.drop_projection(con, number)
    at = open_page("map", run=1)
    assert not at.exception and at.title[0].value == "Map" and "no map yet" in at.info[0].value
    assert at.button(key="map_start").label == "Make its maps"
    assert "project --run 1" in at.main.code[0].value


def test_two_maps_of_one_method_are_told_apart_by_their_settings(db, open_page):
    with connection.writing(db) as con:
        ids = np.arange(1, 7)
        write.add_projection(con, 1, "umap", {"n_neighbors": 3}, ids, np.random.default_rng(0).normal(size=(6, 2)))
    at = open_page("map", run=1, projection="UMAP")  # as links have it from when there was one
    choice = at.button_group(key="projection")
    assert not at.exception and choice.value == 1
    assert choice.options[:2] == ["UMAP, 5 neighbours", "UMAP, 3 neighbours"]


def test_frames_take_their_colour_from_the_metadata(db, open_page):
    at = open_page("map")
    assert given(at)["tints"] is None and given(at)["legend"] is None
    at.selectbox(key="map_colour").set_value("artist").run()
    legend = given(at)["legend"]
    hokusai = next(entry for entry in legend["names"] if entry[0] == "Katsushika Hokusai")
    assert (legend["title"], hokusai[2]) == ("artist", 2)
    tints = np.frombuffer(base64.b64decode(given(at)["tints"]), np.uint8).reshape(-1, 3)
    ids = layout_of(db).ids
    same = [tuple(tints[ids.tolist().index(image_id)]) for image_id in (1, 2)]
    assert same == [tuple(bytes.fromhex(hokusai[1][1:]))] * 2
    assert len({tuple(tint) for tint in tints}) == 5


def test_numbers_get_a_scale(db, open_page):
    at = open_page("map")
    at.selectbox(key="map_colour").set_value("year").run()
    assert not at.exception
    legend = given(at)["legend"]
    assert [text for _, text in legend["ticks"]] == ["1503", "1894"]
    assert [share for share, _ in legend["ticks"]] == [0, 1]
    assert legend["scale"] == list(colours.SCALE)


def test_the_size_slider_reaches_the_canvas_and_the_points_stay_where_they_are(db, open_page):
    at = open_page("map")
    before = given(at)
    at.slider(key="map_size").set_value(2.0).run()
    assert given(at) == before | {"size": 2.0}


def test_choosing_by_metadata_needs_no_mouse_and_the_others_fade(db, open_page):
    at = open_page("map", selection_part="table", panel="open")
    assert given(at)["included"] is None
    at.session_state["filter"] = True  # the popover is open
    at.run()
    at.session_state["filter"] = True
    at.selectbox(key="filter_column").set_value("artist").run()
    at.session_state["filter"] = True
    at.multiselect(key="filter_values").set_value(["Katsushika Hokusai"]).run()
    assert not at.exception
    assert any("**2** of 6 pictures" in text.value for text in at.markdown)
    chosen = at.dataframe[0].value
    assert chosen["title"].tolist() == ["The Great Wave off Kanagawa", "Ejiri in Suruga Province"]
    assert {"map_x", "map_y"} <= set(chosen.columns)
    assert at.get("download_button")
    included = canvas.mask(given(at)["included"], len(database.NAMES))
    assert sorted(layout_of(db).ids[included]) == [1, 2]


def test_a_selection_on_the_map_is_listed_below_it_and_goes_back_to_the_canvas(db, open_page):
    at = open_page("map", selection_part="table")
    at.session_state["_map_marked"] = [3, 99]  # 99: of another run, say
    at.run()
    assert at.dataframe[0].value["image_id"].tolist() == [3]
    at.button_group(key="projection").set_value(3).run()
    marked = canvas.mask(given(at)["marked"], len(database.NAMES))
    assert layout_of(db, 3).ids[marked].tolist() == [3]


def test_a_link_opens_the_map_as_it_was(db, open_page):
    at = open_page("map", projection="PCA", map_colour="artist", f="artist:Katsushika Hokusai")
    assert given(at)["points"].startswith("/atlas/points/3?")
    assert given(at)["legend"]["title"] == "artist"
    assert any("**2** of 6 pictures" in text.value for text in at.markdown)


def test_metadata_is_text_to_the_canvas_and_escaped_in_what_is_taken_away(db, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": HARMFUL, "artist": f"{HARMFUL}!"}})
    at = open_page("map")
    at.selectbox(key="map_colour").set_value("artist").run()
    assert f"{HARMFUL}!" in [name for name, *_ in given(at)["legend"]["names"]]  # the browser's tests see it as text
    assert json.loads(layouts.about(db, 1)) == {"title": HARMFUL, "caption": f"{HARMFUL}!"}
    assert HARMFUL not in charts.hover(HARMFUL, {"artist": HARMFUL})


def test_there_is_no_atlas_until_one_is_made(db, open_page):
    assert given(open_page("map"))["page"] == ""
    assert "places" not in unpacked(layouts.points(db, 1))
    assert pages.make(db, 1)
    given_then = given(open_page("map"))
    assert given_then["page"].startswith(f"/atlas/page/1/{layout_of(db).atlas}/{{cell}}/{{page}}?v=")
    assert unpacked(layouts.points(db, 1))["places"].tolist() == list(range(len(database.NAMES)))
    assert layouts.page(db, 1, layout_of(db).atlas, 64, 0)[:2] == b"\xff\xd8"
    assert layouts.page(db, 1, "another", 64, 0) is None
    assert layouts.page(db, 1, layout_of(db).atlas, 64, 1) is None


def test_what_is_not_there_is_none(db):
    assert layouts.points(db, 99) is None
    assert layouts.about(db, 99) is None


# ---- masks and colours on their way to the browser ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 127, 128, 129, 1000, 70_000])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_a_mask_survives_the_journey(n, share):
    chosen = np.random.default_rng(n).random(n) < share
    text = canvas.ranges(chosen)
    assert (canvas.mask(text, n) == chosen).all()
    assert len(text) <= 8 + 1.5 * n


def test_runs_are_shorter_than_masks():
    chosen = np.zeros(100_000, bool)
    chosen[20_000:40_000] = True
    assert len(canvas.ranges(chosen)) < 20


def test_a_mask_of_other_points_is_refused():
    with pytest.raises(ValueError, match="3 points"):
        canvas.mask(canvas.ranges(np.ones(5, bool)), 3)


def test_a_selection_counts_for_its_own_points_alone():
    text = canvas.ranges(np.array([True, False, True]))
    assert canvas.selection({"marked": {"points": "/points", "ranges": text}}, source()).tolist() == [True, False, True]
    assert canvas.selection({"marked": {"points": "/others", "ranges": text}}, source()) is None
    assert canvas.selection({}, source()) is None


def test_colours_become_three_bytes():
    assert canvas.rgb(["#ff0080", "#000000", "#ff008066"]).tolist() == [[255, 0, 128], [0, 0, 0], [255, 0, 128]]
    assert canvas.rgb([]).shape == (0, 3)


# ---- colours and words -------------------------------------------------------------------------------------------------


def test_hover_is_short_and_escaped():
    text = charts.hover(
        "a" * 200, {"note": "<script>", "long": "b" * 500, "none": None} | {f"k{i}": i for i in range(20)}
    )
    assert "<script>" not in text
    assert text.count("<br>") == 8
    assert len(text) < 500


def test_frequent_values_are_named_and_the_rest_is_other():
    values = [f"v{i}" for i in range(12) for _ in range(20 - i)] + [None]
    found = colours.colour(values, "text")
    assert [name for name, _, _ in found.legend] == [f"v{i}" for i in range(8)] + ["4 others", "not given"]
    assert len(set(found.of)) == 10
    assert found.of[-1] == colours.UNKNOWN
    assert sum(count for _, _, count in found.legend) == len(values)


def test_a_picture_with_several_values_has_the_colour_of_the_first_and_counts_with_each():
    found = colours.colour([("sea", "sky"), ("sky",), None, ("ship", "sea"), ("rare", "sky")], "text")
    assert [(name, count) for name, _, count in found.legend] == [
        ("sky", 3), ("sea", 2), ("rare", 1), ("ship", 1), ("not given", 1),
    ]  # fmt: skip
    named = {name: colour for name, colour, _ in found.legend}
    assert found.of == [named[name] for name in ("sea", "sky", "not given", "ship", "rare")]


def test_numbers_run_from_dark_to_bright():
    found = colours.colour([1500, None, 1900, float("nan")], "number")
    assert found.of == [colours.SCALE[0], colours.UNKNOWN, colours.SCALE[-1], colours.UNKNOWN]
    assert found.bar == (1500, 1900)
    assert found.legend == [("not given", colours.UNKNOWN, 2)]


def test_dates_are_a_scale_with_dates_on_it():
    found = colours.colour([date(1900, 1, 1), date(1950, 1, 1), date(2000, 1, 1)], "date")
    assert found.ticks[0][1] == "1900-01-01"
    assert found.ticks[-1][1] == "2000-01-01"


def test_a_column_of_nothing_is_not_given():
    assert colours.colour([None, None], "number").legend == [("not given", colours.UNKNOWN, 2)]


def test_a_map_of_pictures_at_one_place_opens_and_says_how_it_was_made(db, open_page):
    settings = {"made_by": "pca", "reason": "UMAP needs at least 4 different pictures; there is 1"}
    settings |= {"centred": True, "distinct": 1, "copies": 4, "copies_placed": 1, "versions": {"numpy": "2.4.6"}}
    with connection.writing(db) as con:
        for number in (1, 2, 3):
            write.drop_projection(con, number)
        ids = np.arange(1, len(database.NAMES) + 1)
        write.add_projection(con, 1, "umap", settings, ids, np.zeros((len(ids), 2)))
    at = open_page("map")
    assert not at.exception and given(at)["n"] == len(database.NAMES)
    assert given(at)["alt"].startswith("Map of 6 pictures by PCA in place of UMAP.")
    told = at.main.caption[0].value.replace("\\", "")
    assert "6 pictures by PCA in place of UMAP" in told and "PCA is a flat shadow" in told
    assert "Made otherwise because UMAP needs at least 4 different pictures; there is 1." in told
    assert "5 of the pictures have the same features as an earlier one and lie exactly on it" in told
    assert "numpy 2.4.6" in at.main.code[0].value and "made_by" not in at.main.code[0].value
    assert not [each for each in at.number_input if each.key.startswith("map_")]  # nothing of it can be changed
    for layout in ("grid", "groups"):
        points = unpacked_arrangement(
            layouts.points(db, 1, layouts.LayoutOptions(layout, "artist" if layout == "groups" else ""))
        )
        assert len(np.unique(points, axis=0)) == len(ids)  # each has a cell of its own


def unpacked_arrangement(data: bytes) -> np.ndarray:
    """The points (n, 2) of an arrangement."""
    n = int(np.frombuffer(data, "<i4", 1)[0])
    return np.stack([np.frombuffer(data, "<f4", n, 8 + 8 * n), np.frombuffer(data, "<f4", n, 8 + 12 * n)], axis=1)


def test_tags_colour_the_frames_and_make_groups(db, open_page):
    at = open_page("map", run=1, map_colour="tag")
    assert at.selectbox(key="map_colour").value == ""  # there are none yet
    with connection.writing(db) as con:
        tags.add(con, [1, 2], ["sea", "wave"])
        tags.add(con, [5], ["portrait"])
    at = open_page("map", run=1, map_colour="tag", layout="groups", layout_by="tag")
    assert not at.exception and at.selectbox(key="layout_by").value == "tag"
    legend = {name: count for name, _, count in given(at)["legend"]["names"]}
    assert legend == {"sea": 2, "wave": 2, "portrait": 1, "not given": 3}
    blocks = layouts.points(db, 1, layouts.LayoutOptions("groups", "tag"))
    assert b"sea" in blocks and b"no tag" in blocks
    first = given(at)["points"]
    with connection.writing(db) as con:
        tags.add(con, [6], ["sea"])
    assert given(at.run())["points"] != first  # a browser keeps what it has of an address
