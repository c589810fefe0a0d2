"""The map: what is drawn where and in which colour, and what a selection gives."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from dashboard import colours, plane
from store import connection, write
from tests.pages import database


def spec(at) -> dict:
    """The Plotly figure of the page."""
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def pictures(figure: dict) -> list[dict]:
    return [image for image in figure["layout"]["images"] if image["source"].startswith("/thumb/")]


def table(n: int, seed: int = 0) -> pd.DataFrame:
    xy = np.random.default_rng(seed).normal(size=(n, 2))
    return pd.DataFrame(
        {
            "image_id": np.arange(1, n + 1),
            "x": xy[:, 0],
            "y": xy[:, 1],
            "width": 300,
            "height": 200,
            "hover": "<b>a</b>",
        }
    )


def test_every_picture_is_drawn_at_its_point_in_its_shape(db, open_page):
    figure = spec(open_page("map"))
    drawn = pictures(figure)
    assert len(drawn) == len(database.NAMES)
    with connection.reading(db) as con:
        x, y = con.execute("SELECT x, y FROM points WHERE projection_id = 1 AND image_id = 1").fetchone()
        width, height = con.execute("SELECT width, height FROM images WHERE image_id = 1").fetchone()
    assert (drawn[0]["x"], drawn[0]["y"]) == pytest.approx((x, y))
    assert drawn[0]["sizex"] / drawn[0]["sizey"] == pytest.approx(width / height)
    assert figure["layout"]["yaxis"]["scaleanchor"] == "x"


def test_another_projection_moves_the_pictures_and_shows_its_settings(db, open_page):
    at = open_page("map")
    assert "n\\_neighbors 5" in at.main.caption[0].value
    before = pictures(spec(at))[0]["x"]
    at.button_group(key="projection").set_value(2).run()
    assert not at.exception
    assert pictures(spec(at))[0]["x"] != before
    assert "perplexity 2\\.0" in at.main.caption[0].value


def test_frames_take_their_colour_from_the_metadata(db, open_page):
    at = open_page("map")
    assert len(spec(at)["layout"]["images"]) == len(database.NAMES)  # no frames without a column
    at.selectbox(key="map_colour").set_value("artist").run()
    figure = spec(at)
    images = figure["layout"]["images"]
    assert len(images) == 2 * len(database.NAMES)
    frame, picture = images[0], images[1]
    assert (frame["x"], frame["y"]) == (picture["x"], picture["y"])
    assert frame["sizex"] - picture["sizex"] == pytest.approx(frame["sizey"] - picture["sizey"])
    assert "Katsushika Hokusai (2)" in [trace.get("name") for trace in figure["data"]]


def test_numbers_get_a_colour_bar(db, open_page):
    at = open_page("map")
    at.selectbox(key="map_colour").set_value("year").run()
    assert not at.exception
    bar = next(trace for trace in spec(at)["data"] if "colorbar" in trace.get("marker", {}))
    assert (bar["marker"]["cmin"], bar["marker"]["cmax"]) == (1503, 1894)


def test_the_size_slider_scales_the_pictures(db, open_page):
    at = open_page("map")
    before = pictures(spec(at))[0]["sizex"]
    at.slider(key="map_size").set_value(2.0).run()
    assert pictures(spec(at))[0]["sizex"] == pytest.approx(2 * before)


def test_choosing_by_metadata_needs_no_mouse(db, open_page):
    at = open_page("map")
    at.selectbox(key="map_by").set_value("artist").run()
    at.multiselect(key="map_values_artist").set_value(["Katsushika Hokusai"]).run()
    assert not at.exception
    assert any("**2** of 6 pictures" in text.value for text in at.markdown)
    chosen = at.dataframe[0].value
    assert chosen["title"].tolist() == ["The Great Wave off Kanagawa", "Ejiri in Suruga Province"]
    assert {"map_x", "map_y"} <= set(chosen.columns)
    assert at.get("download_button")


def test_a_selection_on_the_map_is_listed_below_it(db, open_page):
    at = open_page("map")
    at.session_state["_map_marked"] = [3, 99]  # 99: of another run, say
    at.run()
    assert at.dataframe[0].value["image_id"].tolist() == [3]


def test_a_run_without_a_map_says_how_to_make_one(db, open_page):
    with connection.writing(db) as con:
        number = write.add_run(con, 1, database.run_record(fit="pad"))
    at = open_page("map", run=number)
    assert not at.exception
    assert "--project umap" in at.info[0].value


def test_metadata_cannot_inject_html_into_the_map(db, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": "<img src=x onerror=alert(1)>", "artist": "<i>H</i>"}})
    at = open_page("map")
    at.selectbox(key="map_colour").set_value("artist").run()
    text = json.dumps(spec(at))
    assert "<img src=x" not in text
    assert "<i>H" not in text
    assert "&lt;img src=x" in text


# ---- the figure alone -------------------------------------------------------------------------------------------------


def test_beyond_what_is_drawn_pictures_are_dots_that_can_be_chosen():
    data = table(30)
    figure = plane.figure(data, {int(i): f"/thumb/{i}" for i in data["image_id"][:10]})
    dots, points = figure.data
    assert (len(dots.x), len(points.x), len(figure.layout.images)) == (20, 10, 10)
    assert {row[0] for row in dots.customdata} == set(range(11, 31))
    assert {image.layer for image in figure.layout.images} == {"above"}


def test_spread_visits_every_region_before_any_twice():
    crowd, lonely = np.random.default_rng(0).normal(0, 0.01, (5000, 2)), np.array([[5.0, 5.0], [9.0, 1.0], [-3.0, 4.0]])
    chosen = plane.spread(np.vstack([crowd, lonely]), 100)
    assert len(chosen) == len(set(chosen)) == 100
    assert {5000, 5001, 5002} <= set(chosen)
    assert (np.diff(chosen) > 0).all()
    assert plane.spread(lonely, 100).tolist() == [0, 1, 2]


@pytest.mark.parametrize("xy", [np.zeros((1, 2)), np.zeros((5, 2)), np.column_stack([np.arange(4), np.zeros(4)])])
def test_degenerate_layouts_still_have_a_size(xy):
    assert np.isfinite(plane.picture_side(xy)) and plane.picture_side(xy) > 0
    assert len(plane.spread(xy, 2)) == min(len(xy), 2)


def test_more_pictures_are_smaller_ones():
    few, many = table(30)[["x", "y"]].to_numpy(), table(2000)[["x", "y"]].to_numpy()
    assert plane.picture_side(many) < plane.picture_side(few) / 3


def test_a_scroll_is_held_to_three_sides():
    wide, high = plane.sides(8000, 200, 1.0)
    assert wide == pytest.approx(3)
    assert wide / high == pytest.approx(40)


def test_selected_reads_customdata_however_it_comes():
    points = [{"customdata": [3]}, {"customdata": 4}, {"customdata": [3]}, {}, {"customdata": []}]
    assert plane.selected(points) == [3, 4]


def test_hover_is_short_and_escaped():
    text = plane.hover(
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


def test_the_exported_page_carries_its_pictures_and_its_program():
    data = table(3)
    text = plane.standalone(plane.figure(data, {i: f"data:image/jpeg;base64,{i}AAA" for i in (1, 2, 3)})).decode()
    assert all(f"base64,{i}AAA" in text for i in (1, 2, 3))
    assert "plotly.js v" in text
    assert '<script src="http' not in text
