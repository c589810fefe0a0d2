"""Where a patch lies in the original: checked by what the network's input really shows."""

import numpy as np
import pytest
from PIL import Image

from ingest.vision.geometry import FITS, Frame, InputRule, fit_image
from tests.support.pictures import noise

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
RULE = InputRule(224, 256, *IMAGENET, patch=14)
ODD = InputRule(384, 384, *IMAGENET, patch=14, interpolation="bilinear")  # 27 patches and 6 pixels in none

SIZES = {
    "landscape": (701, 400),
    "portrait": (333, 500),
    "square": (512, 512),
    "tiny": (5, 3),
    "large": (3001, 2003),
    "wide": (2500, 60),
    "tall": (17, 900),
}


def planted(width, height, box):
    picture = Image.new("RGB", (width, height))
    picture.paste((255, 255, 255), box)
    return picture


def patch_means(array, frame, patch):
    seen = array[: frame.rows * patch, : frame.cols * patch, 0].astype(float)
    return seen.reshape(frame.rows, patch, frame.cols, patch).mean((1, 3))


def overlap(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


@pytest.mark.parametrize("rule", [RULE, ODD], ids=["patches fill the square", "pixels left over"])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_brightest_patch_lies_on_the_planted_square(size, fit, rule):
    width, height = size
    # On a black ground, also where the picture is padded.
    rule = InputRule(rule.size, rule.resize, (0, 0, 0), rule.std, patch=rule.patch, interpolation=rule.interpolation)
    random = np.random.default_rng(width)
    seen = 0
    for attempt in range(12):
        side = min(width, height, 1 + max(width, height) // int(random.integers(12, 40)))
        left, top = int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1))
        if attempt % 2:  # near the middle, or a crop of a long strip would never meet one
            left, top = (left + 3 * (width - side)) // 7, (top + 3 * (height - side)) // 7
        box = (left, top, left + side, top + side)
        array, frame = fit_image(planted(width, height, box), rule, fit)
        means = patch_means(array, frame, rule.patch)
        if means.max() < 2:  # cut away
            assert overlap((frame.x0, frame.y0, frame.x1, frame.y1), box) <= 0.02 * side**2
            continue
        seen += 1
        row, col = np.unravel_index(means.argmax(), means.shape)
        x0, y0, x1, y1 = frame.cell_box(row, col)
        reach = 1 if x1 - x0 < 1 else 0  # an enlarging filter carries the light to the neighbouring pixel
        assert overlap((x0 - reach, y0 - reach, x1 + reach, y1 + reach), box) > 0
    assert seen >= (1 if fit in ("crop", "model") else 12)


@pytest.mark.parametrize("rule", [RULE, ODD], ids=["patches fill the square", "pixels left over"])
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(701, 400), (333, 500), (1777, 1500)])
def test_frame_is_exact_below_a_pixel(size, fit, rule):
    """The centre of mass of a square's light, carried back through the Frame, is the centre of the square."""
    width, height = size
    rule = InputRule(rule.size, rule.resize, (0, 0, 0), rule.std, patch=rule.patch, interpolation="bilinear")
    random = np.random.default_rng(1)
    for _ in range(8):
        left, top = width // 2 + int(random.integers(-90, 50)), height // 2 + int(random.integers(-90, 50))
        array, frame = fit_image(planted(width, height, (left, top, left + 40, top + 40)), rule, fit)
        light = array[:, :, 0].astype(float)
        across = (np.arange(light.shape[1]) + 0.5) @ light.sum(0) / light.sum()
        down = (np.arange(light.shape[0]) + 0.5) @ light.sum(1) / light.sum()
        x = frame.x0 + across * (frame.x1 - frame.x0) / (frame.cols * rule.patch)
        y = frame.y0 + down * (frame.y1 - frame.y0) / (frame.rows * rule.patch)
        assert (x, y) == pytest.approx((left + 20, top + 20), abs=0.05)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos"])
@pytest.mark.parametrize("size", [*SIZES.values(), (256, 256), (500, 333), (224, 224), (100, 7)])
def test_crop_is_what_the_models_own_processor_makes(size, interpolation):
    rule = InputRule(224, 256, *IMAGENET, patch=16, interpolation=interpolation)
    picture = noise(*size)
    width, height = size
    short, long = min(size), max(size)
    resized = (256, int(256 * long / short)) if width <= height else (int(256 * long / short), 256)
    left, top = (resized[0] - 224) // 2, (resized[1] - 224) // 2
    whole = picture.resize(resized, Image.Resampling[interpolation.upper()])
    expected = np.asarray(whole.crop((left, top, left + 224, top + 224))).astype(int)
    array, frame = fit_image(picture, rule)
    assert array.shape == (224, 224, 3) and array.dtype == np.uint8
    assert np.abs(array - expected).max() <= (2 if short < 256 else 1)  # enlarged, both passes may round otherwise
    assert frame.x0 == pytest.approx(left * width / resized[0])
    assert frame.y1 == pytest.approx((top + 224) * height / resized[1])


def test_a_transformers_processor_agrees():
    processing = pytest.importorskip("transformers.models.bit.image_processing_pil_bit")
    processor = processing.BitImageProcessorPil(
        size={"shortest_edge": 256}, do_rescale=False, do_normalize=False, image_mean=None, image_std=None
    )
    picture = noise(701, 400)
    expected = np.asarray(processor(picture)["pixel_values"][0]).transpose(1, 2, 0)
    assert np.abs(fit_image(picture, RULE)[0] - expected.astype(int)).max() <= 1


def test_stretch_shows_the_whole_picture():
    array, frame = fit_image(noise(701, 400), RULE, "stretch")
    assert frame == Frame(0, 0, 701, 400, 16, 16)
    assert array.shape == (224, 224, 3)


@pytest.mark.parametrize(("width", "height"), [(448, 224), (224, 448), (701, 400)])
def test_pad_is_centred_on_a_ground_of_zero(width, height):
    array, frame = fit_image(Image.new("RGB", (width, height), "white"), RULE, "pad")
    normalised = (array / 255 - RULE.mean) / RULE.std
    cells = frame.picture_cells(width, height)
    ground = np.abs(normalised).max(-1) < 0.01
    assert ground[0, 0] == (width != height) and not ground[112, 112]
    for row in range(frame.rows):
        for col in range(frame.cols):
            middle = ground[row * 14 + 7, col * 14 + 7]
            assert cells[row, col] == (not middle)
    # The picture sits in the middle to within the rounding of one pixel of the input.
    scale = max(width, height) / 224
    assert abs((frame.x0 + frame.x1) - width) <= scale + 1e-9
    assert abs((frame.y0 + frame.y1) - height) <= scale + 1e-9


def test_padding_never_counts_as_picture():
    _, frame = fit_image(noise(448, 224), RULE, "pad")
    assert frame == Frame(0, -112, 448, 336, 16, 16)
    expected = np.zeros((16, 16), bool)
    expected[4:12] = True
    assert np.array_equal(frame.picture_cells(448, 224), expected)


def test_the_centre_of_a_patch_decides():
    # Centres at -1, 0, 1 and 2, in a picture from 0 to 2.
    assert Frame(-1.5, 0, 2.5, 1, 1, 4).picture_cells(2, 1).tolist() == [[False, True, True, False]]
    # A picture too thin to hold a centre still has its patch.
    assert Frame(0, -111, 4000, 113, 1, 3).picture_cells(4000, 1).tolist() == [[True, True, True]]
    assert Frame(0, -111, 4000, 113, 2, 1).picture_cells(4000, 1).sum() == 1


@pytest.mark.parametrize("fit", ["crop", "stretch", "aspect"])
def test_without_padding_every_patch_is_picture(fit):
    for size in SIZES.values():
        _, frame = fit_image(noise(*size), RULE, fit)
        assert frame.picture_cells(*size).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 1), (2, 1)])
def test_extreme_shapes(size, fit):
    array, frame = fit_image(Image.new("RGB", size, "white"), RULE, fit)
    assert array.shape == (14 * frame.rows, 14 * frame.cols, 3)
    assert array.max() == 255
    assert frame.x1 > frame.x0 and frame.y1 > frame.y0
    assert frame.picture_cells(*size).any()
    if fit in ("crop", "model"):
        assert frame.x0 >= 0 and frame.y0 >= 0 and frame.x1 <= size[0] and frame.y1 <= size[1]


def test_size_replaces_the_side_and_keeps_the_margin():
    _, usual = fit_image(noise(600, 600), RULE)
    array, frame = fit_image(noise(600, 600), RULE, size=448)
    assert array.shape == (448, 448, 3)
    assert (frame.rows, frame.cols) == (32, 32)
    assert (frame.x0, frame.x1) == pytest.approx((usual.x0, usual.x1))


@pytest.mark.parametrize("size", [0, -14, 13, 225])
def test_size_that_does_not_suit_the_patch(size):
    with pytest.raises(ValueError, match=r"multiple of this model's patch of 14 pixels.*try \d+ or \d+"):
        fit_image(noise(50, 50), RULE, size=size)


def test_unknown_fit_names_the_known_ones():
    with pytest.raises(ValueError, match="crop, stretch, pad, aspect, not 'squeeze'"):
        fit_image(noise(50, 50), RULE, "squeeze")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"resize": 200}, "resize must be at least size"),
        ({"patch": 300}, "cannot hold a patch"),
        ({"interpolation": "cubic"}, "bicubic"),
    ],
)
def test_rules_that_cannot_be(fields, message):
    good = {"size": 224, "resize": 256, "mean": (0, 0, 0), "std": (1, 1, 1), "patch": 14}
    with pytest.raises(ValueError, match=message):
        InputRule(**(good | fields))


def test_grey_pictures_are_taken_and_left_as_they_are():
    picture = Image.new("L", (50, 40), 77)
    array, _ = fit_image(picture, RULE)
    assert array.shape == (224, 224, 3) and (array == 77).all()
    assert picture.mode == "L" and picture.size == (50, 40)


def test_cells_tile_the_frame():
    frame = Frame(-10.5, 3.25, 100.1, 59.7, 5, 8)
    assert frame.cell_box(0, 0)[:2] == (-10.5, 3.25)
    assert frame.cell_box(4, 7)[2:] == (100.1, 59.7)
    for row in range(5):
        for col in range(8):
            x0, y0, _, _ = frame.cell_box(row, col)
            if col:
                assert frame.cell_box(row, col - 1)[2] == x0
            if row:
                assert frame.cell_box(row - 1, col)[3] == y0


def test_cells_outside():
    frame = Frame(10, 20, 30, 60, 4, 2)
    for cell in [(-1, 0), (4, 0), (0, -1), (0, 2)]:
        with pytest.raises(IndexError, match="4 × 2"):
            frame.cell_box(*cell)
