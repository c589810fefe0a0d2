"""Layouts and clusters of the map in a real browser: links, flights, axes, names, and a selection that stays."""

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard.data import layouts
from dashboard.data.layouts import LayoutOptions
from ingest import clusters
from store import connection, search, write
from tests.browser.conftest import address_of, idle
from tests.browser.picture_map import HARMFUL, PictureMap, drawer, plant, project
from tests.pages import database
from tests.pages.test_map import unpacked

pytestmark = pytest.mark.browser
NAMES = tuple(sorted(path.name for path in database.PAINTINGS.glob("*.jpg")))
LINKS = {
    "umap": "projection=UMAP",
    "tsne": "projection=t-SNE",
    "grid": "layout=grid",
    "time": "layout=time&layout_by=year",
    "groups": "layout=groups&layout_by=artist",
}


@pytest.fixture(scope="module")
def paintings_db(tmp_path_factory):
    """The sample paintings with planted layouts: Japan's lie together, the Netherlands' together, the others about."""
    path = tmp_path_factory.mktemp("layouts") / "planted.duckdb"
    facts, random = database.metadata(), np.random.default_rng(0)
    middle = {"Japan": (0.0, 0.0), "Netherlands": (12.0, 0.0)}
    xy = [
        np.array(middle.get(facts[name]["country"], (6 + 4 * random.normal(), 9 + 2 * random.normal())))
        + 0.6 * random.normal(size=2)
        for name in NAMES
    ]
    japan = {name: fact | {"country": HARMFUL} for name, fact in facts.items() if fact["country"] == "Japan"}
    plant(path, NAMES, np.array(xy), japan)
    with connection.reading(path) as con:
        features = search.features(con, 1)
    clusters.make(path, 1, *features, log=lambda line: None)
    return path


@pytest.fixture
def map_address(paintings_db, show) -> str:
    return f"{show(paintings_db)}/map"


def outlined(page) -> float:
    """How many pixels the outlines take from left to right."""
    return page.locator(".map .outlines").evaluate(
        "canvas => { const { width, height } = canvas, { data } = canvas.getContext('2d').getImageData(0, 0, width, height);"
        " let [low, high] = [width, 0]; for (let at = 3; at < data.length; at += 4) if (data[at] > 128) {"
        " const x = ((at - 3) / 4) % width; low = Math.min(low, x); high = Math.max(high, x); } return high - low; }"
    )


def choose(page, label: str, option: str) -> None:
    """Picks an option of a list on the page."""
    with drawer(page, "map_layout"):
        page.get_by_role("combobox", name=label).last.click()
        page.get_by_role("option", name=option, exact=True).click()
        idle(page)


def some(canvas: PictureMap) -> list[int]:
    """The ids of what is selected, a few of them."""
    return sorted(int(number) for number in canvas.root.get_attribute("data-some").split(",") if number)


@pytest.mark.slow
def test_each_layout_opens_by_its_link_and_looks_different(open_page, map_address):
    seen, page = {}, open_page(map_address)
    for name, query in LINKS.items():
        page.goto(f"{map_address}?{query}")
        idle(page)
        canvas = PictureMap(page)
        assert canvas["drawn"] == len(NAMES)
        axis, blocks = page.locator(".map .axis"), page.locator(".map .block")
        assert axis.is_visible() == (name == "time")
        assert blocks.count() == {"time": 1, "groups": 12}.get(name, 0)
        seen[name] = page.locator(".map .stage").screenshot()
    assert len(set(seen.values())) == len(LINKS)


def test_pictures_fly_to_another_layout_and_the_selection_goes_with_them(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    page.get_by_role("button", name="Select with a box").click()
    canvas.draw(((-2.5, 2.5), (2.5, -2.5)))
    idle(page)
    chosen = some(canvas)
    assert len(chosen) == canvas["selected"] == 9
    for label, option in (("Layout", "time line"), ("Layout", "groups"), ("By", "country"), ("Layout", "grid")):
        page.evaluate(
            "() => { window.moved = []; const seek = r => { for (const e of r.querySelectorAll('*')) {"
            " if (e.classList?.contains('map')) new MutationObserver(() => window.moved.push(e.dataset.moving))"
            ".observe(e, {attributes: true}); if (e.shadowRoot) seek(e.shadowRoot); } }; seek(document); }"
        )
        choose(page, label, option)
        page.wait_for_function("() => window.moved.includes('1') && window.moved.at(-1) === '0'")
        idle(page)
        canvas.still()
        assert some(canvas) == chosen, option
    assert "layout=grid" in address_of(page)
    project(page, "t-SNE")
    idle(page)
    canvas.still()
    assert some(canvas) == chosen and "layout=grid" in address_of(page)


def test_a_picture_lies_where_its_year_says_on_the_axis(open_page, map_address, paintings_db):
    page = open_page(f"{map_address}?layout=time&layout_by=year")
    canvas = PictureMap(page)
    marks = page.locator(".map .axis .mark").evaluate_all("all => all.map(e => [Number(e.textContent), e.style.left])")
    years, places = zip(*((year, float(left.removesuffix("px"))) for year, left in marks), strict=True)
    assert len(years) >= 3
    points = unpacked_points(layouts.points(paintings_db, 1, LayoutOptions("time", "year")))
    box = canvas.stage.bounding_box()
    for name, title in (("leonardo-mona-lisa-1503.jpg", "Mona Lisa"), ("arcimboldo-spring-1573.jpg", "Spring")):
        year = database.metadata()[name]["year"]
        x = np.interp(year, years, places) if years[0] <= year <= years[-1] else None
        assert x is not None
        number = points["ids"].tolist().index(NAMES.index(name) + 1)
        page.mouse.move(box["x"] + x, canvas.place(0, float(points["y"][number]))[1])
        expect(page.locator(".map .card .title")).to_have_text(title)
    # Nearer, the axis tells more and still the truth.
    before = canvas.place(float(points["x"][number]), float(points["y"][number]))
    page.mouse.move(*before)
    for _ in range(4):
        page.mouse.wheel(0, -240)
    canvas.still()
    marks = page.locator(".map .axis .mark").evaluate_all("all => all.map(e => [Number(e.textContent), e.style.left])")
    closer, there = zip(*((year, float(left.removesuffix("px"))) for year, left in marks), strict=True)
    assert np.diff(closer).max() < np.diff(years).max()
    slope, start = np.polyfit(closer, there, 1)
    assert start + slope * 1573 == pytest.approx(before[0] - box["x"], abs=3)


@pytest.fixture(scope="module")
def pile(tmp_path_factory):
    """Eight paintings of which five lie at one place, and as t-SNE all eight."""
    path = tmp_path_factory.mktemp("pile") / "pile.duckdb"
    xy = np.array([[0, 0]] * 5 + [[4, 0], [0, 3], [4, 3]], dtype=float)
    plant(path, NAMES[:8], xy, {})
    with connection.writing(path) as con:
        write.add_projection(con, 1, "tsne", {"planted": True}, np.arange(1, 9), np.zeros((8, 2)))
    return path


@pytest.fixture
def pile_address(pile, show) -> str:
    return f"{show(pile)}/map"


def test_a_pile_is_counted_and_selected_as_a_whole(open_page, pile_address):
    page = open_page(pile_address)
    canvas = PictureMap(page)
    page.mouse.move(*canvas.place(0, 0))
    expect(page.locator(".map .card .stack")).to_have_text("5 pictures at this very place: a click selects them all")
    for _ in range(6):
        page.mouse.wheel(0, -240)
    canvas.still()
    canvas.click(0, 0)
    idle(page)
    assert some(canvas) == [1, 2, 3, 4, 5]
    expect(page.get_by_text("5 of 8 pictures")).to_be_visible()
    page.get_by_role("button", name="The whole map").click()
    canvas.still()
    page.keyboard.down("Shift")
    canvas.click(4, 0)
    idle(page)
    assert some(canvas) == [1, 2, 3, 4, 5, 6]
    canvas.click(0, 0)
    page.keyboard.up("Shift")
    idle(page)
    assert some(canvas) == [6]
    page.mouse.move(*canvas.place(4, 3))
    expect(page.locator(".map .card .stack")).to_have_text("")


@pytest.mark.slow
def test_a_map_with_everything_at_one_place_is_drawn(open_page, pile_address):
    page = open_page(f"{pile_address}?projection=t-SNE")
    canvas = PictureMap(page)
    assert canvas["drawn"] == 8 and canvas["scale"] > 0
    canvas.click(0, 0)
    idle(page)
    assert canvas["selected"] == 8
    choose(page, "Layout", "grid")
    idle(page)
    canvas.still()
    assert canvas["drawn"] == 8 and canvas["selected"] == 8


def unpacked_points(data: bytes) -> dict[str, np.ndarray]:
    """Ids and places without the notes at the end."""
    return unpacked(data[: data.rindex(b'{"cell"')])


def test_what_has_no_year_stands_apart_under_its_name(open_page, map_address):
    page = open_page(f"{map_address}?layout=time&layout_by=year")
    canvas = PictureMap(page)
    block = page.locator(".map .block")
    expect(block).to_have_text("3without a date")
    right = canvas.stage.bounding_box()
    box = block.bounding_box()
    assert right["x"] < box["x"] and box["x"] + box["width"] <= right["x"] + right["width"]


def test_blocks_carry_their_names_and_counts(open_page, map_address):
    page = open_page(f"{map_address}?layout=groups&layout_by=country")
    PictureMap(page)
    texts = page.locator(".map .block .name").all_inner_texts()
    assert HARMFUL in texts and "Netherlands" in texts  # as text, not as a picture
    expect(page.locator(".map .block img")).to_have_count(0)
    boxes = [block.bounding_box() for block in page.locator(".map .block:visible").all()]
    assert not any(meet(one, other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_clusters_are_outlined_named_and_can_be_chosen(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    expect(page.locator(".map .label")).to_have_count(0)
    with drawer(page, "map_layout"):
        page.get_by_text("Clusters", exact=True).click()
    labels = page.locator(".map .label")
    expect(labels.first).to_be_visible()
    idle(page)
    assert "clusters=true" in address_of(page)
    assert labels.count() >= 2
    texts = labels.locator(".name").all_inner_texts()
    assert any(text.startswith(HARMFUL[:20]) for text in texts), texts
    dutch = labels.filter(has_text="Netherlands").first
    count = int(dutch.locator(".count").inner_text().split()[0])
    dutch.click()
    idle(page)
    assert canvas["selected"] == count >= 7
    page.get_by_role("button", name="The whole map (0)").click()  # beside the panel, with all of the outlines
    canvas.still()
    page.mouse.move(*canvas.place(canvas["x"], canvas["y"]))
    canvas.still()
    before, zoom = outlined(page), canvas["zoom"]
    page.mouse.wheel(0, 150)
    canvas.still()
    after = outlined(page)
    assert canvas["zoom"] < 0.9 * zoom
    assert after / before == pytest.approx(canvas["zoom"] / zoom, rel=0.03)


def test_labels_never_cover_each_other(open_page, map_address):
    page = open_page(f"{map_address}?clusters=true", width=800)
    PictureMap(page)
    expect(page.locator(".map .label:visible").first).to_be_visible()
    boxes = [label.bounding_box() for label in page.locator(".map .label:visible").all()]
    assert not any(meet(one, other) for place, one in enumerate(boxes) for other in boxes[:place])


@pytest.mark.parametrize(("width", "corner"), [(1400, "tools"), (800, "tools"), (800, "mini")])
def test_a_label_makes_way_for_what_lies_above_it(open_page, map_address, width, corner):
    page = open_page(f"{map_address}?clusters=true", width=width)
    canvas = PictureMap(page)
    if corner == "mini":
        page.get_by_role("button", name="Closer (+)").click()
        canvas.still()
    labels, above = page.locator(".map .label:visible"), page.locator(f".map .{corner}")
    expect(labels.first).to_be_visible()
    here = (min if corner == "tools" else max)(map(middle, labels.all()), key=lambda place: place[1])
    there = middle(above)
    page.mouse.move(here[0], here[1] + 60)  # its cluster, for the label itself would be pressed
    page.mouse.down()
    page.mouse.move(there[0], there[1] + 60, steps=6)
    page.mouse.up()
    canvas.still()
    box = above.bounding_box()
    assert labels.count() and not any(meet(each.bounding_box(), box) for each in labels.all())


def middle(element) -> tuple[float, float]:
    """Of an element of the page, in pixels of the window."""
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def meet(one: dict, other: dict) -> bool:
    """Whether two boxes have a pixel in common."""
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size]
        for start, size in (("x", "width"), ("y", "height"))
    )


def test_a_label_works_from_the_keyboard_and_outlines_belong_to_the_projection(open_page, map_address):
    page = open_page(f"{map_address}?clusters=true")
    canvas = PictureMap(page)
    label = page.locator(".map .label").first
    expect(label).to_be_visible()
    label.focus()
    page.keyboard.press("Enter")
    idle(page)
    chosen = some(canvas)
    assert chosen
    choose(page, "Layout", "grid")
    idle(page)
    canvas.still()
    expect(page.locator(".map .label")).to_have_count(0)
    choose(page, "Layout", "as projected")
    idle(page)
    canvas.still()
    expect(label).to_be_visible()
    assert some(canvas) == chosen
