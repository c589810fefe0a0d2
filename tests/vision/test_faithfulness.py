"""Taking patches away, against networks from which their tokens are really taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ingest.vision import faithfulness as room
from ingest.vision.backbones import load
from ingest.vision.faithfulness import Curves, FaithfulnessError, TokenMask, faithfulness
from ingest.vision.tap import Tap

TRANSFORMERS = ["vit", "deit-distilled", "dinov2", "dinov2-registers", "clip", "siglip"]
TIMM = ["timm-vit", "timm-deit-distilled", "timm-registers", "timm-gap", "timm-siglip", "timm-eva", "timm-beit"]
ROTARY = ["dinov3", "timm-dinov3"]
EVERY = [*TRANSFORMERS, *TIMM, *ROTARY]
NEEDS_ONE = ["siglip", "timm-gap", "timm-siglip", "timm-eva", "timm-beit"]  # no special token, or the mean of patches
ROWS, COLS = 4, 4


def pixels(batch: int = 1, seed: int = 1) -> torch.Tensor:
    return torch.randn(batch, 3, 14 * ROWS, 14 * COLS, generator=torch.Generator().manual_seed(seed))


def tiny(name: str, layer: int | None = None):
    """A tiny network whose blocks and position biases count: some families start them at nothing."""
    backbone = load(f"tiny:{name}", layer=layer)
    generator = torch.Generator().manual_seed(8)
    for key, parameter in backbone.network.module.named_parameters():
        if "gamma" in key:
            parameter.data.fill_(0.5)
        elif "relative_position_bias_table" in key:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator))
    return backbone


def kept_patches(count: int = 7) -> torch.Tensor:
    visible = torch.zeros(ROWS * COLS, dtype=torch.bool)
    visible[torch.randperm(ROWS * COLS, generator=torch.Generator().manual_seed(2))[:count]] = True
    return visible


def without(backbone, visible: torch.Tensor):
    """The backbone with an embedding that leaves the tokens of invisible patches out: no mask anywhere."""
    prefix = backbone.prefix_tokens
    keep = torch.cat([torch.arange(prefix), prefix + visible.nonzero().ravel()])
    module = getattr(backbone.network.module, "vision_model", backbone.network.module)  # below CLIP's projection
    if hasattr(module, "blocks"):
        embed = module._pos_embed if hasattr(module, "_pos_embed") else module.pos_drop
        name = "_pos_embed" if hasattr(module, "_pos_embed") else "pos_drop"

        def shorter(*args, **kwargs):
            found = embed(*args, **kwargs)
            if not isinstance(found, tuple):
                return found[:, keep]
            tokens, rotary = found
            return tokens[:, keep], rotary if rotary is None else rotary[..., visible, :]

        if name == "pos_drop":
            module.pos_drop = Through(shorter)
        else:
            module._pos_embed = shorter
        for block in module.blocks:
            bias = getattr(block.attn, "_get_rel_pos_bias", None)
            if bias is not None and block.attn.relative_position_bias_table is not None:
                block.attn._get_rel_pos_bias = lambda bias=bias: bias()[..., keep, :][..., keep]
    else:
        embeddings = module.embeddings.forward
        module.embeddings.forward = lambda *args, **kwargs: embeddings(*args, **kwargs)[:, keep]
        rotary = getattr(module, "rope_embeddings", None)
        if rotary is not None:
            turn = rotary.forward
            rotary.forward = lambda *args, **kwargs: tuple(part[visible] for part in turn(*args, **kwargs))
    return backbone


class Through(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


@pytest.mark.parametrize("name", EVERY)
def test_hiding_patches_equals_leaving_their_tokens_out(name):
    visible = kept_patches()
    backbone, picture = tiny(name), pixels(2)
    with torch.inference_mode():
        whole = backbone.network.forward(picture, False).features
        with TokenMask(visible.expand(2, -1), backbone.prefix_tokens):
            hidden = backbone.network.forward(picture, False).features
        shorter = without(tiny(name), visible)
        with Tap() as tap:
            dropped = shorter.network.forward(picture, False).features
    assert {call.tokens for call in tap.calls} == {backbone.prefix_tokens + 7}
    torch.testing.assert_close(hidden, dropped, atol=1e-5, rtol=1e-5)
    assert (hidden - whole).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["vit", "timm-deit-distilled", "dinov2-registers"])
def test_with_a_special_token_all_patches_can_go(name):
    backbone = tiny(name)
    nothing = torch.zeros(ROWS * COLS, dtype=torch.bool)
    with torch.inference_mode():
        with TokenMask(nothing.expand(1, -1), backbone.prefix_tokens):
            hidden = backbone.network.forward(pixels(), False).features
        dropped = without(tiny(name), nothing).network.forward(pixels(), False).features
    torch.testing.assert_close(hidden, dropped, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("name", ["siglip", "timm-gap"])
def test_the_mean_of_the_patches_of_an_inner_layer_is_that_of_the_visible_ones(name, layer):
    visible = kept_patches()
    with torch.inference_mode():
        backbone = tiny(name, layer)
        with TokenMask(visible.expand(1, -1), 0):
            hidden = backbone.network.forward(pixels(), False).features
        dropped = without(tiny(name, layer), visible).network.forward(pixels(), False).features
    torch.testing.assert_close(hidden, dropped, atol=1e-5, rtol=1e-5)


def test_each_picture_of_a_batch_has_patches_of_its_own_hidden():
    backbone = tiny("dinov2-registers")
    masks = torch.stack([kept_patches(3), ~kept_patches(3)])
    with torch.inference_mode():
        with TokenMask(masks, 5):
            both = backbone.forward(pixels().expand(2, -1, -1, -1))
        for mask, feature in zip(masks, both, strict=True):
            with TokenMask(mask[None], 5):
                torch.testing.assert_close(backbone.forward(pixels())[0], feature, atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", ["none", "boolean", "additive", "padding", "padding and additive"])
def test_masks_that_are_there_already_are_kept(form):
    generator = torch.Generator().manual_seed(3)
    visible = torch.tensor([True, False, True, True, False])
    if "padding" in form:
        head = nn.MultiheadAttention(8, 2, batch_first=True).eval()
        probe, tokens = torch.randn(1, 1, 8, generator=generator), torch.randn(1, 5, 8, generator=generator)
        padding = torch.tensor([[False, False, True, False, False]])
        if form == "padding and additive":
            padding = torch.zeros(1, 5).masked_fill(padding, float("-inf"))
        left = torch.tensor([0, 3])
        with torch.inference_mode():
            with TokenMask(visible[None], 0):
                found = head(probe, tokens, tokens, key_padding_mask=padding)[0]
            expected = head(probe, tokens[:, left], tokens[:, left])[0]
    else:
        query, key, value = torch.randn(3, 1, 2, 5, 4, generator=generator)
        mask = {
            "none": torch.zeros(5, 5),
            "boolean": (torch.rand(5, 5, generator=generator) > 0.5) | torch.eye(5, dtype=torch.bool) | visible,
            "additive": torch.randn(1, 2, 5, 5, generator=generator),
        }[form]
        with TokenMask(visible[None], 0):
            found = nn.functional.scaled_dot_product_attention(query, key, value, mask)
        expected = nn.functional.scaled_dot_product_attention(
            query, key[:, :, visible], value[:, :, visible], mask[..., visible]
        )
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["timm-xcit", "timm-cait"])
def test_networks_that_mix_patches_outside_attention_are_refused(name):
    backbone = tiny(name)
    with pytest.raises(FaithfulnessError, match="outside attention"):
        side = 4 * backbone.patch
        faithfulness(backbone, torch.zeros(1, 3, side, side), np.ones((4, 4)))


def test_pixels_that_shine_through_are_noticed():
    backbone = tiny("vit")
    inner = backbone.network.forward
    blurred = replace(
        backbone,
        network=replace(backbone.network, forward=lambda p, t: inner(nn.functional.avg_pool2d(p, 15, 1, 7), t)),
    )
    with pytest.raises(FaithfulnessError, match="outside attention"):
        faithfulness(blurred, pixels(), np.ones((ROWS, COLS)))
    assert faithfulness(backbone, pixels(), np.ones((ROWS, COLS)), steps=2, orders=1).deletion[0] == pytest.approx(1)


# ---- the curves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vit", "siglip", "timm-gap"])
def test_the_curves_are_the_scores_of_the_pictures_with_patches_left_out(name):
    weights = torch.rand(ROWS, COLS, generator=torch.Generator().manual_seed(5)).numpy()
    backbone = tiny(name)
    curves = faithfulness(backbone, pixels(), weights, steps=4, orders=2)
    order = np.argsort(-weights.ravel())
    np.testing.assert_allclose(curves.fractions, [0, 0.25, 0.5, 0.75, 1])
    with torch.inference_mode():
        whole = backbone.forward(pixels())[0]
        for step, count in enumerate([0, 4, 8, 12, 16]):
            gone, come = np.ones(16, bool), np.zeros(16, bool)
            gone[order[: count if name == "vit" else min(count, 15)]] = False
            come[order[: count if name == "vit" else max(count, 1)]] = True
            for curve, left in ((curves.deletion, gone), (curves.insertion, come)):
                feature = without(tiny(name), torch.from_numpy(left)).forward(pixels())[0]
                assert curve[step] == pytest.approx(float(feature @ whole), abs=1e-5)
    assert curves.deletion[0] == pytest.approx(1, abs=1e-5) and curves.insertion[-1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_every_family_gives_finite_curves(name):
    curves = faithfulness(tiny(name), pixels(), np.arange(16.0).reshape(4, 4), steps=3, orders=2)
    for curve in (curves.deletion, curves.insertion, curves.random_deletion, curves.random_insertion):
        assert curve.shape == (4,) and np.isfinite(curve).all()
    # The empty picture is the same for all orders, unless one patch has to stay: then each order has its own.
    same = curves.deletion[-1] == pytest.approx(curves.insertion[0], abs=1e-6)
    assert same == (name not in NEEDS_ONE)


def brightness(batch: torch.Tensor) -> torch.Tensor:
    """A score that looks with attention: the mean of the patches' own mean, as one query of zeros sees them."""
    tokens = batch.unfold(2, 14, 14).unfold(3, 14, 14).mean(dim=(1, 4, 5)).flatten(1)[:, None, :, None]
    none = torch.zeros(len(batch), 1, 1, 1)
    return nn.functional.scaled_dot_product_attention(none, tokens, tokens)[:, 0, 0, 0]


def test_a_score_of_ones_own_and_known_areas():
    """Four of sixteen patches shine: taken first, the mean brightness falls to 0 after a quarter of the way."""
    picture, weights = torch.zeros(1, 3, 56, 56), np.zeros((4, 4))
    picture[..., :28, :28], weights[:2, :2] = 1.0, 1.0
    curves = faithfulness(tiny("siglip"), picture, weights, steps=16, orders=200, score=brightness)
    left = [(4 - k) / (16 - k) if k < 4 else 0 for k in range(17)]
    come = [1 if k < 5 else 4 / k for k in range(17)]
    np.testing.assert_allclose(curves.deletion, left, atol=1e-6)
    np.testing.assert_allclose(curves.insertion, come, atol=1e-6)
    np.testing.assert_allclose(curves.random_deletion, 0.25, atol=0.06)
    assert curves.deletion_area == pytest.approx(np.trapezoid(left, dx=1 / 16))
    assert curves.deletion_ratio == pytest.approx(curves.deletion_area / 0.25, rel=0.1)
    assert curves.insertion_ratio == pytest.approx(np.trapezoid(come, dx=1 / 16) / 0.25, rel=0.1)


def test_padding_stays_and_is_never_ranked():
    """On padding of value 1 the score would change if it went; only the six cells of the picture, all 0, are ranked."""
    cells, picture = np.ones((4, 4), bool), torch.ones(1, 3, 56, 56)
    cells[0], cells[3], cells[1:3, 0] = False, False, False
    picture[..., 14:42, 14:] = 0.0
    weights = np.full((4, 4), 100.0)
    weights[1:3, 1:] = np.arange(6).reshape(2, 3)
    curves = faithfulness(tiny("siglip"), picture, weights, steps=6, orders=1, score=brightness, cells=cells)
    np.testing.assert_allclose(curves.deletion, [10 / (16 - min(k, 5)) for k in range(7)], atol=1e-6)


def test_equal_weights_go_in_random_order():
    picture = torch.zeros(1, 3, 56, 56)
    picture[..., :28, :] = 1.0
    flat = faithfulness(tiny("siglip"), picture, np.ones((4, 4)), steps=16, orders=1, score=brightness)
    assert 0 < flat.deletion[8] < 1  # in reading order all that shines would be gone
    other = faithfulness(tiny("siglip"), picture, np.ones((4, 4)), 16, 1, seed=3, score=brightness)
    again = faithfulness(tiny("siglip"), picture, np.ones((4, 4)), 16, 1, score=brightness)
    assert np.array_equal(flat.deletion, again.deletion) and not np.array_equal(flat.deletion, other.deletion)


def test_a_ratio_by_nothing_is_not_a_number():
    zero = np.zeros(3)
    assert np.isnan(Curves(np.linspace(0, 1, 3), zero, zero, zero, zero).deletion_ratio)


@pytest.mark.parametrize(
    "weights", [np.ones((4, 5)), np.full((4, 4), np.nan), np.ones(16)], ids=["another grid", "NaN", "flat"]
)
def test_a_map_that_does_not_fit_is_refused(weights):
    with pytest.raises(ValueError, match="on its grid of 4 × 4 patches"):
        faithfulness(tiny("vit"), pixels(), weights)


def test_on_trained_weights_a_map_that_marks_the_object_beats_chance(packaged):
    """A disc of bright stripes on plain grey: its patches are what the feature rests on."""
    rows = cols = 10
    y, x = np.mgrid[: rows * 14, : cols * 14]
    disc = (y - 83) ** 2 + (x - 50) ** 2 < 35**2
    picture = np.full((rows * 14, cols * 14, 3), 110, np.uint8)
    picture[disc] = np.where(((x + y) // 6 % 2)[..., None], [255, 60, 30], [250, 230, 60])[disc]
    marks = disc.reshape(rows, 14, cols, 14).mean((1, 3))
    batch = packaged.pixels(torch.from_numpy(picture)[None])
    good = faithfulness(packaged, batch, marks, steps=6, orders=3)
    bad = faithfulness(packaged, batch, -marks, steps=6, orders=1)
    # With the disc's quarter of the patches gone the feature is another one; a third at random hardly changes it.
    assert 1 - good.deletion[2] > 5 * (1 - good.random_deletion[2]) > 0
    # Both are held against the same random orders.
    assert good.deletion_ratio < 0.97 and bad.deletion_area > good.random_deletion_area
    assert good.insertion_ratio > 1 and bad.insertion_area < good.random_insertion_area


def test_no_more_than_a_batch_goes_through_at_once(monkeypatch):
    sizes = []
    monkeypatch.setattr(room, "BATCH", 3)
    faithfulness(
        tiny("siglip"),
        pixels(),
        np.arange(16.0).reshape(4, 4),
        4,
        1,
        score=lambda batch: sizes.append(len(batch)) or brightness(batch),
    )
    assert max(sizes) == 3 and sum(sizes) < 3 * 5  # the whole picture is looked at once


def test_losses_are_told_beside_those_of_a_random_order():
    """A score that never falls below 0.8: the areas hardly differ, the losses do."""
    fractions = np.array([0.0, 0.5, 1.0])
    curves = Curves(
        fractions,
        deletion=np.array([1.0, 0.8, 0.8]),
        insertion=np.array([0.8, 1.0, 1.0]),
        random_deletion=np.array([1.0, 0.9, 0.8]),
        random_insertion=np.array([0.8, 0.9, 1.0]),
    )
    assert curves.deletion_ratio == pytest.approx(0.85 / 0.9)
    assert curves.deletion_loss_ratio == pytest.approx(0.15 / 0.1)
    assert curves.insertion_loss_ratio == pytest.approx(0.05 / 0.1)
