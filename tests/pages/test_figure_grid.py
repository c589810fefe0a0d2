"""The figure for print: that what is drawn is right, in its place and its colour, and that its files are what print needs."""

import base64
import io
import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from dashboard.drawing.figure import grid as grids
from dashboard.drawing.figure import lines, plan, sheet
from dashboard.drawing.figure.plan import Cell, Grid, Row
from dashboard.drawing.figure.scales import on_scale
from dashboard.drawing.figure.sheet import INCH, Bitmap, Words
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.views.figure.caption import number
from ingest.vision.colour_maps import colour_table
from ingest.vision.geometry import Frame
from store.maps import AttentionMaps, no_heads

STYLE = MapStyle(opacity=1.0)  # so that a patch's colour is that of the table
CAPTION = "Attention maps of two pictures, run 7; Dürer’s Löwe ≥ 3 ×. " * 6
XLINK = "{http://www.w3.org/1999/xlink}href"


def cell(weights: np.ndarray, size: tuple[int, int] = (300, 200)) -> Cell:
    rows, cols = weights.shape
    maps = AttentionMaps(weights[None].astype(np.float32), np.array([0]), no_heads(1), unit="uniform", titles=("Map",))
    return Cell(maps, Scene(Image.new("RGB", size, (90, 90, 90)), size, Frame(0, 0, *size, rows, cols)))


def hot(row: int, col: int, peak: float = 4.0, shape: tuple[int, int] = (4, 6)) -> np.ndarray:
    """A map with one patch of `peak`."""
    weights = np.zeros(shape)
    weights[row, col] = peak
    return weights


def figure(*maps: list[np.ndarray], size: tuple[int, int] = (300, 200), **more) -> Grid:
    """A figure of these maps, one list a picture."""
    photo = Image.new("RGB", size, (90, 90, 90))
    rows = tuple(
        Row(f"Picture {place}", photo, tuple(cell(one, size) for one in line)) for place, line in enumerate(maps)
    )
    names = tuple(f"Layer {place}" for place in range(len(maps[0])))
    given = {"style": STYLE, "number": number, "unit": "Times uniform.", "caption": CAPTION, "paper": "column"} | more
    return Grid(rows, names, **given)


def panels(made: sheet.Sheet) -> list[Bitmap]:
    return [bitmap for bitmap in made.bitmaps if "-map-" in bitmap.name]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def patch_colours(made: sheet.Sheet, printed: np.ndarray, bitmap: Bitmap, shape=(4, 6)) -> np.ndarray:
    """The colours (rows, cols, 3) in the middle of each patch of a panel, read back from the printed pixels."""
    rows, cols = shape
    left, top, wide, high = (edge * made.dpi / INCH for edge in (bitmap.x, bitmap.y, bitmap.width, bitmap.height))
    ys = [int(top + (row + 0.5) * high / rows) for row in range(rows)]
    xs = [int(left + (col + 0.5) * wide / cols) for col in range(cols)]
    return printed[np.ix_(ys, xs)]


def read_back(grid: Grid) -> list[np.ndarray]:
    made = grids.sheet(grid, 120)
    printed = pixels(sheet.png(made))
    return [
        patch_colours(made, printed, bitmap, shape) for bitmap, shape in zip(panels(made), shapes(grid), strict=True)
    ]


def shapes(grid: Grid) -> list[tuple[int, int]]:
    return [one.maps.grid for row in grid.rows for one in row.cells]


def test_a_long_caption_gives_way_to_the_maps_and_is_whole_beside_them():
    grid = figure([hot(0, 0)] * 2, [hot(1, 1)] * 2, size=(200, 150))
    words = "A sentence of the caption. "
    bare = plan.measures(replace(grid, captioned=False))
    for times, fits in ((100, ""), (150, "small"), (300, "cut")):
        long = replace(grid, caption=words * times)
        width, height, tallest = plan.measures(long)
        assert plan.caption_fits(long) == fits and height <= tallest + 0.1 and width >= 0.69 * bare[0]
    printed = [item.text for item in grids.sheet(long).items if isinstance(item, Words)]
    assert printed[-1].endswith(f" {plan.CUT}") and grids.sheet(long).caption == words * 300


def test_a_planted_patch_is_printed_in_its_place_and_nowhere_else():
    low, high = colour_table("inferno")[[0, 255]]
    for found, (row, col) in zip(read_back(figure([hot(0, 0), hot(3, 5)], [hot(1, 4), hot(2, 0)])),
                                 [(0, 0), (3, 5), (1, 4), (2, 0)], strict=True):  # fmt: skip
        assert np.array_equal(found[row, col], high)
        assert (np.delete(found.reshape(-1, 3), row * 6 + col, axis=0) == low).all()


def test_grids_of_other_shapes_stand_in_one_figure():
    tall = figure([hot(4, 1, shape=(5, 2))], size=(100, 260))
    wide = figure([hot(1, 1)])
    both = replace(wide, rows=(*wide.rows, *tall.rows))
    first, second = read_back(both)
    assert np.array_equal(first[1, 1], second[4, 1])
    one, other = panels(grids.sheet(both))
    assert one.width / one.height == pytest.approx(1.5, rel=0.01)
    assert other.width / other.height == pytest.approx(100 / 260, rel=0.01)


@pytest.mark.parametrize(
    ("scale", "alike"),
    [("figure", {(0, 1), (0, 2), (0, 3)}), ("row", {(0, 1), (2, 3)}), ("column", {(0, 2), (1, 3)}), ("panel", set())],
)
def test_equal_values_have_equal_colours_just_where_maps_share_a_scale(scale, alike):
    peaks = [3.0, 4.0, 5.0, 6.0]  # each map has a patch of 2 beside its peak
    maps = [hot(0, 0, peak) + hot(2, 3, 2.0) for peak in peaks]
    found = [colours[2, 3] for colours in read_back(figure(maps[:2], maps[2:], scale=scale))]
    for one in range(4):
        for other in range(one + 1, 4):
            same = np.array_equal(found[one], found[other])
            assert same == (scale == "figure" or (one, other) in alike), (one, other)


def test_the_fixed_scale_is_that_of_every_figure():
    (one,), (other,) = (read_back(figure([hot(1, 1, 4.0) + hot(0, 5, peak)], scale="absolute")) for peak in (5.0, 80.0))
    assert np.array_equal(one[1, 1], other[1, 1])
    assert np.array_equal(one[1, 1], colour_table("inferno")[round(255 * 4 / 8)])


def test_padding_has_no_say_in_a_scale_and_an_outlier_need_not_have():
    cells = np.ones((10, 20), bool)
    cells[0] = False
    weights = np.tile(np.arange(20.0), (10, 1))
    weights[0, 0], weights[5, 5] = 1000.0, 500.0
    ((one,),) = on_scale([[(weights, cells)]], "figure")
    assert (one.low, one.high) == (0, 500)
    ((one,),) = on_scale([[(weights, cells)]], "figure", clip=True)
    assert one.high == 19 and one.values[5, 5] == 1
    ((flat,),) = on_scale([[(np.full((2, 2), 0.3), np.ones((2, 2), bool))]], "panel")
    assert (flat.values == 0).all()


def test_a_map_that_is_missing_says_why_in_its_place_and_leaves_the_others():
    grid = figure([hot(0, 0), hot(1, 1)])
    cells = (Cell(problem="There are maps of layers 0 to 2 only."), grid.rows[0].cells[1])
    made = grids.sheet(replace(grid, rows=(replace(grid.rows[0], cells=cells),)))
    words = " ".join(item.text for item in made.items if isinstance(item, Words))
    assert "There are maps of layers 0 to 2 only." in words and len(panels(made)) == 1


@pytest.mark.parametrize(("paper", "size"), [("column", 85), ("columns", 175), ("page", (210, 297))])
def test_pdf_is_a_page_of_its_size_with_words_and_embedded_fonts(paper, size):
    data = sheet.pdf(grids.sheet(figure([hot(0, 0)], [hot(1, 1)], size=(200, 300), paper=paper)))
    (page,) = pypdfium2.PdfDocument(data)
    width, height = (edge / 72 * 25.4 for edge in page.get_size())
    assert width == pytest.approx(size[0] if paper == "page" else size, abs=0.1)
    if paper == "page":
        assert height == pytest.approx(size[1], abs=0.1)
    text = " ".join(page.get_textpage().get_text_range().split())
    assert " ".join(CAPTION.split()) in text and "Picture 1" in text and "Layer 0" in text
    assert b"/FontFile2" in data and b"/Type3" not in data


def test_a_broad_figure_turns_the_page_on_its_side():
    made = grids.sheet(figure([hot(0, 0)] * 8, paper="page"))
    assert (made.width, made.height) == (297, 210)


def test_many_pictures_fit_on_the_page_and_nothing_leaves_it():
    for paper in plan.WIDTHS:
        many = figure(*[[hot(0, 0)] * 3] * 8, paper=paper, letters="panels", scale="panel")
        made = grids.sheet(many, 60)
        assert made.height == pytest.approx(min(plan.measures(many)[2], made.height), abs=0.1)
        for item in made.items:
            wide = lines.width(item.text, item.points, item.bold) if isinstance(item, Words) else item.width
            left = item.x - wide if isinstance(item, Words) and item.anchor == "end" else item.x
            assert left > -0.1 and (left + wide <= made.width + 0.1 or getattr(item, "anchor", "") == "middle")
            assert 0 < item.y < made.height


def test_svg_embeds_no_more_pixels_than_print_has_photos_as_jpeg_maps_as_png():
    made = grids.sheet(figure([hot(0, 0), hot(1, 1)], size=(3000, 2000)))
    root = ElementTree.fromstring(sheet.svg(made))
    images = root.findall(".//{http://www.w3.org/2000/svg}image")
    kinds = []
    for image in images:
        kind, data = re.fullmatch(r"data:image/(\w+);base64,(.*)", image.get(XLINK)).groups()
        with Image.open(io.BytesIO(base64.b64decode(data))) as opened:
            assert opened.format.lower() == kind
            for pixels_of, edge in zip(opened.size, ("width", "height"), strict=True):
                assert pixels_of <= float(image.get(edge)) / INCH * 300 + 0.01
        kinds.append(kind)
    assert kinds == ["jpeg", "png", "png", "png"]  # the picture, two maps, the bar
    assert " ".join(CAPTION.split())[:60] in " ".join("".join(root.itertext()).split())


def test_linked_svg_has_every_file_that_it_names():
    data = sheet.linked_svg(grids.sheet(figure([hot(0, 0)], [hot(1, 1)])), "fig")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        root = ElementTree.fromstring(archive.read("fig/fig.svg"))
        named = {image.get(XLINK) for image in root.findall(".//{http://www.w3.org/2000/svg}image")}
        there = {name.removeprefix("fig/") for name in archive.namelist()}
        assert len(named) == 5 and named == {name for name in there if name.startswith("bitmaps/")}
        assert archive.read("fig/caption.txt").decode() == CAPTION


def test_png_says_300_dpi_and_is_as_wide_as_the_paper():
    image = Image.open(io.BytesIO(sheet.png(grids.sheet(figure([hot(0, 0)])))))
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert image.width == round(85 / 25.4 * 300)


@pytest.mark.parametrize("title", ["$\\frac{$ <b>&amp; ]]>", "nul \x00 \ud800", "Rindfleischetikettierung" * 20, ""])
def test_no_title_breaks_a_figure_and_a_long_one_is_wrapped(title):
    grid = figure([hot(0, 0)], paper="column", letters="rows", caption=title)
    grid = replace(grid, rows=(replace(grid.rows[0], title=title),), columns=(title or "x",))
    made = grids.sheet(grid)
    ElementTree.fromstring(sheet.svg(made))
    assert pixels(sheet.png(made)).shape[2] == 3 and sheet.pdf(made)
    widths = [item.x + lines.width(item.text, item.points) for item in made.items if isinstance(item, Words)]
    assert max(widths) <= made.width


def test_letters_count_pictures_or_panels():
    def found(letters: str) -> list[str]:
        made = grids.sheet(figure([hot(0, 0)], [hot(0, 1)], letters=letters))
        return re.findall(r"\([a-z]+\)", " ".join(item.text for item in made.items if isinstance(item, Words)))

    assert found("none") == []
    assert found("rows") == ["(a)", "(b)"]
    assert found("panels") == ["(a)", "(b)", "(c)", "(d)"]  # the picture itself is one
    assert [plan.letter(place) for place in (0, 25, 26, 51, 52)] == ["(a)", "(z)", "(aa)", "(az)", "(ba)"]
