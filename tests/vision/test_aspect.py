"""Whole pictures in their own shape: which grid, what the network sees, and that every method reads it right."""

import numpy as np
import pytest
import torch
from PIL import Image

from ingest.vision.attention import methods
from ingest.vision.backbones import BackboneError, load, tiny
from ingest.vision.embedding import alike, embed, observe
from ingest.vision.explaining import Asked, explain_pictures, suits
from ingest.vision.geometry import Frame, InputRule, aspect_grid, fit_image
from ingest.vision.targets import Bank, make_target
from ingest.vision.token_pca import patch_tokens
from tests.support.pictures import noise

RULE = InputRule(224, 256, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), patch=14)
RIGID = ("timm-beit", "timm-cait")  # networks with one grid


# ---- the grid ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 16, 196, 256, 1369])
def test_a_grid_keeps_the_budget_and_the_shape(budget):
    random = np.random.default_rng(budget)
    for width, height in random.integers(1, 4000, (400, 2)).tolist():
        rows, cols = aspect_grid(width, height, budget)
        assert rows >= 1 and cols >= 1 and rows * cols <= budget
        assert aspect_grid(height, width, budget) == (cols, rows)
        (short, long), (narrow, along) = sorted((width, height)), sorted((rows, cols))
        if long <= short * budget:
            # At the scale of the short side, the long one is off by half a patch at most.
            assert abs(along - narrow * long / short) <= 0.5


def test_what_the_docstring_promises_of_sixteen_by_sixteen():
    worst, fewest = 1.0, 256
    for long in range(1000, 3001):
        rows, cols = aspect_grid(long, 1000, 256)
        ratio = cols / rows * 1000 / long
        worst, fewest = max(worst, ratio, 1 / ratio), min(fewest, rows * cols)
    assert 1.02 < worst < 1.035
    assert fewest > 200


@pytest.mark.parametrize(
    ("size", "grid"),
    [((500, 500), (16, 16)), ((300, 200), (13, 19)), ((2000, 100), (3, 60)), ((100, 2000), (60, 3))],
)
def test_some_shapes(size, grid):
    assert aspect_grid(*size, 256) == grid


def test_a_hair_is_squeezed_into_the_budget():
    assert aspect_grid(4000, 1, 256) == (1, 256)
    assert aspect_grid(1, 4000, 256) == (256, 1)


def test_the_frame_is_the_picture_and_the_input_is_the_whole_of_it():
    picture = noise(701, 400)
    array, frame = fit_image(picture, RULE, "aspect")
    assert frame == Frame(0, 0, 701, 400, 12, 21)
    expected = np.asarray(picture.resize((21 * 14, 12 * 14), Image.Resampling.BICUBIC))
    assert np.abs(array.astype(int) - expected).max() <= 1


def test_size_sets_the_number_of_patches():
    _, frame = fit_image(noise(300, 200), RULE, "aspect", 448)
    assert (frame.rows, frame.cols) == aspect_grid(300, 200, 32 * 32) == (26, 39)


def test_a_smaller_copy_gets_the_grid_of_its_original():
    original, copy = noise(1037, 1000), noise(64, 62)
    assert fit_image(original, RULE, "aspect")[1] != fit_image(copy, RULE, "aspect")[1]
    _, frame = fit_image(copy, RULE, "aspect", original=original.size)
    assert frame == Frame(0, 0, 64, 62, *aspect_grid(1037, 1000, 256))


# ---- networks ----------------------------------------------------------------------------------------------------


def test_a_square_picture_gives_what_stretch_gives():
    backbone = load("tiny:dinov2-registers")
    pictures = [noise(90, 90, seed) for seed in range(3)]
    assert np.array_equal(embed(backbone, pictures, "aspect"), embed(backbone, pictures, "stretch"))


@pytest.mark.parametrize("name", [name for name in tiny.NAMES if name not in RIGID])
def test_positions_follow_the_shape_of_the_grid(name):
    """The same patches in the same order, in grids of other shapes: they differ by their positions alone."""
    backbone = load(f"tiny:{name}")
    backbone.check_fit("aspect")
    chance = torch.Generator().manual_seed(0)
    for key, parameter in backbone.network.module.named_parameters():
        if "pos" in key:  # some begin with 0
            parameter.data.copy_(torch.randn(parameter.shape, generator=chance))
        elif "gamma" in key:  # and some blocks with next to nothing
            parameter.data.fill_(1)
    side = backbone.patch
    patches = torch.randn(16, 3, side, side, generator=chance)

    def features(rows, cols):
        laid = patches.view(rows, cols, 3, side, side).permute(2, 0, 3, 1, 4).reshape(1, 3, rows * side, cols * side)
        return backbone.process(laid).features

    with torch.inference_mode():
        square, broad, tall = features(4, 4), features(2, 8), features(8, 2)
    scale = square.abs().max()
    assert (square - broad).abs().max() > 1e-4 * scale
    assert (tall - broad).abs().max() > 1e-4 * scale


@pytest.mark.parametrize("name", RIGID)
def test_a_network_of_one_grid_says_what_it_takes(name):
    backbone = load(f"tiny:{name}")
    side = backbone.rule.size
    with pytest.raises(BackboneError, match=rf"takes squares of {side} × {side} pixels alone.*crop, stretch or pad$"):
        embed(backbone, [noise(90, 60)], "aspect")
    backbone.check_fit("crop")


def test_pictures_of_many_shapes_give_together_what_each_gives_alone():
    backbone = load("tiny:vit")
    sizes = [(90, 60), (60, 90), (64, 64), (92, 61), (300, 30), (61, 92)]
    pictures = [noise(*size, seed) for seed, size in enumerate(sizes)]
    together = embed(backbone, pictures, "aspect")
    alone = np.concatenate([embed(backbone, [picture], "aspect") for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_alike_keeps_the_order_of_the_first():
    assert alike(["b", "a", "b", "c", "a"]) == [[0, 2], [1, 4], [3]]
    assert alike([]) == []


# ---- methods -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["dinov2-registers", "siglip"])
def network(request):
    return load(f"tiny:{request.param}")


def test_every_method_reads_a_broad_grid_as_it_reads_one_picture(network):
    pictures = torch.from_numpy(
        np.stack([fit_image(noise(120, 40, seed), network.rule, "aspect")[0] for seed in (1, 2)])
    )
    bank = Bank(np.arange(6), np.linalg.qr(np.random.default_rng(0).normal(size=(network.dim, 6)))[0].T.astype("f4"))
    target = make_target("neighbours:2", network, bank)
    asked = [Asked(key) for key, method in methods().items() if suits(method, network)]
    assert {"received", "rollout", "daam", "query"} <= {each.key for each in asked}
    for each in asked:
        what = target if each.method.needs_target else None
        both = explain_pictures(network, pictures, [each], what, statistics=what is None)
        assert (both.rows, both.cols) == (2, 6)
        assert both.maps[0].weights.shape[2] == 12
        for number in range(2):
            one = explain_pictures(network, pictures[number : number + 1], [each], what, statistics=what is None)
            torch.testing.assert_close(both.maps[0].weights[number], one.maps[0].weights[0], atol=1e-5, rtol=1e-4)
            for name, values in one.statistics.items():
                torch.testing.assert_close(both.statistics[name][number], values[0], atol=1e-4, rtol=1e-4)


def test_distances_are_those_between_patches_of_a_broad_grid():
    """Against the definition, with the rows of attention that the tap has seen, patch by patch."""
    backbone = load("tiny:vit")
    pixels, frame = fit_image(noise(120, 40), backbone.rule, "aspect")
    batch = torch.from_numpy(pixels[None].copy())
    with torch.inference_mode():
        _, capture = backbone.capture(backbone.pixels(batch))
        rows = torch.stack([call.rows()[0, :, 1:, 1:].clone() for call in capture.layers])
    places = np.array([(row, col) for row in range(frame.rows) for col in range(frame.cols)])
    apart = 14 * np.linalg.norm(places[:, None] - places[None], axis=-1)
    expected = (rows.numpy() * apart).sum(-1) / rows.numpy().sum(-1)
    found = observe(backbone, batch, ["cls"], statistics=True).statistics
    np.testing.assert_allclose(found["distance"][0], expected.mean(-1), rtol=1e-4)
    diagonal = np.hypot(frame.rows * 14, frame.cols * 14)
    np.testing.assert_allclose(found["distance_share"][0], expected.mean(-1) / diagonal, rtol=1e-4)


def test_the_tokens_of_parts_have_the_grid_of_the_picture():
    tokens, frame = patch_tokens(load("tiny:dinov2"), noise(120, 40), "aspect")
    assert tokens.shape[:2] == (frame.rows, frame.cols) == (2, 6)


def test_a_disc_at_the_rim_of_a_broad_picture_is_found(packaged):
    """In a picture of 3 : 1 the centre cut never meets it; the whole picture shows it, and attention is on it."""
    width, height, radius = 900, 300, 55
    y, x = np.mgrid[:height, :width] + 0.5
    pictures, discs = [], []
    for cx, cy in ((90, 90), (810, 210), (95, 220), (800, 80)):
        disc = (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
        ground = np.full((height, width, 3), (70, 80, 90), np.uint8)
        ground[disc] = (250, 235, 160)
        pictures.append(Image.fromarray(ground))
        discs.append(disc)
        _, cut = fit_image(pictures[-1], packaged.rule, "crop")
        assert not disc[:, int(cut.x0) : int(np.ceil(cut.x1))].any()
    fitted = [fit_image(picture, packaged.rule, "aspect") for picture in pictures]
    found = observe(packaged, torch.from_numpy(np.stack([pixels for pixels, _ in fitted])), ["cls"])
    late = found.maps[0].weights.view(4, 12, 6, -1)[:, 8:].mean((1, 2)).view(4, found.rows, found.cols)
    for weights, (_, frame), disc in zip(late, fitted, discs, strict=True):
        row, col = np.unravel_index(int(weights.argmax()), weights.shape)
        x0, y0, x1, y1 = frame.cell_box(row, col)
        assert disc[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))].any()
