"""Maps of two groups: their measure, how they are drawn, and what is said of them."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dashboard.compute import contrast
from dashboard.drawing import figure
from dashboard.views.aggregate import figures, summary
from dashboard.views.aggregate.figures import Style, Unit
from ingest.vision.geometry import Frame

ROWS, COLS = 5, 4
UNIFORM = Unit(ROWS * COLS, "uniform", "Times uniform")


def two(shift: float = 0.0, seed: int = 0, count: int = 20) -> contrast.Contrast:
    random = np.random.default_rng(seed)
    a, b = (random.dirichlet(np.full(ROWS * COLS, 2.0), count).astype(np.float32) for _ in range(2))
    a[:, 0] += shift
    shape = (count, ROWS, COLS)
    return contrast.contrast(a.reshape(shape), b.reshape(shape), 200, 0)


def test_the_centre_of_a_map_is_where_its_mass_lies():
    maps = np.zeros((3, 4, 2), np.float32)
    maps[0, 0, 1] = 5
    maps[1] = 1
    maps[2, [0, 3], 0] = 0.5
    np.testing.assert_allclose(contrast.centres(maps), [[0.125, 0.75], [0.5, 0.5], [0.5, 0.25]])


def test_evened_maps_sum_to_one():
    maps = np.random.default_rng(0).random((3, 4, 2), dtype=np.float32)
    np.testing.assert_allclose(contrast.evened(maps).sum(axis=(1, 2)), 1, rtol=1e-6)


def test_padding_counts_as_nothing():
    frames = pd.DataFrame(
        {"x0": [0.0, -50.0], "y0": [-50.0, 0.0], "x1": [200.0, 150.0], "y1": [150.0, 200.0]}
        | {"width": [200, 100], "height": [100, 200]}
    )
    found = contrast.on_pictures(np.ones((2, 4, 4), np.float32), frames)
    assert found[0].sum(axis=1).tolist() == [0, 4, 4, 0] and found[1].sum(axis=0).tolist() == [0, 4, 4, 0]
    assert (found[0] > 0).tolist() == Frame(0, -50, 200, 150, 4, 4).picture_cells(200, 100).tolist()


def test_both_means_share_a_scale_and_the_difference_is_centred_on_zero():
    found = two(shift=0.3)
    drawn = figures.draw(found, ("these", "those"), UNIFORM, Style())
    lut, each = figures.diverging().astype(int), figures.canvas(ROWS, COLS)[0] // COLS
    a, b, difference = (np.asarray(panel.picture, int)[each // 2 :: each, each // 2 :: each] for panel in drawn.panels)
    means = np.stack([found.patches.mean_a, found.patches.mean_b]).reshape(2, ROWS, COLS)
    places = np.rint(255 * (means - means.min()) / np.ptp(means)).astype(int)
    assert np.abs(a - drawn.means.lut[places[0]].astype(int)).max() <= 2
    assert np.abs(b - drawn.means.lut[places[1]].astype(int)).max() <= 2
    reach = np.abs(found.patches.difference).max()
    expected = lut[np.rint(255 * (0.5 + found.grid(found.patches.difference) / (2 * reach))).astype(int)]
    assert np.abs(difference - expected).max() <= 4
    assert difference[0, 0, 0] > difference[0, 0, 2]  # red: A has more
    assert drawn.difference.low == UNIFORM.signed(-reach) and drawn.difference.high == UNIFORM.signed(reach)


def test_a_line_surrounds_the_patches_that_differ():
    found = two(shift=0.3)
    assert found.clear().tolist()[0][0] and found.clear().sum() == 1
    picture = np.asarray(figures.draw(found, ("a", "b"), UNIFORM, Style()).panels[2].picture)
    each = figures.canvas(ROWS, COLS)[0] // COLS
    dark = (picture < 40).all(axis=2)
    assert dark[1, : each - 1].all() and dark[: each - 1, each - 2].all()  # above and on the right of the first patch
    assert not dark[each + 1 :].any() and not dark[:, each + 1 :].any()


def test_only_patches_that_differ_are_coloured_if_asked_for():
    found = two(shift=0.3)
    picture = np.asarray(figures.draw(found, ("a", "b"), UNIFORM, Style(only_clear=True)).panels[2].picture, int)
    each = figures.canvas(ROWS, COLS)[0] // COLS
    rest = picture[each + 2 :]
    assert (rest.max(axis=2) == rest.min(axis=2)).all()


def test_the_average_picture_is_cut_to_what_the_network_saw():
    left = Image.new("RGB", (40, 20), (200, 0, 0))
    left.paste((0, 0, 200), (20, 0, 40, 20))
    file = io.BytesIO()
    left.save(file, "PNG")
    cut = figures.average([(file.getvalue(), (0.5, 0, 1, 1))], (8, 8))
    assert cut.size == (8, 8) and cut.getpixel((4, 4)) == (0, 0, 200)
    both = figures.average([(file.getvalue(), (0.5, 0, 1, 1)), (file.getvalue(), (0, 0, 0.5, 1))], (8, 8))
    assert both.getpixel((4, 4)) == (100, 0, 100)
    padded = figures.average([(file.getvalue(), (0, -0.5, 1, 1.5))], (8, 8))
    assert padded.getpixel((1, 0)) == figures.GROUND and padded.getpixel((1, 4)) == (200, 0, 0)


def test_the_printed_figure_has_both_scales_and_the_pixels_of_the_page():
    drawn = figures.draw(two(shift=0.3), ("portraits " * 9, "all other pictures"), UNIFORM, Style())
    plate = figures.plate("Two groups", "Run 1, permutation test.", drawn)
    assert [picture.tobytes() for _, picture in plate.panels] == [panel.picture.tobytes() for panel in drawn.panels]
    assert plate.bar.lut[0].tolist() == drawn.means.lut[0].tolist()
    assert plate.bar.lut[-1].tolist() == drawn.difference.lut[-1].tolist()
    assert plate.panels[0][0].endswith("…") and len(plate.panels[0][0]) < 40
    text = " ".join(figure.svg(plate).decode().split())  # no-break spaces too
    for part in ("Run 1, permutation test.", drawn.means.high, drawn.difference.low, "all other pictures"):
        assert part.replace("\u00a0", " ") in text
    assert figure.png(plate)[:4] == b"\x89PNG"


def test_the_csv_has_a_row_for_each_patch():
    found = two(shift=0.3)
    rows = list(csv.DictReader(io.StringIO(found.table().to_csv(index=False))))
    assert list(rows[0]) == ["row", "col", "mean_a", "mean_b", "difference", "p_corrected"]
    assert len(rows) == ROWS * COLS and [int(rows[5][key]) for key in ("row", "col")] == [1, 1]
    assert float(rows[0]["p_corrected"]) < 0.05 < min(float(row["p_corrected"]) for row in rows[1:])
    assert float(rows[7]["difference"]) == pytest.approx(float(rows[7]["mean_a"]) - float(rows[7]["mean_b"]))


@pytest.mark.parametrize(
    ("p", "words"), [(0.5, "0.50"), (0.0713, "0.071"), (0.0051, "0.0051"), (1 / 2001, "0.0005"), (1 / 10001, "0.0001")]
)
def test_p_has_the_digits_that_matter(p, words):
    assert summary.p_value(p) == words


def test_units_are_said():
    share = Unit(1, "share", "")
    assert UNIFORM.say(0.05) == "1.0\u00a0×" and UNIFORM.say(0.01) == "0.2\u00a0×" and UNIFORM.signed(-0.05)[0] == "−"
    assert share.say(0.25) == "25\u00a0%" and share.signed(0.02) == "+2\u00a0%" and share.signed(0) == "0\u00a0%"
    assert Unit(1, "score", "").say(0.01234) == "0.0123"
