"""Colours of patch tokens: the same texture has the same colour in every picture."""

import numpy as np
import pytest
import torch
from PIL import Image

from ingest.vision.backbones import load
from ingest.vision.token_pca import TokenPCA, patch_tokens

FAMILIES = ["vit", "dinov2-registers", "deit-distilled", "clip", "siglip", "timm-gap", "timm-eva", "timm-xcit"]


def tokens(pattern: np.ndarray, noise: float = 0.0, seed: int = 1, width: int = 12) -> np.ndarray:
    """Tokens (rows, cols, width) of a pattern of kinds (rows, cols): each kind is a point of its own, plus noise."""
    kinds = np.random.default_rng(0).normal(size=(8, width)) * 3
    return (kinds[pattern] + noise * np.random.default_rng(seed).normal(size=(*pattern.shape, width))).astype("f4")


def test_one_kind_has_one_colour_in_all_pictures():
    first = np.zeros((4, 6), int)
    first[:, 3:] = 1
    second = np.zeros((5, 3), int)
    second[2:], second[4] = 1, 2
    pca = TokenPCA.fit([tokens(first), tokens(second)])
    one, two = pca.colours(tokens(first)), pca.colours(tokens(second))
    assert one.shape == (4, 6, 3) and one.dtype == np.float32 and one.min() >= 0 and one.max() <= 1
    for kind in (0, 1):
        colours = np.concatenate([one[first == kind], two[second == kind]])
        np.testing.assert_allclose(colours, colours[:1].repeat(len(colours), 0), atol=1e-5)
    kinds = [two[second == kind][0] for kind in range(3)]
    assert min(np.abs(a - b).max() for a, b in ((kinds[0], kinds[1]), (kinds[0], kinds[2]), (kinds[1], kinds[2]))) > 0.5


def test_the_basis_serves_pictures_that_it_has_not_seen():
    pattern = np.arange(24).reshape(4, 6) % 4  # four kinds: three components that are more than noise
    pca = TokenPCA.fit([tokens(pattern, 0.1)])
    new = pca.colours(tokens(pattern.T, 0.1, seed=2))
    known = pca.colours(tokens(pattern, 0.1))
    for kind in range(4):
        assert np.abs(new[kind == pattern.T].mean(0) - known[pattern == kind].mean(0)).max() < 0.05


def test_components_and_shares_are_those_of_the_singular_values():
    data = np.random.default_rng(3).normal(size=(6, 7, 10)) * np.arange(10, 0, -1)
    pca = TokenPCA.fit([data[:3], data[3:]])
    rows = data.reshape(-1, 10)
    _, values, vectors = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(pca.explained, (values**2 / (values**2).sum())[:3])
    np.testing.assert_allclose(np.abs((pca.axes * vectors[:3]).sum(1)), 1)
    places = (rows - rows.mean(0)) @ pca.axes.T
    low, high = np.percentile(places, [2, 98], axis=0)
    expected = np.clip((places - low) / (high - low), 0, 1).reshape(6, 7, 3)
    np.testing.assert_allclose(pca.colours(data), expected, atol=1e-6)


def test_one_odd_token_does_not_eat_the_contrast():
    calm = np.random.default_rng(4).normal(size=(10, 10, 8))
    loud = calm.copy()
    loud[0, 0] *= 30
    without = TokenPCA.fit([calm]).colours(calm)
    with_one = TokenPCA.fit([loud]).colours(loud)
    assert with_one.reshape(-1, 3).std(0).min() > 0.6 * without.reshape(-1, 3).std(0).min()


def test_the_same_tokens_always_have_the_same_colours():
    data = np.random.default_rng(5).normal(size=(4, 5, 6))
    one, two = TokenPCA.fit([data], foreground=True), TokenPCA.fit([data.copy()], foreground=True)
    assert np.array_equal(one.colours(data), two.colours(data))
    assert (np.take_along_axis(one.axes, np.abs(one.axes).argmax(1)[:, None], 1) > 0).all()


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("object_size", [2, 4])
def test_the_foreground_is_the_side_nearer_to_the_middle_whatever_its_sign(swap, object_size):
    first, second = np.zeros((8, 8), int), np.zeros((8, 10), int)
    edge = (8 - object_size) // 2
    for pattern in (first, second):
        pattern[edge:-edge, 3:6] = 1
    kinds = np.array([1, 0]) if swap else np.array([0, 1])
    pictures = [tokens(kinds[pattern], 0.3, seed) for seed, pattern in enumerate((first, second))]
    pca = TokenPCA.fit(pictures, foreground=True)
    for picture, pattern in zip(pictures, (first, second), strict=True):
        assert np.array_equal(pca.foreground(picture), pattern == 1)
    assert TokenPCA.fit(pictures).foreground(pictures[0]).all()


def test_with_a_background_set_apart_the_basis_is_the_foregrounds():
    """Two kinds of foreground that differ little next to the ground: with the ground they would look alike."""
    far, near = np.zeros(12), np.eye(12)
    pattern = np.zeros((9, 9), int)
    pattern[3:6, 2:4], pattern[3:6, 4:7] = 1, 2
    kinds = np.stack([far, 50 * near[0] + near[1], 50 * near[0] - near[1]])
    data = kinds[pattern] + 0.01 * np.random.default_rng(6).normal(size=(9, 9, 12))
    apart, together = TokenPCA.fit([data], foreground=True), TokenPCA.fit([data])

    def contrast(pca):
        colours = pca.colours(data)[..., 0]
        return abs(colours[pattern == 1].mean() - colours[pattern == 2].mean())

    assert contrast(apart) > 0.9 and contrast(together) < 0.1
    assert apart.explained[0] > 0.95
    np.testing.assert_allclose(abs(apart.axes[0, 1]), 1, atol=0.01)


def test_padding_does_not_count():
    data = tokens(np.arange(20).reshape(4, 5) % 3, 0.2)
    padded = np.concatenate([np.full((2, 5, 12), 99.0, "f4"), data])
    cells = np.ones((6, 5), bool)
    cells[:2] = False
    for foreground in (False, True):
        one = TokenPCA.fit([padded], [cells], foreground)
        two = TokenPCA.fit([data], [None], foreground)
        np.testing.assert_allclose(one.colours(data), two.colours(data), atol=1e-6)


@pytest.mark.parametrize("foreground", [False, True])
def test_tokens_that_are_all_alike_are_one_grey(foreground):
    flat = np.full((3, 3, 5), 0.1)
    pca = TokenPCA.fit([flat], foreground=foreground)
    np.testing.assert_array_equal(pca.colours(flat), 0.5)
    assert pca.foreground(flat).all()


def test_narrow_tokens_leave_the_missing_components_grey():
    pca = TokenPCA.fit([np.random.default_rng(7).normal(size=(4, 4, 2))])
    assert pca.axes.shape == (3, 2) and pca.explained[2] == 0
    assert (pca.colours(np.zeros((2, 2, 2)))[..., 2] == 0.5).all()


def test_tokens_of_two_networks_or_none_are_refused():
    with pytest.raises(ValueError, match=r"one width, these have \[4, 5\]"):
        TokenPCA.fit([np.zeros((2, 2, 4)), np.zeros((2, 2, 5))])
    with pytest.raises(ValueError, match="at least one picture"):
        TokenPCA.fit([])


# ---- tokens of networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_patch_tokens_are_the_patches_after_the_final_norm(name):
    backbone = load(f"tiny:{name}")
    rows, cols = (side // backbone.patch for side in (backbone.rule.size,) * 2)
    picture = Image.fromarray(np.random.default_rng(8).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    found, frame = patch_tokens(backbone, picture)
    assert found.shape[:2] == (frame.rows, frame.cols) == (rows, cols) and found.dtype == np.float32
    seen, norms = [], ("norm", "layernorm", "post_layernorm")
    trunk = getattr(backbone.network.module, "vision_model", backbone.network.module)  # below CLIP's projection
    norm = next(getattr(trunk, name) for name in norms if hasattr(trunk, name))
    norm.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    patch_tokens(backbone, picture)
    whole = [out for out in seen if out.ndim == 3 and out.shape[1] >= rows * cols][-1][0, -rows * cols :]
    np.testing.assert_allclose(found.reshape(rows * cols, -1), whole.numpy(), atol=1e-6)


def test_tokens_lie_where_the_picture_is():
    """A change in the lower left corner changes the token of that patch most."""
    backbone = load("tiny:dinov2")
    picture = Image.new("RGB", (56, 56), "grey")
    other = picture.copy()
    other.paste((255, 0, 0), (0, 42, 14, 56))
    one, two = (patch_tokens(backbone, image, "stretch")[0] for image in (picture, other))
    change = np.linalg.norm(one - two, axis=-1)
    assert np.unravel_index(change.argmax(), change.shape) == (3, 0)


def test_a_network_that_gives_no_tokens_is_a_sentence():
    from dataclasses import replace

    from ingest.vision.backbones import BackboneError
    from ingest.vision.backbones.backbone import Output

    backbone = load("tiny:vit")
    silent = replace(backbone, network=replace(backbone.network, forward=lambda p, t: Output(torch.zeros(1, 4))))
    with pytest.raises(BackboneError, match="keeps its patch tokens to itself"):
        patch_tokens(silent, Image.new("RGB", (60, 60)))


def disc(across: int, down: int) -> tuple[Image.Image, np.ndarray]:
    """A striped disc on plain grey, 168 × 168 pixels, and the patches (12, 12) that it fills by half or more."""
    y, x = np.mgrid[:168, :168]
    inside = (x - across) ** 2 + (y - down) ** 2 < 40**2
    pixels = np.full((168, 168, 3), 110, np.uint8)
    pixels[inside] = np.where(((x + y) // 6 % 2)[..., None], [255, 60, 30], [250, 230, 60])[inside]
    return Image.fromarray(pixels), inside.reshape(12, 14, 12, 14).mean((1, 3)) >= 0.5


def test_on_trained_weights_an_object_has_one_colour_wherever_it_stands(packaged):
    scenes = [disc(60, 100), disc(105, 70)]
    found = [patch_tokens(packaged, picture, "stretch", 168)[0] for picture, _ in scenes]
    pca, apart = TokenPCA.fit(found), TokenPCA.fit(found, foreground=True)
    colours = list(map(pca.colours, found))
    things = [own[inside].mean(0) for own, (_, inside) in zip(colours, scenes, strict=True)]
    grounds = [own[~inside].mean(0) for own, (_, inside) in zip(colours, scenes, strict=True)]
    across = np.linalg.norm(things[0] - things[1])
    assert min(np.linalg.norm(a - b) for a in things for b in grounds) > 2 * across
    for own, (_, inside) in zip(found, scenes, strict=True):
        guess = apart.foreground(own)
        assert (guess & inside).sum() / (guess | inside).sum() > 0.6
