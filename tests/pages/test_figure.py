"""The figure for print: what it holds, and that nothing in a title can break it."""

import io
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from dashboard.drawing import figure
from dashboard.drawing.figure import ColourBar, Plate

LUT = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)
BAR = ColourBar(LUT, "0", "8 ×", "Times uniform attention", ((0.125, "1 ×"),))


def picture(seed: int, size: tuple[int, int] = (90, 60)) -> Image.Image:
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def plate(count: int = 4, columns: int = 2, title: str = "The Lion", caption: str = "Run 7.", **more) -> Plate:
    panels = tuple((f"Layer {n} · head 0", picture(n)) for n in range(count))
    return Plate(title, panels, columns, BAR, caption, **more)


def places(sheet: np.ndarray, part: np.ndarray) -> list[tuple[int, int]]:
    """Where (row, column) the pixels of `part` stand in `sheet`, exactly."""
    height, width = part.shape[:2]
    corners = np.argwhere((sheet[: len(sheet) - height, : sheet.shape[1] - width] == part[0, 0]).all(axis=2))
    return [(int(y), int(x)) for y, x in corners if np.array_equal(sheet[y : y + height, x : x + width], part)]


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def svg_of(data: bytes) -> tuple[ElementTree.Element, str]:
    root = ElementTree.fromstring(data)
    return root, " ".join(" ".join(root.itertext()).split())


@pytest.mark.parametrize(("count", "columns"), [(1, 4), (4, 2), (5, 3), (6, 1)])
def test_png_holds_each_panel_pixel_by_pixel_in_its_row_and_column(count, columns):
    drawn = plate(count, columns)
    sheet = pixels_of(figure.png(drawn))
    found = [places(sheet, np.asarray(panel)) for _, panel in drawn.panels]
    assert [len(spots) for spots in found] == [1] * count
    corners = [spots[0] for spots in found]
    used = min(count, columns)
    assert len({y for y, _ in corners}) == -(-count // used)
    assert len({x for _, x in corners}) == used
    assert corners == sorted(corners)  # reading order


def test_png_is_at_300_dpi_and_says_what_it_is():
    image = Image.open(io.BytesIO(figure.png(plate(title="Bär", caption="Where this is from."))))
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    assert image.info["Description"] == "Where this is from."
    assert image.info["Title"] == "Bär"


def test_original_stands_beside_the_panels_not_over_them():
    drawn = plate(original=Image.new("RGB", (300, 500), (1, 200, 3)), original_title="The picture")
    sheet = pixels_of(figure.png(drawn))
    green = np.argwhere((sheet == (1, 200, 3)).all(axis=2))
    for _, panel in drawn.panels:
        ((_, left),) = places(sheet, np.asarray(panel))
        assert green[:, 1].max() < left


def test_svg_has_titles_caption_bar_and_pictures():
    caption = "Attention of the CLS token, weights 3fa9c2d1, run 7, layers 0, 1, 2, 3, counted from 0, and then some."
    root, words = svg_of(figure.svg(plate(caption=caption)))
    assert root.tag.endswith("svg")
    for part in (caption, "The Lion", "Layer 3 · head 0", "Times uniform attention", "8 ×", "1 ×"):
        assert part in words
    assert len(root.findall(".//{http://www.w3.org/2000/svg}image")) == 4 + 1  # and the colour bar


@pytest.mark.parametrize(
    "title",
    ["$\\frac{$ and $x_1$", "<script>alert(1)</script> & ]]>", "nul \x00 and \x0b and \ud800", "神奈川沖浪裏", ""],
)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_no_title_breaks_a_figure(title):
    root, words = svg_of(figure.svg(plate(title=title, caption=title)))
    assert root.find(".//{http://www.w3.org/2000/svg}script") is None
    kept = "".join(letter for letter in title if letter.isprintable()).split()
    assert all(word in words for word in kept)
    assert pixels_of(figure.png(plate(title=title, caption=title))).shape[2] == 3


def test_long_captions_stay_on_the_sheet():
    sheet = pixels_of(figure.png(plate(caption="a caption that goes on " * 40)))
    ink = np.argwhere((sheet < 128).all(axis=2))
    assert ink[:, 1].max() < sheet.shape[1] - 20
    assert ink[:, 0].max() < sheet.shape[0] - 20


def test_figures_drawn_at_once_are_those_drawn_one_by_one():
    plates = [plate(n % 3 + 1, title=f"Number {n}") for n in range(8)]
    alone = [figure.png(one) for one in plates]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(figure.png, plates)) == alone


def test_without_panels_there_is_no_figure():
    with pytest.raises(ValueError, match="at least one panel"):
        figure.png(plate(0))
