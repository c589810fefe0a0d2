"""The page of two groups: what it compares, what it finds where something is planted, and what it says otherwise."""

import base64
import io
import re
from datetime import date

import numpy as np
import pytest
from PIL import Image

from dashboard.compute import contrast
from dashboard.data import cache
from dashboard.views.aggregate import comparison
from store import connection, write
from store.records import FrameRecord, ImageRecord, Results
from tests.pages import database
from tests.support.maps import stored_maps
from tests.support.pages import choose

ROWS, COLS, LAYERS, HEADS = 5, 4, 2, 2
PLANTED = (4, 1)  # the patch that portraits draw attention to, in layer 1
FIGURE = re.compile(r'<figure><img[^>]*src="data:image/jpeg;base64,([^"]+)"[^>]*alt="([^"]*)".*?</figure>', re.DOTALL)


def facts(number: int) -> dict:
    """Every second picture is a portrait; a year for all but the last, a date, a length and a title of its own."""
    known = {"title": f"No. {number}", "genre": "portrait" if number % 2 else "landscape", "year": 1600 + 10 * number}
    if number == 29:
        known.pop("year")
    return known | {"seen": date(2001, 1, 1 + number % 28).isoformat(), "length": 0.5 + number / 8}


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, shade, shade)).save(file, "JPEG")
    return file.getvalue()


def plant(path, count: int = 30, fit: str = "crop") -> list[int]:
    """A database of invented pictures whose maps are noise, but for one patch in layer 1; returns the image ids."""
    random = np.random.default_rng(3)
    with connection.writing(path) as con:
        collection = write.add_collection(con, "planted", "/nowhere")
        records = [
            ImageRecord(f"{n}.jpg", f"{n:064d}", 640, 480, 1, 0.0, facts(n), jpeg(8 * n), 32, 24) for n in range(count)
        ]
        ids = list(write.add_images(con, collection, records).values())
        run = write.add_run(con, collection, database.run_record(layers=LAYERS, heads=HEADS, fit=fit))
        image, layer, head = (part.ravel() for part in np.meshgrid(ids, range(LAYERS), range(HEADS), indexing="ij"))
        weights = random.dirichlet(np.full(ROWS * COLS, 3.0), len(image)).astype(np.float32)
        portrait = np.isin(image, ids[1::2]) & (layer == 1)
        weights[portrait, PLANTED[0] * COLS + PLANTED[1]] += 0.2
        depths = random.dirichlet(np.full(ROWS * COLS, 3.0), count).astype(np.float32)
        maps = [
            stored_maps("cls", "", ROWS, COLS, image, layer, head, weights),
            stored_maps("rollout", "", ROWS, COLS, np.array(ids), np.ones(count, int), None, depths),
        ]
        frames = [FrameRecord(i, 80.0, 0.0, 560.0, 480.0, ROWS, COLS) for i in ids]
        write.add_results(con, run, Results(np.array(ids), frames=frames, maps=maps))
    return ids


@pytest.fixture
def planted(tmp_path, monkeypatch):
    path = tmp_path / "planted.duckdb"
    plant(path)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    return path


def panels(at) -> list[tuple[str, str, str, np.ndarray]]:
    """Title, note, alternative text and pixels of A, B and A minus B."""
    found = []
    for html in at.main.html:
        if match := FIGURE.search(html.value):
            title, note = re.search(r'<figcaption>(.*?)<span class="ba-note">(.*?)</span>', html.value).groups()
            pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(match[1]))))
            found.append((title, note, match[2], pixels))
    return found


def address(at, key: str) -> str:
    """The one word that the address says under this key."""
    value = at.query_params[key]
    return value if isinstance(value, str) else value[-1]


def texts(at) -> str:
    """All words of the page."""
    parts = [*at.main.markdown, *at.main.caption, *at.main.info, *at.main.warning]
    return " ".join([*(part.value for part in parts), *(html.value for html in at.main.html)])


# ---- the page ---------------------------------------------------------------------------------------------------


def test_finds_what_was_planted_and_where(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait", aggregate_layer=1)
    assert not at.exception
    (a, b, difference) = panels(at)
    assert (a[0], b[0], difference[0]) == ("A: genre portrait", "B: all other pictures", "A minus B")
    assert a[1].startswith("15 pictures · peak") and b[1].startswith("15 pictures · peak")
    assert "1 of 20 patches with p &lt; 0.05" in difference[1]
    assert "at the bottom left" in difference[2] and "where A has more" in difference[2]
    assert "**The groups differ** (p = 0.0005), in 1 of 20 patches" in texts(at)
    table = at.main.table[0].value
    assert table.iloc[1, 0] == f"Clearest difference, row {PLANTED[0]}, column {PLANTED[1]}"
    assert table.iloc[0, 1:3].tolist() == ["15", "15"] and table.iloc[1, 4] == "0.0005"
    assert float(table.iloc[2, 1].split("\u00a0")[0]) > float(table.iloc[2, 2].split("\u00a0")[0])  # lower down


def test_finds_nothing_where_nothing_is(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait", aggregate_layer=0)
    assert "No difference beyond chance" in texts(at) and "0 of 20 patches" in panels(at)[2][1]


def test_at_first_compares_the_commonest_value_with_all_others(planted, open_page):
    at = open_page("aggregate")
    assert not at.exception
    assert at.multiselect(key="aggregate_a").value == ["genre"]
    assert at.multiselect(key="aggregate_a_is_genre").value == ["landscape"]
    assert address(at, "aggregate_a") == "genre" and address(at, "aggregate_a_is_genre") == "landscape"
    assert panels(at)[0][0] == "A: genre landscape"


def test_ranges_of_years_and_several_columns(planted, open_page):
    at = open_page("aggregate", aggregate_b="year", aggregate_b_from_year=1700, aggregate_b_to_year=1800)
    choose(at, "aggregate_a", ["genre", "year"])
    choose(at, "aggregate_a_is_genre", ["portrait"])
    choose(at, "aggregate_a_to_year", 1750)
    assert not at.exception
    assert [part[0] for part in panels(at)[:2]] == [
        "A: genre portrait, year 1600 to 1750",
        "B: year 1700 to 1800, without A",
    ]
    assert [part[1].split(" ·")[0] for part in panels(at)[:2]] == ["8 pictures", "8 pictures"]
    assert "In both, and counted in A alone: 3 pictures." in texts(at)


@pytest.mark.parametrize(("column", "first"), [("seen", date(2001, 1, 1)), ("length", 0.5)])
def test_ranges_of_dates_and_fractions(planted, open_page, column, first):
    at = open_page("aggregate", aggregate_a=column)
    assert not at.exception and len(panels(at)) == 3
    key = f"aggregate_a_from_{column}"
    value = (at.date_input if column == "seen" else at.number_input)(key=key).value
    assert value == first and address(at, key) == str(first)
    again = open_page("aggregate", **{key: address(at, key) for key in at.query_params})
    assert panels(again)[0][:2] == panels(at)[0][:2]


def test_pictures_of_which_nothing_is_known_are_in_neither_group(planted, open_page):
    at = open_page("aggregate", aggregate_a="year", aggregate_a_to_year=1700)
    assert "does not say whether they belong to A: 1 picture." in texts(at)
    assert [part[1].split(" ·")[0] for part in panels(at)[:2]] == ["11 pictures", "18 pictures"]


def test_both_groups_come_from_what_the_filter_leaves(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait", f="year:1600..1700")
    assert not at.exception
    assert "**11** of 30 pictures: both groups come from these alone" in texts(at)
    assert [note.partition(" · ")[0] for _, note, _, _ in panels(at)][:2] == ["5 pictures", "6 pictures"]
    assert "Both groups are of 11 images with year 1600–1700." in texts(at)


def test_a_filter_that_leaves_pictures_without_metadata_is_a_sentence(planted, open_page):
    with connection.writing(planted) as con:
        write.set_metadata(con, 1, {"3.jpg": {}})
    at = open_page("aggregate", where="path = '3.jpg'")
    assert not at.exception and not panels(at)
    assert "there is none about these pictures. Remove a condition of the filter" in texts(at)


def test_a_link_reproduces_the_view(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre")
    bound = {
        "aggregate_layer": 0,
        "aggregate_head": "1",
        "aggregate_edges": "smooth",
        "aggregate_weights": "raw",
        "aggregate_unit": "share",
        "aggregate_seed": 5,
    }
    for key, value in (bound | {"aggregate_b": ["year"]}).items():
        choose(at, key, value)
    choose(at, "aggregate_b_to_year", 1860)
    fresh = open_page("aggregate", **{key: address(at, key) for key in at.query_params})
    assert [part[:3] for part in panels(fresh)] == [part[:3] for part in panels(at)]
    assert all(np.array_equal(one[3], other[3]) for one, other in zip(panels(at), panels(fresh), strict=True))
    for part in ("seed 5", "head 1", "year 1750 to 1860, without A", "Maps as the method gave them"):
        assert part in texts(at) and part in texts(fresh)


def test_a_column_that_is_given_up_leaves_the_address(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre", aggregate_b="year")
    assert "aggregate_b_from_year" in at.query_params
    choose(at, "aggregate_b", [])
    assert not [key for key in at.query_params if key.startswith("aggregate_b")]
    assert panels(at)[1][0] == "B: all other pictures"


def test_the_address_is_followed_when_it_changes(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait")
    at.query_params["aggregate_a_is_genre"] = "landscape"  # the browser's back button
    at.run()
    assert panels(at)[0][0] == "A: genre landscape"
    at.query_params["aggregate_method"] = "no such method"
    at.run()
    assert not at.exception and at.selectbox(key="aggregate_method").value == "cls"


@pytest.mark.parametrize(
    ("key", "value", "changes"),
    [
        ("aggregate_edges", "smooth", (True, True, True)),
        ("aggregate_behind", True, (True, True, False)),
        ("aggregate_only", True, (False, False, True)),
        ("aggregate_head", "max", (True, True, True)),
        ("aggregate_unit", "share", (False, False, False)),
        ("aggregate_weights", "raw", (True, True, True)),
    ],
)
def test_each_control_changes_what_it_should(planted, open_page, key, value, changes):
    at = open_page("aggregate", aggregate_a="genre", aggregate_layer=1)
    before = panels(at)
    choose(at, key, value)
    after = panels(at)
    assert not at.exception
    found = tuple(not np.array_equal(one[3], other[3]) for one, other in zip(before, after, strict=True))
    assert found == changes


def test_units_and_weights_are_said(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre")
    assert "Times uniform" in texts(at) and "Each map divided by its sum over the patches." in texts(at)
    choose(at, "aggregate_unit", "share")
    choose(at, "aggregate_weights", "raw")
    assert "Share of a token's attention" in texts(at).replace("&#x27;", "'")
    assert "Maps as the method gave them." in texts(at)


def test_rollout_has_depths_and_no_heads(planted, open_page):
    at = open_page("aggregate", aggregate_method="rollout", aggregate_a="genre")
    assert not at.exception and len(panels(at)) == 3
    assert at.selectbox(key="aggregate_layer").label == "Depth"
    assert at.selectbox(key="aggregate_layer").options == ["1"]
    assert "aggregate_head" not in [box.key for box in at.selectbox]


def test_says_what_the_maps_are(planted, open_page):
    at = open_page("aggregate", aggregate_a="genre", aggregate_layer=1)
    for part in (
        "Attention: CLS attention by head",
        "Layer 1, mean of all heads",
        "A = genre landscape (15 pictures); B = all other pictures (15 pictures)",
        "2,000 shuffles of the labels, seed 0",
        "corrected for 20 patches by the maximum statistic",
        "Tiny test network",
        "run 1 of planted",
        "in the frame of what the network saw, the centre of each picture",
    ):
        assert part in texts(at), part


def test_few_pictures_get_a_caution(db, open_page):
    at = open_page("aggregate", aggregate_a="artist", aggregate_a_is_artist="Katsushika Hokusai")
    assert not at.exception
    warnings = [warning.value for warning in at.main.warning]
    assert any("Group A holds only 2 pictures" in warning for warning in warnings)
    assert any("only 15 ways" in warning and "smaller than 0.067" in warning for warning in warnings)
    assert "all 15 divisions" in texts(at)


def test_a_group_of_none_is_a_sentence(planted, open_page):
    at = open_page("aggregate", aggregate_a="year", aggregate_a_from_year=2000, aggregate_a_to_year=2100)
    assert not at.exception and "Group A holds no pictures." in at.main.info[0].value
    at = open_page("aggregate", aggregate_a="genre", aggregate_b="genre", aggregate_b_is_genre="landscape")
    assert not at.exception and "Group B holds no pictures that are not in A." in at.main.info[0].value
    choose(at, "aggregate_b_is_genre", [])
    assert not at.exception and "Say which pictures" in at.main.info[0].value
    choose(at, "aggregate_a", [])
    assert not at.exception and "Say which pictures" in at.main.info[0].value


def test_pictures_without_maps_are_counted(planted, open_page):
    with connection.writing(planted) as con:
        con.execute("DELETE FROM stored_map WHERE image_id IN (1, 2, 3)")
        con.execute("UPDATE stored_map SET rows = 4, cols = 5 WHERE image_id = 4")
        con.execute("UPDATE stored_map SET scale = 0, minimum = 0 WHERE image_id IN (5, 6)")
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait")
    assert "Left out without such a map: 3 pictures." in texts(at)
    assert "The pictures have 2 grids" in texts(at) and "brought onto one of 5 × 5 patches" in texts(at)
    assert "Left out with an empty map: 2 pictures." in texts(at)
    assert [part[1].split(" ·")[0] for part in panels(at)[:2]] == ["13 pictures", "12 pictures"]
    with connection.writing(planted) as con:
        con.execute("DELETE FROM stored_map WHERE image_id % 2 = 0")
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait")
    assert not at.exception and "no such maps of one of the groups" in at.main.info[0].value


def test_without_maps_or_metadata_there_is_a_sentence(planted, open_page):
    with connection.writing(planted) as con:
        write.set_metadata(con, 1, {f"{n}.jpg": {} for n in range(30)})
    at = open_page("aggregate")
    assert not at.exception and "--metadata" in at.main.info[0].value
    with connection.writing(planted) as con:
        con.execute("DELETE FROM stored_map")
    at = open_page("aggregate")
    assert not at.exception and "no attention maps" in at.main.info[0].value


def test_an_empty_database_is_a_page(empty_db, open_page):
    at = open_page("aggregate")
    assert not at.exception and at.title[0].value == "Nothing to show yet"


def test_hostile_metadata_is_text(planted, open_page):
    harmful = '<img src=x onerror="alert(1)"> **bold** $x$'
    with connection.writing(planted) as con:
        write.set_metadata(con, 1, {f"{n}.jpg": {harmful: harmful if n % 3 else "plain"} for n in range(30)})
    at = open_page("aggregate")
    assert not at.exception and len(panels(at)) == 3
    assert "<img src=x" not in "".join(html.value for html in at.main.html)


def test_of_too_many_pictures_some_are_drawn_by_lot(planted, open_page, monkeypatch):
    monkeypatch.setattr(comparison, "HOLD", 36 * 20)  # the run says 84 pixels in patches of 14: a grid of 6 × 6
    at = open_page("aggregate", aggregate_a="genre", aggregate_a_is_genre="portrait", aggregate_layer=1)
    assert not at.exception
    assert [part[1].split(" ·")[0] for part in panels(at)[:2]] == ["10 pictures", "10 pictures"]
    assert "by lot" in texts(at) and "The groups differ" in texts(at)


def test_a_second_look_compares_nothing_again(planted, open_page, monkeypatch):
    compared = []
    real = contrast.contrast
    monkeypatch.setattr(contrast, "contrast", lambda *args: compared.append(1) or real(*args))
    at = open_page("aggregate", aggregate_a="genre", aggregate_layer=1)
    choose(at, "aggregate_edges", "smooth")
    assert len(compared) == 1
    choose(at, "aggregate_layer", 0)
    assert len(compared) == 2


def test_padded_runs_compare_pictures_only(tmp_path, monkeypatch, open_page):
    path = tmp_path / "padded.duckdb"
    plant(path, fit="pad")
    with connection.writing(path) as con:
        con.execute("UPDATE frame SET x0 = 0, x1 = 640, y0 = -80, y1 = 560")
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page("aggregate", aggregate_a="genre")
    assert not at.exception and "on a plain ground, which counts as 0" in texts(at)
    top, middle = (panels(at)[0][3][place].mean() for place in (slice(5, 60), slice(200, 400)))
    assert top < middle / 3


def test_the_maps_are_read_once_for_all_groups(planted, open_page, monkeypatch):
    asked = []
    real = cache.group_maps
    monkeypatch.setattr(cache, "group_maps", lambda *args: asked.append(args[1]) or real(*args))
    at = open_page("aggregate", aggregate_a="genre")
    choose(at, "aggregate_a_is_genre", ["portrait"])
    assert len(asked) == 2 and np.array_equal(asked[0], asked[1]) and len(asked[0]) == 30


def test_a_run_without_maps_offers_to_make_them(db, open_page):
    with connection.writing(db) as con:
        con.execute("DELETE FROM stored_map")
    at = open_page("aggregate", run=1)
    assert not at.exception and "holds no attention maps" in at.info[0].value
    assert at.button(key="aggregate_start").label == "Make them"
    assert "explain --run 1 --methods cls,rollout" in at.main.code[0].value
