"""The contract of every attention method: its formula, on every layout of tokens, alone and in a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ingest.vision.attention import methods, walk
from ingest.vision.attention.statistics import HeadStatistics
from ingest.vision.backbones import load
from ingest.vision.embedding import cells_of, embed, methods_for, observe
from ingest.vision.explaining import Asked, capture_target, suits
from ingest.vision.geometry import Frame
from ingest.vision.tap import calls
from ingest.vision.targets import DirectionTarget
from tests.support.attention import explain
from tests.vision import naive

# 1, 2, 5 and 0 prefix tokens, a network that pools its patches, one with class attention alone.
# EVA has a CLS token, but is summed up by its patches.
BACKBONES = [
    "vit", "timm-deit-distilled", "dinov2-registers", "siglip", "timm-siglip", "timm-gap", "timm-xcit", "timm-eva",
]  # fmt: skip
FORMULAS = {
    "chefer": naive.chefer,
    "cls": naive.cls,
    "daam": naive.daam,
    "daam_heads": naive.daam_heads,
    "flow": naive.flow,
    "gradient_rollout": naive.gradient_rollout,
    "hackathon": naive.hackathon,
    "pooling": naive.pooling,
    "query": naive.query,
    "received": naive.received,
    "rollout": naive.rollout,
}


def captured(name: str, batch: int = 3, dtype: torch.dtype = torch.float32):
    """A backbone, three pictures of 3 × 5 patches, and their capture with the gradients of a target."""
    backbone = load(f"tiny:{name}", precision=dtype)
    side = backbone.patch
    generator = torch.Generator().manual_seed(4)
    pixels = torch.randn(batch, 3, 3 * side, 5 * side, generator=generator).to(dtype)
    return backbone, pixels, capture_target(backbone, pixels, north(backbone))[1]


def north(backbone) -> DirectionTarget:
    """A target that any network can be asked: how far its feature points in a fixed direction."""
    direction = torch.randn(backbone.dim, generator=torch.Generator().manual_seed(5))
    return DirectionTarget("north", lambda features, image_ids: direction.expand(len(features), -1), raw=True)


def close(maps, expected, within: float = 5e-6) -> None:
    """Equal to `within` of the greatest weight, or of 1 where the weights are shares."""
    assert maps.shape == expected.shape
    np.testing.assert_allclose(maps, expected, atol=within * max(1.0, np.abs(expected).max()), rtol=0)


def test_every_method_has_a_formula_here():
    assert set(methods()) == set(FORMULAS)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("method", FORMULAS)
def test_a_method_follows_its_formula(method, name):
    backbone, _, capture = captured(name)
    if not suits(methods()[method], backbone):
        pytest.skip(f"{method} is not for {name}")
    (maps,) = explain(capture, [method])
    expected = FORMULAS[method](capture, naive.matrices(capture))
    assert expected.shape == (3, len(maps.layers), 15) and expected.max() > 0
    close(maps.weights.numpy(), expected)
    assert maps.method == method
    last = backbone.layers - 1
    if methods()[method].one_layer:
        assert maps.layers == (last,) * len(maps.layers)
    elif methods()[method].per_head:
        assert list(zip(maps.layers, maps.heads, strict=True)) == [
            (layer, head) for layer in range(backbone.layers) for head in range(backbone.heads)
        ]
    else:
        assert maps.heads is None and maps.layers == tuple(range(backbone.layers))


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("method", FORMULAS)
def test_an_image_in_a_batch_has_the_maps_it_has_alone(method, name):
    backbone, pixels, capture = captured(name)
    if not suits(methods()[method], backbone):
        pytest.skip(f"{method} is not for {name}")
    (together,) = explain(capture, [method])
    captures = [capture_target(backbone, one[None], north(backbone))[1] for one in pixels]
    alone = [explain(capture, [method])[0].weights[0] for capture in captures]
    close(together.weights.numpy(), torch.stack(alone).numpy())


@pytest.mark.parametrize("method", FORMULAS)
def test_half_precision_networks_give_float32_maps(method):
    backbone, _, capture = captured("timm-siglip" if method == "pooling" else "dinov2-registers", dtype=torch.bfloat16)
    assert capture.layers[0].query.dtype == capture.layers[0].gradient.dtype == torch.bfloat16
    (maps,) = explain(capture, [method])
    assert maps.weights.dtype == torch.float32
    if methods()[method].needs_target or suits(methods()[method], backbone):
        close(maps.weights.numpy(), FORMULAS[method](capture, naive.matrices(capture)), 1e-5)


@pytest.mark.parametrize("name", ["vit", "siglip", "timm-xcit"])
@pytest.mark.parametrize(
    "options",
    [
        {"residual": 0.0},
        {"residual": 0.3},
        {"fusion": "max"},
        {"fusion": "min", "residual": 0.2},
        {"discard": 0.9, "fusion": "max"},
        {"discard": 0.5},
        {"start": 1},
    ],
    ids=str,
)
def test_rollout_with_other_options(options, name):
    _, _, capture = captured(name)
    (maps,) = explain(capture, ["rollout"], rollout=options)
    close(maps.weights.numpy(), naive.fused_rollout(capture, naive.matrices(capture), **options))
    assert maps.layers == tuple(range(options.get("start", 0), len(capture.layers)))


def test_rollout_that_keeps_everything_shows_nothing():
    _, _, capture = captured("vit")
    (maps,) = explain(capture, ["rollout"], rollout={"residual": 1.0})
    assert maps.weights.abs().max() == 0


@pytest.mark.parametrize("options", [{"discard": 0.8}, {"start": 2, "residual": 0.4}], ids=str)
def test_gradient_rollout_with_other_options(options):
    _, _, capture = captured("dinov2-registers")
    (maps,) = explain(capture, ["gradient_rollout"], gradient_rollout=options)
    close(maps.weights.numpy(), naive.gradient_rollout(capture, naive.matrices(capture), **options))


def test_chefer_from_a_later_layer():
    _, _, capture = captured("vit")
    (maps,) = explain(capture, ["chefer"], chefer={"start": 1})
    close(maps.weights.numpy(), naive.chefer(capture, naive.matrices(capture), start=1))


@pytest.mark.parametrize(("token", "number"), [("r0c0", 5), ("r2c4", 19), ("special0", 0), ("special3", 3)])
def test_the_row_of_any_token(token, number):
    _, _, capture = captured("dinov2-registers")
    (maps,) = explain(capture, ["query"], query={"token": token})
    rows = np.stack([layer[:, :, number, 5:] for layer in naive.matrices(capture)], axis=1)
    close(maps.weights.numpy(), rows.reshape(3, 6, 15))


@pytest.mark.parametrize("token", ["r3c0", "r0c5", "special5", "middle", "r1"])
def test_a_token_that_is_not_there_is_refused(token):
    _, _, capture = captured("dinov2-registers")
    with pytest.raises(ValueError, match="there is no|is written"):
        explain(capture, ["query"], query={"token": token})


def test_the_row_of_the_cls_token_is_the_cls_map():
    _, _, capture = captured("timm-deit-distilled")
    cls, query = explain(capture, ["cls", "query"], query={"token": "special0"})
    torch.testing.assert_close(cls.weights, query.weights)


def test_the_hackathons_map_is_what_is_left_of_the_attention_to_cls():
    """SEEDS: after min-max it is exactly the attention to CLS, turned upside down."""
    _, _, capture = captured("vit")
    (maps,) = explain(capture, ["hackathon"])
    rows = naive.matrices(capture)
    expected = np.stack([(1 - layer[:, :, 1:, 0]) / 15 for layer in rows], axis=1).reshape(3, 6, 15)
    close(maps.weights.numpy(), expected)


def test_flow_refuses_a_large_grid():
    backbone = load("tiny:vit")
    with pytest.raises(ValueError, match="small grids"), torch.inference_mode():
        explain(backbone.capture(torch.randn(1, 3, 140, 140))[1], ["flow"])


@pytest.mark.parametrize("name", ["siglip", "timm-siglip"])
def test_the_pooling_heads_row_is_what_the_module_computes(name):
    backbone, pixels, capture = captured(name)
    module = backbone.network.module
    tokens = backbone.process(pixels, tokens=True).tokens
    with torch.no_grad():
        if name == "siglip":
            head = module.vision_model.head if hasattr(module, "vision_model") else module.head
            probe = head.probe.repeat(3, 1, 1)
            weights = head.attention(probe, tokens, tokens, average_attn_weights=False)[1][:, :, 0]
        else:
            head, width = module.attn_pool, 16
            query = head.q(head.latent.expand(3, -1, -1)).view(3, 1, 2, width).transpose(1, 2)
            key = head.kv(tokens).view(3, 15, 2, 2, width)[:, :, 0].transpose(1, 2)
            weights = (query @ key.transpose(2, 3) / width**0.5).softmax(dim=-1)[:, :, 0]
    close(explain(capture, ["pooling"])[0].weights.numpy(), weights.numpy())


def test_methods_are_stored_under_names_that_say_their_options():
    assert Asked.parse("rollout").name == "rollout"
    asked = Asked.parse("rollout( fusion=max, discard=0.9, residual=0.5 )")
    assert asked == Asked("rollout", {"fusion": "max", "discard": 0.9})
    assert asked.name == "rollout(discard=0.9,fusion=max)" and Asked.parse(asked.name) == asked
    assert Asked.parse("query(token=r3c5)").options == {"token": "r3c5"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rollot", "there are chefer"),
        ("rollout(fusion=sum)", "mean, max, min"),
        ("rollout(discard=2)", "between 0 and 0.99"),
        ("rollout(discard=much)", "is a number"),
        ("rollout(start=1.5)", "whole number"),
        ("rollout(depth=3)", "no option 'depth'; it has residual"),
        ("cls(head=3)", "it has none"),
    ],
)
def test_wrong_methods_and_options_are_named(name, reason):
    with pytest.raises(ValueError, match=reason):
        Asked.parse(name)


@pytest.mark.parametrize("together", [False, True], ids=["sample by sample", "samples together, as on a GPU"])
@pytest.mark.parametrize("elements", [1, 100, 1500, 10**9])
def test_the_size_of_the_tiles_changes_nothing(elements, together, monkeypatch):
    _, _, capture = captured("dinov2-registers")
    expected = [maps.weights for maps in explain(capture, ["received", "rollout"])]
    monkeypatch.setitem(calls.TILE_ELEMENTS, "cpu", elements)
    monkeypatch.setattr(calls, "SAMPLE_BY_SAMPLE", () if together else ("cpu",))
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
    with pytest.raises(ValueError, match="no attention method 'clss'; there are chefer, cls, daam"):
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
