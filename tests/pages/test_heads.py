"""The page Heads: its numbers against pandas, what opens a head, names, and what it says where something is missing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dashboard import components
from dashboard.data import cache
from dashboard.drawing import head_figures
from dashboard.selection import actions
from store import connection, read, write
from store import heads as stored
from store.records import HeadStats, Results
from tests.pages import database

HARMFUL = '<img src=x onerror="alert(1)"> & $x_1$'
LAYERS, HEADS = database.LAYERS, database.HEADS


class Wall:
    """The galleries of the page: what they were given, and a click for one of them."""

    def __init__(self):
        self.items, self.clicks = {}, {}

    def __call__(self, items, key, *args, **more):
        self.items[key] = list(items)
        return self.clicks.pop(key, None)


@pytest.fixture
def wall(monkeypatch) -> Wall:
    gallery = Wall()
    monkeypatch.setattr(components, "gallery", gallery)
    monkeypatch.setattr(actions, "gallery", gallery)
    return gallery


@pytest.fixture
def page(db, open_page, wall):
    at = open_page("heads")
    assert not at.exception
    return at


def spec(at) -> dict:
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def points(at) -> dict[tuple[int, int], float]:
    """The points of the plot: {(layer, head): value}."""
    trace = spec(at)["data"][1]
    return {tuple(pair): value for pair, value in zip(trace["customdata"], trace["y"], strict=True)}


def by_pandas(db, column: str = "distance", ids=None) -> dict[tuple[int, int], float]:
    with connection.reading(db) as con:
        table = read.head_stats(con, 1).to_pandas()
    table = table if ids is None else table[table["image_id"].isin(ids)]
    return table.groupby(["layer", "head"])[column].mean().to_dict()


def html(at) -> str:
    return "".join(element.value for element in at.main.html)


def texts(at) -> str:
    return " ".join(caption.value for caption in at.main.caption)


def open_head(at, layer: int, head: int):
    at.selectbox(key="head_layer").set_value(layer)
    return at.selectbox(key="head_number").set_value(head).run()


def save(at, name: str, note: str = ""):
    at.text_input(key="head_name").set_value(name)
    at.text_area(key="head_note").set_value(note)
    return next(button for button in at.button if button.label == "Save").click().run()


def names(db) -> list[tuple]:
    with connection.reading(db) as con:
        return [tuple(row.values())[:4] for row in stored.names(con, 1).to_pylist()]


# ---- all heads ------------------------------------------------------------------------------------------------------


def test_a_point_and_a_cell_for_each_head_with_its_mean_over_all_images(page, db):
    assert page.title[0].value == "Heads"
    assert points(page) == pytest.approx(by_pandas(db))
    matrix = next(trace for trace in spec(page)["data"] if trace["type"] == "heatmap")
    for (layer, head), mean in by_pandas(db).items():
        assert matrix["z"][matrix["y"].index(head)][matrix["x"].index(layer)] == pytest.approx(mean)
    assert "Means over all 6 images" in texts(page)


def test_only_statistics_that_the_run_has_are_offered(page, db, open_page):
    shown = page.selectbox(key="statistic").options
    assert shown == [
        head_figures.STATISTICS[key].title
        for key in ("distance", "distance_share", "distance_raw", "entropy", "mass_cls", "mass_patches", "peak")
    ]
    page.selectbox(key="statistic").set_value("entropy").run()
    assert points(page) == pytest.approx(by_pandas(db, "entropy"))
    assert page.query_params["statistic"] == "entropy"
    assert "the attention of the CLS token is spread over all tokens" in texts(page)
    linked = open_page("heads", statistic="entropy")
    assert points(linked) == points(page)


def test_importances_are_shown_by_their_score(db, open_page, wall):
    values = np.random.default_rng(0).random((2, LAYERS, HEADS))
    with connection.writing(db) as con:
        for target, value in zip(("neighbours:20", "image:2"), values, strict=True):
            for layer in range(LAYERS):
                for head in range(HEADS):
                    row = [1, 4, target, layer, head, float(value[layer, head])]
                    con.execute("INSERT INTO head_importance VALUES (?, ?, ?, ?, ?, ?)", row)
    at = open_page("heads", statistic="importance", score="neighbours:20")
    assert not at.exception
    wanted = {(layer, head): values[0, layer, head] for layer in range(LAYERS) for head in range(HEADS)}
    assert points(at) == pytest.approx(wanted)
    assert "similarity to the 20 nearest neighbours" in texts(at)
    at.selectbox(key="score").set_value("image:2").run()
    assert points(at)[0, 0] == pytest.approx(values[1, 0, 0])
    assert "single image" in texts(at)


def test_images_are_chosen_by_metadata_and_the_link_keeps_them(page, db, open_page):
    linked = open_page("heads", f="artist:Katsushika Hokusai")
    assert not linked.exception
    assert points(linked) == pytest.approx(by_pandas(db, ids=[1, 2]))
    assert "Means over 2 images with artist Katsushika Hokusai" in texts(linked)
    linked.button(key="filter_clear").click().run()
    assert points(linked) == points(page) == pytest.approx(by_pandas(db))


def test_images_of_no_one_are_a_sentence_and_a_way_back(db, open_page, wall):
    at = open_page("heads", f="artist:Nobody")
    assert not at.exception
    assert "No picture fits" in at.main.info[0].value and not at.get("plotly_chart")
    at.button(key="filter_clear").click().run()
    assert points(at) == pytest.approx(by_pandas(db))


def test_a_single_image_has_no_spread_but_numbers(db, open_page, wall):
    page = open_page("heads", f="year:1503..1503")
    assert not page.exception
    assert points(page) == pytest.approx(by_pandas(db, ids=[5]))
    assert "single image" in texts(page)
    assert "standard deviation" not in spec(page)["data"][1]["hovertext"][0]


def test_the_spread_is_drawn_when_asked_for(page, db):
    assert spec(page)["data"][1]["error_y"]["visible"] is False
    page.toggle(key="heads_spread").set_value(True).run()
    bars = spec(page)["data"][1]["error_y"]
    with connection.reading(db) as con:
        table = read.head_stats(con, 1).to_pandas()
    wanted = table.groupby(["layer", "head"])["distance"].std()
    assert bars["visible"] and bars["array"] == pytest.approx(wanted.tolist(), rel=1e-5)


def test_nonsense_in_the_address_is_passed_over(db, open_page, wall):
    query = {"head_layer": 99, "head_number": "x", "f": "no such:z", "statistic": "bar"}
    at = open_page("heads", **query)
    assert not at.exception
    assert points(at) == pytest.approx(by_pandas(db))
    assert f"Layer {LAYERS - 1} · head 0" in html(at)


# ---- one head -------------------------------------------------------------------------------------------------------


def test_the_last_layers_first_head_is_open_until_another_is_picked(page, open_page):
    assert f"Layer {LAYERS - 1} · head 0" in html(page)
    open_head(page, 1, 1)
    assert "Layer 1 · head 1" in html(page)
    ring = spec(page)["data"][-1]
    assert ring["y"] == pytest.approx([points(page)[1, 1]])
    linked = open_page("heads", head_layer=1, head_number=1)
    assert "Layer 1 · head 1" in html(linked)


def test_its_rank_among_all_heads_is_said(page, db):
    values = by_pandas(db)
    open_head(page, 0, 1)
    place = sorted(values.values(), reverse=True).index(values[0, 1]) + 1
    assert f"number {place} of {LAYERS * HEADS} heads" in html(page)


def test_the_images_where_it_peaks_highest_are_drawn_with_its_map(page, db, wall):
    open_head(page, 1, 0)
    with connection.reading(db) as con:
        table = read.head_stats(con, 1).to_pandas()
        mine = table[(table["layer"] == 1) & (table["head"] == 0)].sort_values("peak", ascending=False)
        first = int(mine["image_id"].iloc[0])
        weights = read.maps(con, 1, first, "cls", layers=[1], heads=[0]).weights[0]
    items = wall.items["head_peaks"]
    assert [item["image_id"] for item in items] == mine["image_id"].tolist()
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    assert items[0]["caption"] == f"{100 * mine['peak'].iloc[0]:.0f}\u00a0% · row {row}, column {column}"
    assert all(item["src"].startswith("data:image/jpeg") and "peaks" in item["alt"] for item in items)
    assert len({item["src"] for item in items}) == len(items)


def test_a_picture_leads_to_its_maps_of_this_head(page, wall):
    open_head(page, 1, 1)
    wall.clicks["head_peaks"] = actions.Done("maps", 3, 3)
    page.run()
    assert not page.exception
    assert page.title[0].value == "Attention"
    assert page.session_state["image"] == 3
    assert (page.session_state["layer"], page.session_state["head"]) == ([1], [1])


def test_the_mean_map_is_over_the_chosen_images(db, open_page, wall, monkeypatch):
    drawn = []
    real = head_figures.bare
    monkeypatch.setattr(
        head_figures, "bare", lambda weights, *args, **how: drawn.append(weights) or real(weights, *args, **how)
    )
    page = open_page("heads", f="artist:Katsushika Hokusai")
    with connection.reading(cache.db()) as con:
        maps = [read.maps(con, 1, image, "cls", layers=[2], heads=[0]).weights[0] for image in (1, 2)]
    np.testing.assert_allclose(drawn[0], np.mean(maps, axis=0), rtol=1e-5)
    assert "over 2 images" in html(page) and "grid of 4 × 6" in html(page)


def test_maps_of_several_grids_are_said_to_be_brought_onto_one(db, open_page, wall, monkeypatch):
    monkeypatch.setattr(database, "ROWS", 3)
    with connection.writing(db) as con:
        found = database.results(np.array([2]), [(300, 200)], seed=4)
        write.add_results(con, 1, Results(found.image_ids, None, found.frames, found.maps))
    at = open_page("heads")
    assert not at.exception
    assert "over 6 images, on a common grid of 5 × 5" in html(at)
    assert "Maps of 2 grids, each in the shape of its picture, were brought onto this one." in html(at)


def test_the_heads_that_look_alike_come_nearest_first_and_open(page, db, wall):
    open_head(page, 1, 0)
    with connection.reading(db) as con:
        found = stored.similarity(con, 1, "cls")
        stored_names = stored.names(con, 1)
    assert stored_names.num_rows == 0
    here = 1 * HEADS
    order = [place for place in np.argsort(-found.cosines[here], kind="stable") if place != here]
    items = wall.items["heads_alike"]
    assert [item["image_id"] for item in items] == order
    assert items[0]["caption"] == f"{found.cosines[here][order[0]]:.2f}"
    wall.clicks["heads_alike"] = int(order[0])
    page.run()
    assert not page.exception
    assert head_figures.title(order[0] // HEADS, order[0] % HEADS) in html(page)
    assert page.selectbox(key="head_layer").value == order[0] // HEADS


# ---- names --------------------------------------------------------------------------------------------------------


def test_a_name_survives_a_new_session_and_is_shown_everywhere(page, db, open_page, wall):
    open_head(page, 1, 0)
    save(page, "faces", "see the portraits")
    assert not page.exception
    assert names(db) == [(1, 0, "faces", "see the portraits")]
    fresh = open_page("heads", head_layer=1, head_number=0)
    assert "Layer 1 · head 0 · faces" in html(fresh)
    assert fresh.text_input(key="head_name").value == "faces"
    assert fresh.text_area(key="head_note").value == "see the portraits"
    figure = spec(fresh)
    assert "faces" in [note["text"] for note in figure["layout"]["annotations"]]
    assert any("Layer 1 · head 0 · faces" in text for text in figure["data"][1]["hovertext"])
    open_head(fresh, 0, 0)
    assert fresh.text_input(key="head_name").value == ""
    alike = {item["image_id"]: item["caption"] for item in wall.items["heads_alike"]}
    assert alike[1 * HEADS].endswith("· faces")


def test_the_last_of_several_people_wins_and_all_see_it(db, open_page, wall):
    one = open_page("heads", head_layer=1, head_number=0)
    other = open_page("heads", head_layer=1, head_number=0)
    save(one, "faces")
    save(other, "hands")
    assert names(db) == [(1, 0, "hands", "")]
    one.run()
    assert one.text_input(key="head_name").value == "hands"


def test_an_emptied_name_is_forgotten(page, db):
    save(page, "faces")
    save(page, "")
    assert names(db) == []
    assert "faces" not in html(page)


def test_colours_can_say_the_names(page):
    save(page, "faces")
    page.get("button_group")[0].set_value("name").run()
    assert not page.exception
    legend = [trace["name"] for trace in spec(page)["data"] if trace.get("name")]
    assert legend == ["faces", "no name"]


def test_a_busy_database_is_a_sentence_and_the_page_stays(page, db, monkeypatch):
    real = connection.writing
    monkeypatch.setattr(connection, "writing", lambda path, wait: real(path, wait=0.1))
    with connection._one_writer:
        save(page, "faces")
    assert not page.exception
    assert "then try again" in page.main.error[0].value
    assert page.title[0].value == "Heads" and page.text_input(key="head_name").value == "faces"
    assert names(db) == []


def test_names_cannot_inject_html(page):
    save(page, HARMFUL, HARMFUL)
    assert not page.exception
    assert "<img src=x" not in html(page) and "&lt;img src=x" in html(page)
    assert "<img src=x" not in json.dumps(spec(page))


# ---- what may be missing -----------------------------------------------------------------------------------------


def bare_run(db, maps: str | None = None, **record) -> int:
    """Another run of the pictures: numbers about heads, and maps of this method if one is named."""
    with connection.writing(db) as con:
        run = write.add_run(con, 1, database.run_record(fit="pad", **record))
        found = database.results(np.arange(1, 7), [(300, 200)] * 6, seed=8)
        values = found.head_stats[0].values | {"mass_cls": np.zeros(6 * LAYERS * HEADS, np.float32)}
        numbers = HeadStats(*(getattr(found.head_stats[0], key) for key in ("image_ids", "layers", "heads")), values)
        blocks = [] if maps is None else [replace(found.maps[0], method=maps)]
        write.add_results(con, run, Results(found.image_ids, None, found.frames, blocks, [numbers]))
    return run


def test_a_run_without_numbers_says_what_to_type(db, open_page, wall):
    with connection.writing(db) as con:
        run = write.add_run(con, 1, database.run_record(fit="stretch"))
        blind = write.add_run(con, 1, database.run_record(fit="stretch", prefix_tokens=0, size=98))
    at = open_page("heads", run=run)
    assert not at.exception
    assert f"python -m ingest explain --run {run} --methods cls" in at.code[0].value
    assert "--methods received" in open_page("heads", run=blind).code[0].value


def test_without_maps_the_numbers_and_pictures_are_there_and_what_to_type(db, open_page, wall):
    run = bare_run(db, prefix_tokens=0)
    at = open_page("heads", run=run)
    assert not at.exception
    assert len(points(at)) == LAYERS * HEADS
    assert len(wall.items["head_peaks"]) == 6 and "heads_alike" not in wall.items
    assert not any(item["src"].startswith("data:") for item in wall.items["head_peaks"])
    assert f"python -m ingest explain --run {run} --methods received" in at.main.code[0].value
    wall.clicks["head_peaks"] = actions.Done("maps", 2, 2)
    assert not at.run().exception


def test_a_network_without_cls_is_shown_by_what_patches_receive(db, open_page, wall):
    run = bare_run(db, "received", prefix_tokens=0)
    at = open_page("heads", run=run)
    assert not at.exception
    assert "Mass on the CLS token" not in at.selectbox(key="statistic").options
    assert "the attention that each patch receives" in texts(at)
    assert "padding counts too" in html(at)
    assert all(item["src"].startswith("data:") for item in wall.items["head_peaks"])
    assert len(wall.items["heads_alike"]) == LAYERS * HEADS - 1
    at.selectbox(key="statistic").set_value("entropy").run()
    assert "the attention of the average patch" in texts(at)


def test_a_smaller_network_takes_no_head_that_it_has_not(db, open_page, wall):
    with connection.writing(db) as con:
        small = write.add_run(con, 1, database.run_record(layers=1, heads=1, size=112))
        numbers = HeadStats(np.array([1, 2]), np.zeros(2, int), np.zeros(2, int), {"peak": np.array([0.5, 0.25])})
        write.add_results(con, small, Results(np.array([1, 2]), head_stats=[numbers]))
    at = open_page("heads", run=1, head_layer=2, head_number=1)
    at.selectbox(key="run").set_value(small).run()
    assert not at.exception
    assert points(at) == {(0, 0): 0.375}
    assert "Layer 0 · head 0" in html(at)


def test_images_without_numbers_are_a_sentence(db, open_page, wall):
    with connection.writing(db) as con:
        con.execute("DELETE FROM head_stat WHERE image_id = 5")
    at = open_page("heads", f="year:1503..1503")
    assert not at.exception
    assert "no such numbers of these images" in at.main.info[0].value


def test_an_empty_database_has_nothing_to_show(empty_db, open_page):
    at = open_page("heads")
    assert not at.exception and at.title[0].value == "Nothing to show yet"
