"""The contract of every attention method: its formula, on every layout of tokens, alone and in a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ingest.vision import tap
from ingest.vision.attention import explain, methods, walk
from ingest.vision.attention.statistics import HeadStatistics
from ingest.vision.backbones import load
from ingest.vision.embedding import cells_of, embed, methods_for, observe
from ingest.vision.geometry import Frame
from tests.vision import naive

# 1, 2, 5 and 0 prefix tokens, a network that pools its patches, one with class attention alone.
BACKBONES = ["vit", "timm-deit-distilled", "dinov2-registers", "siglip", "timm-gap", "timm-xcit"]
FORMULAS = {"cls": naive.cls, "received": naive.received, "rollout": naive.rollout}


def captured(name: str, batch: int = 3, dtype: torch.dtype = torch.float32):
    backbone = load(f"tiny:{name}", precision=dtype)
    side = backbone.patch
    generator = torch.Generator().manual_seed(4)
    pixels = torch.randn(batch, 3, 3 * side, 5 * side, generator=generator).to(dtype)
    with torch.inference_mode():
        return backbone, pixels, backbone.capture(pixels)[1]


def suits(method: str, backbone) -> bool:
    return backbone.has_cls or not methods()[method].needs_cls


def test_every_method_has_a_formula_here():
    assert set(methods()) == set(FORMULAS)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("method", FORMULAS)
def test_a_method_follows_its_formula(method, name):
    backbone, _, capture = captured(name)
    if not suits(method, backbone):
        assert methods_for(backbone, [method]) == ["received"]
        return
    (maps,) = explain(capture, [method])
    expected = FORMULAS[method](capture, naive.matrices(capture))
    assert maps.weights.shape == expected.shape == (3, len(maps.layers), 15)
    np.testing.assert_allclose(maps.weights.numpy(), expected, atol=2e-6)
    assert maps.method == method
    if methods()[method].per_head:
        assert list(zip(maps.layers, maps.heads, strict=True)) == [
            (layer, head) for layer in range(backbone.layers) for head in range(backbone.heads)
        ]
    else:
        assert maps.heads is None and maps.layers == tuple(range(backbone.layers))


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("method", FORMULAS)
def test_an_image_in_a_batch_has_the_maps_it_has_alone(method, name):
    backbone, pixels, capture = captured(name)
    if not suits(method, backbone):
        return
    (together,) = explain(capture, [method])
    with torch.inference_mode():
        alone = [explain(backbone.capture(one[None])[1], [method])[0].weights[0] for one in pixels]
    torch.testing.assert_close(together.weights, torch.stack(alone), atol=2e-6, rtol=0)


@pytest.mark.parametrize("method", FORMULAS)
def test_half_precision_networks_give_float32_maps(method):
    backbone, _, capture = captured("dinov2-registers", dtype=torch.bfloat16)
    assert capture.layers[0].query.dtype == torch.bfloat16
    (maps,) = explain(capture, [method])
    assert maps.weights.dtype == torch.float32
    np.testing.assert_allclose(maps.weights.numpy(), FORMULAS[method](capture, naive.matrices(capture)), atol=2e-6)


@pytest.mark.parametrize("residual", [0.0, 0.3, 1.0])
def test_rollout_with_another_residual_weight(residual):
    _, _, capture = captured("vit")
    (maps,) = explain(capture, ["rollout"], rollout={"residual": residual})
    expected = naive.rollout(capture, naive.matrices(capture), residual)
    np.testing.assert_allclose(maps.weights.numpy(), expected, atol=2e-6)
    if residual == 1.0:
        assert np.abs(expected).max() == 0  # nothing flows: the CLS token keeps everything


@pytest.mark.parametrize("together", [False, True], ids=["sample by sample", "samples together, as on a GPU"])
@pytest.mark.parametrize("elements", [1, 100, 1500, 10**9])
def test_the_size_of_the_tiles_changes_nothing(elements, together, monkeypatch):
    _, _, capture = captured("dinov2-registers")
    expected = [maps.weights for maps in explain(capture, ["received", "rollout"])]
    monkeypatch.setitem(tap.TILE_ELEMENTS, "cpu", elements)
    monkeypatch.setattr(tap, "SAMPLE_BY_SAMPLE", () if together else ("cpu",))
    for maps, weights in zip(explain(capture, ["received", "rollout"]), expected, strict=True):
        torch.testing.assert_close(maps.weights, weights, atol=1e-6, rtol=0)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", BACKBONES)
def test_head_statistics_follow_their_formulas(name, padded):
    _, _, capture = captured(name)
    if padded:
        cells = torch.ones(3, 15, dtype=torch.bool)
        cells[:, :5] = False  # the first row of patches shows no picture
        cells[1, 12:] = False
        capture = replace(capture, picture_cells=cells)
    reader = HeadStatistics(capture)
    walk(capture, [reader])
    expected = naive.statistics(capture, naive.matrices(capture))
    values = reader.values()
    assert set(values) == set(expected)
    for name_of, value in values.items():
        np.testing.assert_allclose(value.numpy(), expected[name_of], atol=2e-5, rtol=2e-6, err_msg=name_of)


def test_uniform_attention_looks_as_far_as_the_grid_is_wide_on_average():
    """A known value: the mean distance between two patches of a 3 × 5 grid, each patch 14 px."""
    backbone, pixels, _ = captured("vit", batch=1)
    for key, parameter in backbone.network.module.named_parameters():
        if "q_proj" in key or "query" in key:
            parameter.data.zero_()  # equal scores: every token is looked at alike
    with torch.inference_mode():
        capture = backbone.capture(pixels)[1]
    reader = HeadStatistics(capture)
    walk(capture, [reader])
    places = [(r, c) for r in range(3) for c in range(5)]
    mean = np.mean([14 * np.hypot(a - c, b - d) for a, b in places for c, d in places])
    np.testing.assert_allclose(reader.values()["distance"].numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(reader.values()["entropy"].numpy(), np.log(16), rtol=1e-5)
    np.testing.assert_allclose(reader.values()["mass_patches"].numpy(), 15 / 16, rtol=1e-5)


def test_observe_gives_unit_features_and_all_maps_in_one_pass():
    backbone = load("tiny:dinov2")
    batch = torch.randint(0, 256, (2, 42, 70, 3), dtype=torch.uint8)
    observation = observe(backbone, batch, ["cls", "rollout"], statistics=True)
    assert (observation.rows, observation.cols) == (3, 5)
    assert [m.method for m in observation.maps] == ["cls", "rollout"]
    assert observation.maps[0].weights.shape == (2, 6, 15) and observation.maps[1].weights.shape == (2, 3, 15)
    torch.testing.assert_close(observation.features.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(observation.features, observe(backbone, batch).features)


def test_pixels_are_normalised_as_the_input_rule_says():
    backbone = load("tiny:vit")
    batch = torch.randint(0, 256, (2, 28, 42, 3), dtype=torch.uint8)
    mean, std = np.array(backbone.rule.mean), np.array(backbone.rule.std)
    expected = ((batch.numpy() / 255 - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(backbone.pixels(batch).numpy(), expected, atol=1e-5)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="no attention method 'clss'; there are cls, received, rollout"):
        methods_for(load("tiny:vit"), ["clss"])


def test_embed_takes_pictures_of_any_size():
    from PIL import Image

    backbone = load("tiny:dinov2")
    pictures = [Image.new("RGB", (300, 100), "red"), Image.new("RGB", (31, 77), "blue")]
    for fit in ("crop", "stretch", "pad"):
        vectors = embed(backbone, pictures, fit)
        assert vectors.shape == (2, 32) and vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_cells_of_a_padded_picture():
    frame = Frame(x0=0, y0=-100, x1=200, y1=100, rows=4, cols=4)  # a picture of 200 × 100 in the lower half
    cells = cells_of([frame], [(200, 100)])
    assert cells.view(4, 4).tolist() == [[False] * 4] * 2 + [[True] * 4] * 2
    assert cells_of([Frame(0, 0, 200, 100, 4, 4)], [(200, 100)]) is None
