"""The canvas' JavaScript by itself: masks as text, and which pictures stand for which part of the plane."""

import base64
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from dashboard.components import canvas
from dashboard.data.layouts import packed
from store.atlas import Layout

pytestmark = pytest.mark.browser
NAMES = "encodeRanges, decodeRanges, unpacked, LevelOfDetail, nearer, between, viewOf, ticks, freeSpan"


@pytest.fixture(scope="module")
def javascript(browser):
    """Evaluates an expression with the modules' functions and an argument at hand."""
    page = browser.new_page()
    text = (
        f"{canvas.script(('ranges', 'camera', 'level_of_detail', 'layout', 'ticks', 'overlay'))}\nexport {{ {NAMES} }};"
    )
    address = f"data:text/javascript;base64,{base64.b64encode(text.encode()).decode()}"

    def evaluate(expression: str, given=None):
        return page.evaluate(
            f"async given => {{ const {{ {NAMES} }} = await import('{address}'); {expression} }}", given
        )

    yield evaluate
    page.close()


@pytest.mark.parametrize("n", [1, 127, 128, 129, 5000, 70_000])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_python_and_the_browser_write_and_read_the_same_masks(javascript, n, share):
    chosen = np.random.default_rng(n).random(n) < share
    text = canvas.ranges(chosen)
    script = (
        "const mask = decodeRanges(given.text, given.n); return [encodeRanges(mask), mask.reduce((a, b) => a + b, 0)];"
    )
    assert javascript(script, {"text": text, "n": n}) == [text, int(chosen.sum())]


def layout(n: int, seed: int = 0) -> Layout:
    random = np.random.default_rng(seed)
    xy = np.vstack([random.normal(0, 0.05, (n // 2, 2)), random.uniform(-3, 4, (n - n // 2, 2))]).astype(np.float32)
    random.shuffle(xy)
    sizes = random.integers(20, 900, (n, 2)).astype(np.int32)
    return Layout(1, np.arange(1, n + 1), xy, sizes, None, "", "v")


def load(made: Layout) -> str:
    return (
        "const bytes = Uint8Array.from(atob(given.packed), c => c.charCodeAt(0));"
        "const made = unpacked(bytes.buffer), levelOfDetail = new LevelOfDetail(made);"
        "levelOfDetail.emphasise(Uint8Array.from(given.emphasis)); const found = new Uint32Array(made.n);"
    )


def stand_for(made: Layout, emphasis: np.ndarray, depth: int) -> set[int]:
    """The first of the most emphasised in each square, the long way round."""
    low, extent = made.xy.min(0).astype(float), np.ptp(made.xy, axis=0).max().astype(float)
    cells = ((made.xy - low) * (65535 / extent)).astype(int) >> (16 - depth)
    best: dict[tuple, tuple] = {}
    for i, cell in enumerate(map(tuple, cells.tolist())):
        best[cell] = min(best.get(cell, (9, 0)), (-int(emphasis[i]), i))
    return {i for _, i in best.values()}


@pytest.mark.parametrize("emphasised", [False, True])
def test_one_picture_stands_for_each_square_and_more_of_them_further_in(javascript, emphasised):
    made = layout(1500)
    emphasis = np.random.default_rng(3).integers(0, 3, 1500) if emphasised else np.ones(1500, int)
    script = load(made) + (
        "return [0, 1, 2, 4, 6, 9, 17].map(depth => Array.from("
        "found.subarray(0, levelOfDetail.visible({x0: -9, y0: -9, x1: 9, y1: 9}, depth, found))));"
    )
    given = {"packed": base64.b64encode(packed(made)).decode(), "emphasis": emphasis.tolist()}
    shown = [set(found) for found in javascript(script, given)]
    for depth, found in zip((0, 1, 2, 4, 6, 9), shown, strict=False):
        assert found == stand_for(made, emphasis, depth)
    assert all(outer <= inner for outer, inner in pairwise(shown))
    assert shown[-1] == set(range(1500))


def test_only_what_lies_in_the_box_is_visible(javascript):
    made = layout(1500)
    script = load(made) + (
        "return Array.from(found.subarray(0, levelOfDetail.visible({x0: 0.5, y0: -1, x1: 2, y1: 0.25}, 17, found)));"
    )
    given = {"packed": base64.b64encode(packed(made)).decode(), "emphasis": [1] * 1500}
    x, y = made.xy.T
    inside = np.flatnonzero((x >= 0.5) & (x <= 2) & (y >= -1) & (y <= 0.25))
    assert sorted(javascript(script, given)) == inside.tolist()


def test_shapes_keep_their_ratio_and_a_scroll_is_held_to_three_sides(javascript):
    made = Layout(1, np.array([1, 2]), np.zeros((2, 2), np.float32), np.array([[300, 200], [4000, 100]]), None, "", "v")
    given = {"packed": base64.b64encode(packed(made)).decode(), "emphasis": [1, 1]}
    wide, high = javascript(load(made) + "return [Array.from(made.wide), Array.from(made.high)];", given)
    assert (wide[0] / high[0], wide[0] * high[0]) == pytest.approx((1.5, 1))
    assert (wide[1], wide[1] / high[1]) == pytest.approx((3, 40), rel=1e-4)


def test_coming_nearer_leaves_the_place_under_the_pointer_where_it_is(javascript):
    after = javascript("return nearer({x: 2, y: 3, scale: 10}, 4, 100, -50, 1, 1000);")
    # 100 pixels right and 50 up of the centre lay the point (12, 8).
    assert (after["scale"], (12 - after["x"]) * 40, (8 - after["y"]) * 40) == pytest.approx((40, 100, 50))
    assert javascript("return nearer({x: 2, y: 3, scale: 10}, 4, 0, 0, 1, 20).scale;") == 20
    middle = javascript("return between({x: 0, y: 0, scale: 1}, {x: 8, y: 4, scale: 16}, 0.5);")
    assert middle["scale"] == pytest.approx(4)
    assert middle["x"] == pytest.approx(8 * (1 - 1 / 4) / (1 - 1 / 16))


def marks(javascript, low: float, high: float, kind: str = "number", **view) -> list[dict]:
    """The marks of an axis from 0 to 100 that a window of 1,000 pixels shows."""
    axis = {"kind": kind, "low": low, "high": high, "x0": 0, "x1": 100 if high > low else 0}
    given = {"axis": axis, "view": {"x": 50, "y": 0, "scale": 10} | view}
    return javascript("return ticks(given.axis, given.view, 1000);", given)


@pytest.mark.parametrize(("low", "high"), [(1503, 1937), (0, 1), (-3.5, 12), (0, 2_500_000), (1890, 1892)])
def test_an_axis_has_round_numbers_where_they_belong(javascript, low, high):
    found = marks(javascript, low, high)
    values = np.array([float(mark["text"].replace(",", "")) for mark in found])
    assert 3 <= len(values) <= 15
    assert low <= values[0] and values[-1] <= high
    assert np.allclose(np.diff(values), values[1] - values[0])
    assert [mark["x"] for mark in found] == pytest.approx((values - low) / (high - low) * 1000, abs=0.01)
    assert np.diff([mark["x"] for mark in found]).min() >= 60


def test_a_closer_look_has_more_marks_and_only_those_in_view(javascript):
    found = marks(javascript, 1500, 1900, x=25, scale=100)  # ten units about 1600, which take 40 years
    values = [int(mark["text"]) for mark in found]
    assert values[0] == 1580 and values[-1] == 1620 and len(values) > 5
    assert found[values.index(1600)]["x"] == pytest.approx(500)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        ("1900-06-01", "1990-01-01", ["1910", "1950", "1990"]),
        ("1900-06-01", "1901-12-31", ["1900-07", "1901-01", "1901-11"]),
        ("1900-06-01", "1900-06-20", ["1900-06-01", "1900-06-11"]),
        ("0995-01-01", "1012-01-01", ["1000", "1010"]),
    ],
)
def test_dates_are_marked_by_years_months_or_days(javascript, low, high, texts):
    days = [date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal() for day in (low, high)]
    found = {mark["text"]: mark["x"] for mark in marks(javascript, *days, kind="date")}
    assert set(texts) <= set(found) and 2 <= len(found) <= 16
    for text, x in found.items():
        day = date(*(int(part) for part in [*text.split("-"), "1", "1"][:3]))
        expected = (day.toordinal() - date(1970, 1, 1).toordinal() - days[0]) / (days[1] - days[0]) * 1000
        assert x == pytest.approx(expected, abs=0.5)


def test_an_axis_of_one_value_has_that_mark(javascript):
    assert marks(javascript, 1850, 1850, x=0) == [{"x": 500, "text": "1850"}]


def test_a_name_takes_the_longest_part_of_its_line_that_nothing_covers(javascript):
    boxes = [{"x0": 40, "x1": 60}, {"x0": 150, "x1": 300}]
    assert javascript("return freeSpan(0, 200, given);", boxes) == [64, 146]
    assert javascript("return freeSpan(0, 200, given);", []) == [0, 200]
    start, end = javascript("return freeSpan(0, 200, given);", [{"x0": -10, "x1": 210}])
    assert end - start <= 0
