"""A map is drawn on the pixels that the network saw, to the pixel, and nowhere else."""

import numpy as np
import pytest
from PIL import Image

from ingest.vision.geometry import FITS, Frame, InputRule, fit_image
from ingest.vision.overlay import ABSOLUTE_RANGE, SCALES, overlay, scale_values, threshold_mass

# Values can be read back from the drawing: the red channel is the value, on a picture without red.
RED = np.stack([np.arange(256), np.zeros(256), np.zeros(256)], axis=1).astype(np.uint8)
GROUND = (0, 100, 0)

# Frame, size of the original, size of the picture drawn on.
SCENES = {
    "whole": (Frame(0, 0, 600, 400, 4, 6), (600, 400), (600, 400)),
    "crop": (Frame(93.75, 25.5, 506.25, 374.5, 7, 5), (600, 400), (600, 400)),
    "smaller copy": (Frame(93.75, 25.5, 506.25, 374.5, 7, 5), (600, 400), (211, 141)),
    "larger copy": (Frame(10.2, 3.1, 57.9, 38.8, 3, 9), (60, 40), (613, 407)),
    "padded": (Frame(0, -113.3, 500, 386.7, 8, 8), (500, 273), (250, 137)),
    "padded at the sides": (Frame(-60, 0, 160, 220, 5, 11), (100, 220), (100, 220)),
}
scenes = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)


def drawn(scene, values, **options):
    """What `overlay` drew: the red channel in 0..1."""
    frame, original, size = scene
    options = {"opacity": 1, "dim": 0} | options
    result = overlay(Image.new("RGB", size, GROUND), values, frame, original, RED, **options)
    assert result.size == size and result.mode == "RGB"
    return np.asarray(result)[:, :, 0] / 255


def pixels_of(box, scene):
    """bool (height, width): pixels of the picture whose centre lies in a box of the original."""
    _, (width, height), size = scene
    xs = (np.arange(size[0]) + 0.5) * width / size[0]
    ys = (np.arange(size[1]) + 0.5) * height / size[1]
    return np.outer((ys >= box[1]) & (ys < box[3]), (xs >= box[0]) & (xs < box[2]))


@scenes
def test_flat_patches_cover_their_box_and_nothing_else(scene):
    frame = scene[0]
    for row in range(frame.rows):
        for col in range(frame.cols):
            values = np.zeros((frame.rows, frame.cols))
            values[row, col] = 1
            expected = pixels_of(frame.cell_box(row, col), scene)
            assert np.array_equal(drawn(scene, values, smooth=False) == 1, expected)
            assert (drawn(scene, values, smooth=False)[~expected] == 0).all()


@scenes
def test_smooth_maximum_lies_in_its_patch(scene):
    frame = scene[0]
    for row, col in np.argwhere(frame.picture_cells(*scene[1])):
        values = np.zeros((frame.rows, frame.cols))
        values[row, col] = 1
        red = drawn(scene, values)
        box = frame.cell_box(row, col)
        brightest = red == red.max()
        assert red.max() > 0.85
        assert not (brightest & ~pixels_of(box, scene)).any()
        # Gone at the centres of the neighbours.
        across, down = box[2] - box[0], box[3] - box[1]
        reached = pixels_of((box[0] - across / 2, box[1] - down / 2, box[2] + across / 2, box[3] + down / 2), scene)
        assert (red[~reached] == 0).all()


def test_smooth_drawing_is_linear_between_the_centres():
    scene = SCENES["crop"]
    frame = scene[0]
    down, across = np.meshgrid(np.linspace(0, 0.5, frame.rows), np.linspace(0, 0.5, frame.cols), indexing="ij")
    red = drawn(scene, down + across)
    x = (np.arange(600) + 0.5 - frame.x0) * frame.cols / (frame.x1 - frame.x0) - 0.5
    y = (np.arange(400) + 0.5 - frame.y0) * frame.rows / (frame.y1 - frame.y0) - 0.5
    expected = 0.5 * np.clip(y, 0, frame.rows - 1)[:, None] / (frame.rows - 1) + 0.5 * np.clip(x, 0, frame.cols - 1)[
        None
    ] / (frame.cols - 1)
    seen = pixels_of((frame.x0, frame.y0, frame.x1, frame.y1), scene)
    assert np.abs(red - expected)[seen].max() <= 0.51 / 255


@pytest.mark.parametrize("smooth", [True, False])
def test_padding_is_never_drawn_and_never_bleeds_in(smooth):
    frame = Frame(0, -112, 448, 336, 16, 16)  # 448 × 224, padded by four rows above and below
    values = np.where(frame.picture_cells(448, 224), 0.0, 1.0)
    red = drawn((frame, (448, 224), (448, 224)), values, smooth=smooth)
    assert (red == 0).all()
    assert (drawn((frame, (448, 224), (448, 224)), 1 - values, smooth=smooth) == 1).all()


def test_unseen_pixels_are_dimmed_and_only_those():
    frame, size = Frame(20, 0, 60, 40, 2, 2), (80, 40)
    picture = Image.new("RGB", size, (200, 200, 200))
    result = np.asarray(overlay(picture, np.ones((2, 2)), frame, size, RED, opacity=0.5, dim=0.25)).astype(int)
    assert (result[:, 20:60] == (228, 100, 100)).all()
    outside = np.concatenate([result[:, :20], result[:, 60:]], axis=1)
    assert (outside == 200 - 0.25 * (200 - 32)).all()
    # With nothing to draw and nothing to dim it is the picture.
    same = overlay(picture, np.ones((2, 2)), frame, size, RED, opacity=0, dim=0)
    assert np.array_equal(np.asarray(same), np.asarray(picture))


def test_masked_and_missing_patches_show_the_picture():
    frame, size = Frame(0, 0, 40, 40, 2, 2), (40, 40)
    picture = Image.new("RGB", size, (200, 200, 200))
    mask = np.array([[True, False], [True, True]])
    values = np.array([[1, 1], [1, np.nan]])
    result = np.asarray(overlay(picture, values, frame, size, RED, 1, smooth=False, mask=mask, dim=0.5)).astype(int)
    assert (result[:20, :20] == (255, 0, 0)).all() and (result[20:, :20] == (255, 0, 0)).all()
    assert (result[:, 20:] == 200 - 0.25 * (200 - 32)).all()


def test_a_mask_hides_but_does_not_change_the_map():
    scene = SCENES["crop"]
    values = np.random.default_rng(0).random((7, 5))
    mask = values > 0.4
    full, part = drawn(scene, values), drawn(scene, values, mask=mask)
    shown = part > 0
    assert shown.any() and np.array_equal(full[shown], part[shown])
    for row, col in np.argwhere(~mask):
        assert not (shown & pixels_of(scene[0].cell_box(row, col), scene)).any()


def test_a_missing_value_lends_nothing_to_its_neighbours():
    values = np.ones((7, 5))
    values[3, 2] = np.nan
    red = drawn(SCENES["crop"], values)
    hole = pixels_of(SCENES["crop"][0].cell_box(3, 2), SCENES["crop"])
    seen = pixels_of((93.75, 25.5, 506.25, 374.5), SCENES["crop"])
    assert (red[hole] == 0).all() and (red[seen & ~hole] == 1).all()


def test_the_picture_is_not_touched_and_grey_ones_are_taken():
    picture = Image.new("L", (30, 20), 90)
    result = overlay(picture, np.ones((2, 3)), Frame(0, 0, 30, 20, 2, 3), (30, 20), RED)
    assert picture.mode == "L" and picture.getextrema() == (90, 90)
    assert result.getpixel((0, 0)) == (189, 36, 36)


def test_a_frame_beside_the_picture_draws_nothing():
    scene = (Frame(100, 100, 200, 200, 2, 2), (50, 50), (50, 50))
    assert (drawn(scene, np.ones((2, 2))) == 0).all()


def test_shapes_that_do_not_fit():
    picture, frame = Image.new("RGB", (10, 10)), Frame(0, 0, 10, 10, 2, 5)
    with pytest.raises(ValueError, match=r"grid \(2, 5\), got \(5, 2\)"):
        overlay(picture, np.ones((5, 2)), frame, (10, 10), RED)
    with pytest.raises(ValueError, match="mask"):
        overlay(picture, np.ones((2, 5)), frame, (10, 10), RED, mask=np.ones((5, 2)))
    with pytest.raises(ValueError, match="colour table"):
        overlay(picture, np.ones((2, 5)), frame, (10, 10), RED[:255])


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(701, 400), (333, 500), (300, 300), (90, 700)])
def test_from_the_picture_through_the_input_and_back(size, fit):
    """A map made of what the network saw lights up the very place in a smaller copy of the picture."""
    rule = InputRule(224, 256, (0, 0, 0), (1, 1, 1), patch=14)
    random = np.random.default_rng(3)
    for _ in range(6):
        side = min(*size, 40)
        left, top = ((edge - side) // 2 + int(random.integers(-min(size) // 8, min(size) // 8)) for edge in size)
        left, top = min(max(left, 0), size[0] - side), min(max(top, 0), size[1] - side)
        picture = Image.new("RGB", size)
        picture.paste("white", (left, top, left + side, top + side))
        array, frame = fit_image(picture, rule, fit)
        values = array[:, :, 0].reshape(frame.rows, 14, frame.cols, 14).mean((1, 3))
        copy = tuple(round(edge * 0.37) for edge in size)
        red = drawn((frame, size, copy), values / values.max(), smooth=False)
        centre = [axis.mean() for axis in np.nonzero(red > 0.5)]
        cell = (frame.x1 - frame.x0) / frame.cols * 0.37, (frame.y1 - frame.y0) / frame.rows * 0.37
        assert abs(centre[1] - (left + side / 2) * 0.37) <= cell[0] / 2 + 1
        assert abs(centre[0] - (top + side / 2) * 0.37) <= cell[1] / 2 + 1


def test_scale_map_by_map():
    stack = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32) * [[[1]], [[10]], [[0.01]]]
    values, limits = scale_values(stack, "map")
    assert values.shape == stack.shape and values.dtype == np.float32
    assert values.min((1, 2)) == pytest.approx(0) and values.max((1, 2)) == pytest.approx(1)
    assert limits == pytest.approx(np.stack([stack.min((1, 2)), stack.max((1, 2))], axis=1), rel=1e-6)


def test_scale_shared_keeps_the_order_between_maps():
    stack = np.stack([np.full((2, 3), 0.1), np.full((2, 3), 0.3)])
    stack[0, 0, 0] = 0.05
    values, limits = scale_values(stack, "shared")
    assert limits == pytest.approx(np.array([[0.05, 0.3]] * 2))
    assert values[1] == pytest.approx(1) and values[0, 1, 1] == pytest.approx(0.2)


def test_scale_absolute_is_in_units_of_uniform_attention():
    uniform = np.full((1, 4, 8), 1 / 32)
    values, limits = scale_values(uniform * [[[1]], [[2]], [[100]]], "absolute")
    assert limits.tolist() == [list(ABSOLUTE_RANGE)] * 3
    assert values[0] == pytest.approx(1 / ABSOLUTE_RANGE[1])
    assert values[1] == pytest.approx(2 / ABSOLUTE_RANGE[1])
    assert (values[2] == 1).all()
    # Another grid, the same meaning.
    assert scale_values(np.full((1, 30, 40), 1 / 1200), "absolute")[0] == pytest.approx(1 / ABSOLUTE_RANGE[1])


@pytest.mark.parametrize("how", ["map", "shared"])
@pytest.mark.parametrize("value", [0, 0.25, -3])
def test_constant_maps_become_zero(how, value):
    rounding = np.full((2, 4, 4), value) * (1 + 1e-8 * np.arange(16).reshape(4, 4))
    with np.errstate(all="raise"):
        values, limits = scale_values(rounding, how)
    assert (values == 0).all()
    assert limits == pytest.approx(value)


def test_only_the_cells_that_count_set_the_limits():
    stack = np.full((2, 3, 3), 0.2)
    stack[:, 1, 1], stack[:, 0, 0], stack[1, 2, 2] = 0.4, 9, np.nan
    cells = np.ones((3, 3), bool)
    cells[0, 0] = False
    with np.errstate(all="raise"):
        values, limits = scale_values(stack, "map", cells)
    assert limits == pytest.approx(np.array([[0.2, 0.4]] * 2))
    assert values[0, 0, 0] == 1 and values[0, 1, 1] == 1 and values[0, 2, 1] == 0
    assert np.isnan(values[1, 2, 2]) and np.isfinite(values[0]).all()
    assert (scale_values(stack, "map", np.zeros((3, 3), bool))[0][0] == 0).all()


def test_unknown_scale_and_shape():
    assert list(SCALES) == ["map", "shared", "absolute"]
    with pytest.raises(ValueError, match="map, shared, absolute, not 'log'"):
        scale_values(np.ones((1, 2, 2)), "log")
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        scale_values(np.ones((2, 2)), "map")


def dino_mask(weights, share):
    """visualize_attention, step by step: sort upward, normalise, cumulate, keep what lies above 1 - share."""
    order = np.argsort(weights.ravel())
    cumulated = np.cumsum(weights.ravel()[order] / weights.sum())
    keep = np.zeros(weights.size, bool)
    keep[order] = cumulated > 1 - share
    return keep.reshape(weights.shape)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_mass_mask_is_that_of_dino(share):
    random = np.random.default_rng(5)
    for _ in range(20):
        weights = random.gamma(0.3, size=(9, 13))
        mask = threshold_mass(weights, share)
        assert np.array_equal(mask, dino_mask(weights, share))
        assert weights[mask].sum() >= share * weights.sum()
        assert weights[mask].sum() - weights[mask].min() < share * weights.sum()


def test_mass_mask_at_its_ends_and_with_ties():
    weights = np.array([[0.1] * 5, [0.1] * 5], np.float32)
    assert not threshold_mass(weights, 0).any()
    assert threshold_mass(weights, 1).all()
    ninths = np.full((3, 3), 1 / 9)  # their sums are rounded: 1/9 is already more than a ninth of the whole
    for count in range(1, 9):
        assert np.flatnonzero(threshold_mass(ninths, count / 9)).tolist() == list(range(count))
    weights[1, 4] = 0
    assert np.flatnonzero(~threshold_mass(weights, 1)).tolist() == [9]
    for nothing in (np.zeros((2, 3)), np.full((2, 3), np.nan)):
        for share in (0, 0.5, 1):
            assert not threshold_mass(nothing, share).any()


def test_mass_mask_within_cells():
    weights = np.array([[8.0, 1, 1], [1, 1, 1]])
    cells = np.array([[False, True, True], [True, True, True]])
    assert np.argwhere(threshold_mass(weights, 0.4, cells)).tolist() == [[0, 1], [0, 2]]
    with pytest.raises(ValueError, match="between 0 and 1, not 60"):
        threshold_mass(weights, 60)
