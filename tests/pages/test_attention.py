"""The attention page: what its controls change, what it reads, and what it says where something is missing."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from dashboard import cache, figure, panels
from dashboard.panels import Look, Maps, Scene
from ingest.vision.geometry import Frame
from store import connection, write
from tests.pages import database

FIGURE = re.compile(r'<figure><img[^>]*src="data:image/jpeg;base64,([^"]+)"[^>]*alt="([^"]*)".*?</figure>', re.DOTALL)
HARMFUL = '<img src=x onerror="alert(1)"> & $x_1$ **bold**'


def sheet(at) -> str:
    """The HTML with the original and the grid of maps."""
    return next(html.value for html in at.main.html if "ba-maps" in html.value)


def pictures(at) -> list[np.ndarray]:
    """The original, then the maps, as the browser gets them."""
    found = FIGURE.findall(sheet(at))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data, _ in found]


def titles(at) -> list[str]:
    return re.findall(r"<figcaption>((?:Layer|Depth)[^<]*)", sheet(at))


def choose(at, key: str, *values):
    """Sets a segmented control, a multiselect or whatever has this key, and runs the page."""
    for widget in (*at.get("button_group"), *at.multiselect, *at.selectbox, *at.slider, *at.toggle):
        if widget.key == key:
            return widget.set_value(list(values) if widget in at.multiselect else values[0]).run()
    raise AssertionError(f"there is no control {key}")


@pytest.fixture
def page(db, open_page):
    at = open_page("attention", image=1)
    assert not at.exception
    return at


def test_shows_all_layers_and_heads_of_a_small_network_beside_the_original(page):
    assert titles(page) == [f"Layer {layer} · head {head}" for layer in range(3) for head in range(2)]
    assert len(pictures(page)) == 1 + 6
    assert page.title[0].value == "Attention"


def test_shows_only_the_chosen_layers_and_heads_and_reads_no_others(page, monkeypatch):
    asked = []
    real = cache.maps
    monkeypatch.setattr(cache, "maps", lambda *args: asked.append(args) or real(*args))
    choose(page, "layer", 2)
    choose(page, "head", 1)
    assert titles(page) == ["Layer 2 · head 1"]
    assert asked[-1] == (1, 1, "cls", "", (2,), (1,))


def test_nothing_chosen_is_a_sentence(page):
    choose(page, "layer")
    assert not page.exception
    assert "at least one layer" in page.main.info[0].value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edges", "smooth"),
        ("scale", "absolute"),
        ("scale", "shared"),
        ("opacity", 20),
        ("colours", "viridis"),
        ("mask", True),
    ],
)
def test_each_control_changes_the_maps_but_not_the_original(page, key, value):
    before = pictures(page)
    choose(page, key, value)
    after = pictures(page)
    assert np.array_equal(before[0], after[0])
    changed = [not np.array_equal(one, other) for one, other in zip(before[1:], after[1:], strict=True)]
    # A map that has both the least and the greatest weight of all looks the same on the shared scale.
    assert sum(changed) >= (5 if value == "shared" else 6)


def test_the_mask_keeps_fewer_patches_the_smaller_the_share(page):
    choose(page, "mask", True)

    def kept():
        return [int(number) for number in re.findall(r"(\d+) of 24 patches", sheet(page))]

    most = kept()
    choose(page, "share", 20)
    fewest = kept()
    assert len(fewest) == 6 and all(0 < few < many for few, many in zip(fewest, most, strict=True))
    assert "20\u00a0%" in sheet(page)


def test_the_mean_of_heads_is_one_map_a_layer(page):
    choose(page, "head_mean", True)
    assert titles(page) == [f"Layer {layer} · mean of 2 heads" for layer in range(3)]


def test_rollout_is_a_strip_over_the_depths(page):
    choose(page, "method", "rollout")
    assert titles(page) == ["Depth 0", "Depth 1", "Depth 2"]
    assert [select.key for select in page.multiselect] == ["layer"]


def test_a_link_reproduces_the_view(db, open_page):
    at = open_page("attention", image=2)
    for key, value in {"method": "rollout", "layer": 2, "scale": "absolute"}.items():
        choose(at, key, value)
    assert at.query_params["method"] == "rollout"
    linked = open_page("attention", image=2, method="rollout", layer=2, scale="absolute")
    shown = list(zip(pictures(at), pictures(linked), strict=True))
    assert len(shown) == 2 and all(np.array_equal(one, other) for one, other in shown)


def test_the_method_in_the_address_is_followed_until_another_is_picked(db, open_page):
    at = open_page("attention", image=2, method="rollout")
    assert titles(at) == ["Depth 0", "Depth 1", "Depth 2"]
    choose(at, "method", "cls")
    assert len(titles(at)) == 6 and "method" not in at.query_params
    at.query_params["method"] = "rollout"  # the browser's back button
    at.run()
    assert len(titles(at)) == 3
    at.query_params["method"] = "no such method"
    at.run()
    assert not at.exception and len(titles(at)) == 3


@pytest.mark.parametrize(
    ("scale", "words"),
    [("map", "own greatest weight"), ("shared", "colours can be compared"), ("absolute", "uniform attention")],
)
def test_the_legend_states_the_scale(page, scale, words):
    choose(page, "scale", scale)
    assert words in sheet(page)


def test_says_what_the_maps_are(page):
    said = next(html.value for html in page.main.html if "Network:" in html.value)
    for part in ("Attention: CLS attention by head", "A[l, h, CLS, patch]", "Tiny test network", "abababab", "run 1"):
        assert part in said


def test_a_cut_picture_is_dimmed_outside_and_says_how_much_was_seen(db, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE frame SET x0 = 200, x1 = 400 WHERE image_id = 1")
    at = open_page("attention", image=1)
    assert "The network saw the central 30\u00a0% of the picture" in sheet(at)  # 200 of 665 columns
    original = pictures(at)[0].astype(float)
    scale = original.shape[1] / 665
    whole = np.asarray(cache.picture(1)[0].resize(original.shape[1::-1]), float)
    outside, inside = slice(0, int(180 * scale)), slice(int(210 * scale), int(390 * scale))
    assert np.abs(original[:, inside] - whole[:, inside]).mean() < 8
    assert original[:, outside].mean() < 0.75 * whole[:, outside].mean()


def test_a_picture_seen_whole_says_so(page):
    assert "The network saw the whole picture" in sheet(page)


def test_without_the_original_file_the_thumbnail_stands_in(db, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
    at = open_page("attention", image=1)
    assert "this is its thumbnail" in sheet(at)
    assert len(pictures(at)) == 7


def test_without_any_picture_there_is_a_sentence(db, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
        con.execute("DELETE FROM thumbnail")
    at = open_page("attention", image=1)
    assert not at.exception
    assert "nothing to draw on" in at.main.error[0].value


def test_without_maps_there_is_a_sentence(db, open_page):
    with connection.writing(db) as con:
        con.execute("DELETE FROM stored_map WHERE image_id = 1")
    at = open_page("attention", image=1)
    assert not at.exception and "no such maps of this image" in at.main.info[0].value
    with connection.writing(db) as con:
        con.execute("DELETE FROM stored_map")
    at = open_page("attention", image=1)
    assert not at.exception and "no attention maps" in at.main.info[0].value


def test_without_head_statistics_the_maps_are_still_there(db, open_page):
    with connection.writing(db) as con:
        con.execute("DELETE FROM head_stat")
    at = open_page("attention", image=1)
    assert len(pictures(at)) == 7
    assert any("No numbers about the heads" in caption.value for caption in at.main.caption)


def test_an_empty_database_is_a_page(empty_db, open_page):
    at = open_page("attention")
    assert not at.exception
    assert at.title[0].value == "Nothing to show yet"


def test_hostile_titles_are_text(db, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": HARMFUL, "artist": HARMFUL}})
    at = open_page("attention", image=1)
    assert not at.exception
    assert "<img src=x" not in "".join(html.value for html in at.main.html)
    assert "&lt;img src=x onerror=" in sheet(at)


def test_the_closer_look_shows_the_numbers_of_one_head(db, page):
    choose(page, "closer", "Layer 1 · head 1")
    with connection.reading(db) as con:
        row = con.execute(
            "SELECT distance, entropy, mass_cls FROM head_stats WHERE image_id = 1 AND layer = 1 AND head = 1"
        ).fetchone()
    assert [metric.value for metric in page.metric] == [f"{row[0]:.0f} px", f"{row[1]:.2f} nats"]
    shares = next(html.value for html in page.main.html if "Where the CLS token looks" in html.value)
    assert "CLS token 10\u00a0%" in shares and "patches 90\u00a0%" in shares
    assert "registers" not in shares  # this network has none


def test_a_choice_survives_a_change_of_run_and_a_default_follows_it(db, open_page):
    with connection.writing(db) as con:
        ids = np.array([row[0] for row in con.execute("SELECT image_id FROM image ORDER BY 1").fetchall()])
        sizes = con.execute("SELECT width, height FROM image ORDER BY 1").fetchall()
        database.add_run(con, 1, ids, sizes, layers=12, weights_sha256="cd" * 32)
    at = open_page("attention", image=1, run=2)
    assert at.multiselect(key="layer").value == [0, 4, 7, 11]
    at.selectbox(key="run").set_value(1).run()
    assert at.multiselect(key="layer").value == [0, 1, 2]
    choose(at, "layer", 1)
    at.selectbox(key="run").set_value(2).run()
    assert at.multiselect(key="layer").value == [1]


# ---- drawing, without the page ------------------------------------------------------------------------------------


def scene(width: int = 600, height: int = 400) -> Scene:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Scene(Image.fromarray(pixels), (width, height), Frame(100, 0, 500, 400, 16, 16), "The Lion")


def grid(count: int = 16) -> Maps:
    weights = np.random.default_rng(2).dirichlet(np.full(256, 0.2), count).reshape(-1, 16, 16).astype(np.float32)
    heads = tuple(range(count))
    return Maps((0,) * count, heads, tuple(panels.title(0, head) for head in heads), weights)


def test_a_single_map_of_several_keeps_their_shared_scale():
    look = Look(scale="shared")
    every, _ = panels.draw(grid(), scene(), look)
    one, _ = panels.draw(grid(), scene(), look, only=5)
    assert one[0].picture.tobytes() == every[5].picture.tobytes()


def test_notes_say_peak_and_mass():
    weights = np.full((1, 16, 16), 0.5 / 256, np.float32)
    weights[0, 15, 0] += 0.25
    (panel,), _ = panels.draw(Maps((3,), (1,), ("Layer 3 · head 1",), weights), scene(), Look())
    assert panel.note == "peak ×64 · 75\u00a0% on patches"  # 256 · (0.25 + 0.5 / 256)
    assert panel.alt == "The Lion, layer 3 · head 1: the attention peaks at the bottom left of what the network saw."


def test_the_printed_figure_has_the_pixels_that_draw_gives():
    look, shown = Look(colours="magma", scale="shared", share=0.6), scene()
    plate = panels.plate("The Lion", "Dürer, 1494", grid(4), shown, look, 2, "Attention, run 1.")
    drawn, _ = panels.draw(grid(4), shown, look)
    assert [picture.tobytes() for _, picture in plate.panels] == [panel.picture.tobytes() for panel in drawn]
    for part in ("The Lion (Dürer, 1494)", "Attention, run 1.", "Scale: shared", "60\u00a0%", "magma", "flat square"):
        assert part in plate.caption
    text = " ".join(figure.svg(plate).decode().split())
    assert "Attention, run 1." in text


@pytest.mark.parametrize(("count", "wanted", "found"), [(12, 4, [0, 4, 7, 11]), (6, 4, [0, 2, 3, 5]), (2, 4, [0, 1])])
def test_spread_goes_from_the_first_to_the_last(count, wanted, found):
    assert panels.spread(count, wanted) == found


@pytest.mark.parametrize(
    ("frame", "fit", "said"),
    [
        (Frame(0, 0, 600, 400, 4, 4), "stretch", "squeezed into a square"),
        (Frame(0, -100, 600, 500, 4, 4), "pad", "on a ground of a plain colour"),
        (Frame(100, 0, 500, 400, 4, 4), "crop", "the central 67\u00a0%"),
    ],
)
def test_what_the_network_saw_is_said_in_a_sentence(frame, fit, said):
    assert said in panels.seen_sentence(Scene(Image.new("RGB", (60, 40)), (600, 400), frame), fit)


def test_padding_is_named_where_masses_leave_something_over():
    stats = {"mass_cls": 0.2, "mass_registers": 0.1, "mass_patches": 0.5}
    assert panels.masses(stats)[-1] == ("padding", pytest.approx(0.2))
    assert panels.masses(stats | {"mass_patches": 0.7})[-1] == ("padding", 0.0)
