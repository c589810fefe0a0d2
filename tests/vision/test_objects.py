"""Objects from keys: LOST and TokenCut against plain float64 loops, and planted ones found in their boxes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ingest.vision.backbones import BackboneError, load
from ingest.vision.details.crops import overlap
from ingest.vision.embedding import cells_of
from ingest.vision.geometry import Frame, fit_image
from ingest.vision.objects import METHODS, PatchKeys, object_settings, patch_keys, propose
from ingest.vision.objects.keys import outliers
from ingest.vision.objects.lost import lost
from ingest.vision.objects.tokencut import UNLIKE, bipartition, tokencut
from tests.support.objects import centred, scene
from tests.support.pictures import noise

GRIDS = [(5, 8), (9, 4), (1, 17), (16, 1)]


def random_keys(rows: int, cols: int, seed: int, common: float = 0.0) -> np.ndarray:
    """Keys float32 (rows * cols, 6) that hang together in space, with something in common if it is asked for."""
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(rows + 2, cols + 2, 6))
    smooth = sum(field[y : y + rows, x : x + cols] for y in range(3) for x in range(3))
    return (smooth.reshape(-1, 6) + common).astype(np.float32)


def around(cells: set, seed: tuple) -> set:
    """The cells that hang together with the seed by their sides."""
    found, waiting = {seed}, [seed]
    while waiting:
        row, col = waiting.pop()
        for near in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            if near in cells and near not in found:
                found.add(near)
                waiting.append(near)
    return found


def naive_lost(keys: np.ndarray, cells: np.ndarray, k: int) -> tuple[set, tuple] | None:
    places = [(row, col) for row in range(cells.shape[0]) for col in range(cells.shape[1]) if cells[row, col]]
    vectors = [[float(number) for number in key] for key in keys]
    product = lambda i, j: sum(a * b for a, b in zip(vectors[i], vectors[j], strict=True))  # noqa: E731
    every = range(len(places))
    degree = [sum(product(i, j) > 0 for j in every if j != i) for i in every]
    order = sorted(every, key=lambda i: (degree[i], i))
    seed = order[0]
    similar = [i for i in order[:k] if product(seed, i) > 0]
    chosen = {places[j] for j in every if sum(product(i, j) for i in similar) > 0}
    if len(chosen) in (0, len(places)):
        return None
    return around(chosen, places[seed]), places[seed]


def naive_tokencut(keys: np.ndarray, cells: np.ndarray, tau: float) -> tuple[set, tuple]:
    """By the eigenvectors of the random walk's matrix D⁻¹ W, which is not symmetric."""
    places = [(row, col) for row in range(cells.shape[0]) for col in range(cells.shape[1]) if cells[row, col]]
    n, vectors = len(places), np.asarray(keys, np.float64)
    weights = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            cosine = vectors[i] @ vectors[j] / np.sqrt((vectors[i] @ vectors[i]) * (vectors[j] @ vectors[j]))
            weights[i, j] = 1.0 if cosine > tau else UNLIKE
    values, columns = np.linalg.eig(weights / weights.sum(axis=1, keepdims=True))
    y = columns[:, np.argsort(values.real)[-2]].real
    seed = int(np.abs(y).argmax())
    upper = y > y.sum() / n
    chosen = {places[i] for i in range(n) if upper[i] == upper[seed]}
    return around(chosen, places[seed]), places[seed]


def cells_in(mask: np.ndarray) -> set:
    return {(int(row), int(col)) for row, col in zip(*np.nonzero(mask), strict=True)}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", range(3))
def test_lost_is_what_a_plain_loop_finds(grid, seed):
    keys, cells = random_keys(*grid, seed), np.ones(grid, bool)
    if grid == (5, 8):
        cells[:, -2:] = cells[2, 3] = False  # padding, and a patch that is left out
    keys = keys[cells.ravel()]
    for k in (100, 3):
        found, expected = lost(keys, cells, k), naive_lost(keys, cells, k)
        assert (found is None) == (expected is None)
        if found is not None:
            assert (cells_in(found.mask), found.seed) == expected


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("seed", range(3))
def test_tokencut_is_what_the_eigenvectors_of_the_random_walk_say(grid, seed):
    keys, cells = random_keys(*grid, seed), np.ones(grid, bool)
    if grid == (9, 4):
        cells[:2] = False
    keys = keys[cells.ravel()]
    found = tokencut(keys, cells, 0.3)
    assert found is not None
    mask, at = naive_tokencut(keys, cells, 0.3)
    assert cells_in(found.mask) == mask
    assert found.seed == at or found.mask[at]  # patches with the same neighbours share the largest value


def test_the_eigenvector_solves_the_generalized_problem():
    keys = random_keys(6, 9, 1)
    y = bipartition(keys, 0.2)
    unit = keys.astype(np.float64) / np.linalg.norm(keys.astype(np.float64), axis=1, keepdims=True)
    weights = np.where(unit @ unit.T > 0.2, 1.0, UNLIKE)
    degrees = weights.sum(axis=1)
    value = y @ (degrees * y - weights @ y) / (y @ (degrees * y))
    np.testing.assert_allclose(degrees * y - weights @ y, value * degrees * y, atol=1e-9)
    others = np.linalg.eigvals(np.eye(len(y)) - weights / degrees[:, None]).real
    assert value == pytest.approx(np.sort(others)[1], abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "keys",
    [
        np.ones((12, 5), np.float32),
        np.zeros((12, 5), np.float32),
        np.abs(random_keys(3, 4, 0)) + 5,
        np.eye(12, dtype=np.float32),
    ],
    ids=["all equal", "all zero", "all alike", "none alike"],
)
def test_where_nothing_stands_out_nothing_is_found(method, keys):
    picture = PatchKeys(keys, np.ones((3, 4), bool), np.zeros((3, 4), bool))
    assert propose(picture, method, centre=False) == []
    assert propose(replace(picture, values=np.ones((12, 5), np.float32)), method) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("grid", [(1, 1), (1, 2), (2, 1)])
def test_the_smallest_grids_do_no_harm(method, grid):
    count = grid[0] * grid[1]
    keys = PatchKeys(random_keys(*grid, 3), np.ones(grid, bool), np.zeros(grid, bool))
    for found in (propose(keys, method, 3), propose(replace(keys, cells=np.zeros(grid, bool)), method)):
        assert all(0 < each.mask.sum() < count for each in found)


def planted_keys(grid, boxes, seed=0, common=0.0) -> PatchKeys:
    """Keys of a ground, and of objects (row0, col0, row1, col1), each alike within itself and unlike all others."""
    rng = np.random.default_rng(seed)
    field = np.full((*grid, 16), 0.0) + np.eye(16)[0]
    for place, (top, left, bottom, right) in enumerate(boxes, start=1):
        field[top:bottom, left:right] = np.eye(16)[place]
    values = field.reshape(-1, 16) + 0.05 * rng.normal(size=(grid[0] * grid[1], 16)) + common
    return PatchKeys(values.astype(np.float32), np.ones(grid, bool), np.zeros(grid, bool))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("common", [0.0, 10.0])
def test_an_object_is_found_whatever_all_keys_have_in_common(method, common):
    keys = planted_keys((9, 13), [(2, 3, 6, 8)], common=common)
    (found,) = propose(keys, method)
    assert found.box(Frame(-10, 20, 120, 110, 9, 13), 200, 200) == (20, 40, 70, 80)
    assert found.area == pytest.approx(20 / 117) and found.score > 1 and found.mask[found.seed]
    if common:
        assert propose(keys, method, centre=False) == []


@pytest.mark.parametrize("method", METHODS)
def test_several_objects_are_found_one_after_the_other(method):
    boxes = [(1, 1, 4, 5), (6, 7, 9, 12)]
    keys = planted_keys((10, 14), boxes)
    found = propose(keys, method, 2)
    frame = Frame(0, 0, 140, 100, 10, 14)
    assert {each.box(frame, 140, 100) for each in found} == {(10, 10, 50, 40), (70, 60, 120, 90)}
    first = propose(keys, method, 1)
    np.testing.assert_array_equal(first[0].mask, found[0].mask)
    many = propose(keys, method, 8)
    assert np.sum([each.mask for each in many], axis=0).max() == 1  # no patch twice
    assert all(
        each.mask.sum() >= 0.01 * 140 and each.mask[[0, 0, -1, -1], [0, -1, 0, -1]].sum() < 3 for each in many[1:]
    )


def test_the_score_is_the_mean_cosine_within_minus_that_with_the_rest():
    keys = planted_keys((4, 6), [(1, 1, 3, 4)], seed=4)
    (found,) = propose(keys, "tokencut", centre=False)
    unit = keys.values.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    inside = np.flatnonzero(found.mask)
    outside = np.flatnonzero(~found.mask)
    among = [unit[i] @ unit[j] for i in inside for j in inside if i != j]
    beyond = [unit[i] @ unit[j] for i in inside for j in outside]
    assert found.score == pytest.approx(np.mean(among) - np.mean(beyond), abs=1e-12)


def test_padding_is_part_of_no_object_and_boxes_end_with_the_picture():
    keys = planted_keys((8, 8), [(0, 0, 8, 2), (3, 4, 5, 8)])
    cells = keys.cells.copy()
    cells[:, :2] = cells[:, -1] = False
    for method in METHODS:
        (found,) = propose(replace(keys, cells=cells), method)
        assert cells_in(found.mask) == {(row, col) for row in (3, 4) for col in (4, 5, 6)}
        assert found.area == pytest.approx(6 / 40)
        assert found.box(Frame(-20, 0, 60, 80, 8, 8), 45, 80) == (20, 30, 45, 50)


def test_lost_leaves_outliers_out():
    """A token far longer than the others is unlike all: LOST would begin with it."""
    keys = planted_keys((7, 9), [(2, 2, 5, 6)])
    keys.values[:, 0] -= 0.5 * keys.values[:, 1]
    keys.values[60] = -np.eye(16)[0] - np.eye(16)[1]
    lengths = np.full((7, 9), 10.0) + np.random.default_rng(0).normal(size=(7, 9))
    lengths[6, 6] = 90
    marked = outliers(lengths, keys.cells)
    assert cells_in(marked) == {(6, 6)}
    assert propose(keys, "lost", centre=False)[0].seed == (6, 6)
    (found,) = propose(replace(keys, outliers=marked), "lost", centre=False)
    assert cells_in(found.mask) == {(row, col) for row in range(2, 5) for col in range(2, 6)}
    lengths[6, 6] = 19  # far, as even as they are, and yet not twice as long
    assert not outliers(lengths, keys.cells).any()


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("siglip", 0), ("vit", 1), ("deit-distilled", 2), ("dinov2-registers", 5), ("timm-dinov3", 5), ("timm-gap", 0)],
)
def test_keys_are_those_of_the_last_block_s_patches(name, prefix):
    """Against the projection of the keys itself, looked up by its name."""
    backbone = load(f"tiny:{name}")
    assert backbone.prefix_tokens == prefix
    batch = torch.stack([torch.from_numpy(np.array(noise(56, 56, seed))) for seed in (1, 2)])
    seen = []
    modules = dict(backbone.network.module.named_modules())
    fused = sorted(key for key in modules if key.endswith("attn.qkv"))
    plain = sorted(key for key in modules if key.endswith((".key", "k_proj", "attention.attention.key")))
    module = modules[(fused or plain)[-1]]
    handle = module.register_forward_hook(lambda module, args, output: seen.append(output))
    try:
        found = patch_keys(backbone, batch)
    finally:
        handle.remove()
    last = seen[-1]
    width = last.shape[-1] // 3 if fused else last.shape[-1]
    expected = last[:, prefix:, width : 2 * width] if fused else last[:, prefix:]
    for own, wanted in zip(found, expected, strict=True):
        assert own.values.shape == (16, 32) and own.cells.shape == (4, 4) and own.cells.all()
        if name != "timm-dinov3":  # its keys are turned by their places
            np.testing.assert_allclose(own.values, wanted.numpy(), atol=1e-5)
        else:
            lengths = np.linalg.norm(wanted.numpy(), axis=1)
            np.testing.assert_allclose(np.linalg.norm(own.values, axis=1), lengths, rtol=1e-4)


def test_a_picture_has_in_a_batch_the_keys_that_it_has_alone():
    backbone = load("tiny:dinov2")
    batch = torch.stack([torch.from_numpy(np.array(noise(70, 42, seed))) for seed in range(3)])
    cells = torch.ones(3, 15, dtype=torch.bool)
    cells[1, :5] = False
    together = patch_keys(backbone, batch, cells)
    for place, own in enumerate(together):
        (alone,) = patch_keys(backbone, batch[place : place + 1], cells[place : place + 1])
        np.testing.assert_allclose(own.values, alone.values, atol=1e-5)
        np.testing.assert_array_equal(own.cells, cells[place].reshape(own.cells.shape).numpy())


@pytest.mark.parametrize("name", ["timm-xcit", "timm-cait"])
def test_networks_without_keys_of_patches_say_so(name):
    with pytest.raises(BackboneError, match=r"only the CLS token asks .*; take a plain vision transformer"):
        patch_keys(load(f"tiny:{name}"), torch.zeros(1, 224, 224, 3, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        ("dino_seg", {}, "objects are found by tokencut or lost, not 'dino_seg'"),
        ("lost", {"tau": 0.3}, "LOST has no --tau; it has --k-patches"),
        ("tokencut", {"k_patches": 9}, "TokenCut has no --k-patches; it has --tau"),
        ("tokencut", {"tau": 1.0}, "--tau is a cosine from -1 to less than 1, not 1.0"),
        ("tokencut", {"tau": float("nan")}, "--tau is a cosine"),
        ("lost", {"k_patches": 0}, "--k-patches is 1 or more, not 0"),
    ],
)
def test_settings_that_cannot_be(method, options, sentence):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        object_settings(method, **options)


@pytest.mark.parametrize("fit", ["aspect", "pad", "crop", "stretch"])
def test_a_planted_object_is_found_in_a_picture(packaged, fit):
    """A patch of noise on an even ground, with every fit: the box is within a patch of where it is."""
    picture = Image.new("RGB", (620, 400), (150, 140, 120))
    picture.paste(noise(180, 150, 5), (200, 90))
    pixels, frame = fit_image(picture, packaged.rule, fit)
    (keys,) = patch_keys(packaged, torch.from_numpy(pixels.copy())[None], cells_of([frame], [picture.size]))
    for method in METHODS:
        (found,) = propose(keys, method)
        x0, y0, x1, y1 = found.box(frame, *picture.size)
        across, down = (frame.x1 - frame.x0) / frame.cols, (frame.y1 - frame.y0) / frame.rows
        assert np.abs([(x0 - 200) / across, (x1 - 380) / across]).max() <= 1.5, (method, x0, x1)
        assert np.abs([(y0 - 90) / down, (y1 - 240) / down]).max() <= 1.5, (method, y0, y1)


def test_boxes_of_generated_objects_are_found_and_a_box_in_the_middle_is_not_enough(packaged):
    """CorLoc of both methods over pictures of one textured object on a texture (more of them: tests/bench/objects.py),
    against a box in the middle of as much area. As they are, all keys correlate, and nothing is found."""
    right = {"tokencut": 0, "lost": 0, "middle": 0}
    for seed in range(8):
        picture, box = scene(seed)
        pixels, frame = fit_image(picture, packaged.rule, "aspect")
        (keys,) = patch_keys(packaged, torch.from_numpy(pixels.copy())[None])
        for method in METHODS:
            (found,) = propose(keys, method)
            right[method] += overlap(found.box(frame, *picture.size), box) >= 0.5
            assert propose(keys, method, centre=False) == []
        right["middle"] += overlap(centred(box, *picture.size), box) >= 0.5
    assert min(right["tokencut"], right["lost"]) >= 6 and right["middle"] <= 2, right
