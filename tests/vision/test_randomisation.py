"""The randomisation test: maps of networks whose weights are drawn anew."""

import numpy as np
import pytest
import torch
from torch import nn

from ingest.vision.backbones.checkpoint import weights_sha256
from ingest.vision.faithfulness import FaithfulnessError
from ingest.vision.randomisation import block_parameters, randomisation, randomised, rank_correlation
from tests.support.attention import explain as attention
from tests.vision.test_faithfulness import EVERY, pixels, tiny


@pytest.mark.parametrize("name", [*EVERY, "timm-xcit", "timm-cait"])
def test_a_randomised_network_is_another_and_leaves_the_original_alone(name):
    backbone = tiny(name)
    side = 4 * backbone.patch
    picture = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(6))
    before = weights_sha256(backbone.network.module)
    other = randomised(backbone, 1)
    with torch.inference_mode():
        feature, changed = backbone.forward(picture), other.forward(picture)
        # The same weights, loaded into a network of their own, give the same feature: every tensor has been met.
        same = tiny(name)
        same.network.module.load_state_dict(other.network.module.state_dict())
        torch.testing.assert_close(changed, same.forward(picture), atol=1e-6, rtol=0)
        assert torch.equal(feature, backbone.forward(picture))
    assert (feature - changed).abs().max() > 1e-4
    assert weights_sha256(backbone.network.module) == before != weights_sha256(other.network.module)
    assert randomised(backbone, 0) is backbone


@pytest.mark.parametrize("name", EVERY)
def test_only_the_last_blocks_and_what_follows_are_drawn(name):
    backbone = tiny(name)
    old = dict(backbone.network.module.named_parameters())
    blocks = block_parameters(backbone.network.module)
    assert len(blocks) == backbone.layers == 3
    one, two = (dict(randomised(backbone, n).network.module.named_parameters()) for n in (1, 2))
    for key, parameter in old.items():
        assert (one[key] is parameter) == (key not in blocks[2])
        assert (two[key] is parameter) == (key not in blocks[1] + blocks[2])
        if key in blocks[2]:
            assert torch.equal(one[key], two[key])  # the cascade only adds
    drawn = {key: old[key] for key in blocks[2] if old[key].ndim == 2}
    for key, parameter in drawn.items():
        assert not torch.equal(one[key], parameter)
        assert float(one[key].mean()) == pytest.approx(float(parameter.mean()), abs=0.1)
        assert float(one[key].std()) == pytest.approx(float(parameter.std()), rel=0.2)


def test_what_comes_after_the_blocks_goes_with_the_last_one():
    after = block_parameters(tiny("siglip").network.module)[-1]
    assert any("post_layernorm" in name for name in after) and any("head.probe" in name for name in after)
    assert not any("embeddings" in name for block in block_parameters(tiny("vit").network.module) for name in block)


def test_more_blocks_than_there_are_and_none_at_all_are_refused():
    with pytest.raises(ValueError, match="0 to 3"):
        randomised(tiny("vit"), 4)
    with pytest.raises(FaithfulnessError, match="no numbered blocks"):
        block_parameters(nn.Linear(2, 2))


def cls_of(layer: int):
    def explain(backbone, picture):
        with torch.inference_mode():
            (maps,) = attention(backbone.capture(picture)[1], ["cls"])
        heads = [i for i, one in enumerate(maps.layers) if one == layer]
        return maps.weights[0, heads].mean(0).view(4, 4)

    return explain


def test_a_map_changes_when_its_own_layer_is_drawn_anew_and_not_before():
    backbone = tiny("dinov2")
    first, last = (randomisation(backbone, pixels(), cls_of(layer)) for layer in (0, 2))
    assert first.blocks == (0, 1, 2, 3)
    np.testing.assert_allclose(first.correlations[:3], 1, atol=1e-9)
    assert first.correlations[3] < 0.9
    assert last.correlations[0] == pytest.approx(1) and (last.correlations[1:] < 0.9).all()


def test_a_map_that_looks_at_the_picture_alone_is_found_out():
    found = randomisation(tiny("vit"), pixels(), lambda _, p: p[0, 0, ::14, ::14], steps=[1, 3])
    np.testing.assert_allclose(found.correlations, 1)
    assert found.blocks == (1, 3)


@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_correlation_is_spearmans(ties):
    def ranks(values: np.ndarray) -> list[float]:  # the mean rank of equal weights
        flat = values.ravel().tolist()
        return [sum(each < value for each in flat) + (flat.count(value) - 1) / 2 for value in flat]

    one, other = np.random.default_rng(7).normal(size=(2, 5, 6))
    if ties:
        one, other = one.round(), other.round()
    assert rank_correlation(one, other) == pytest.approx(np.corrcoef(ranks(one), ranks(other))[0, 1])
    assert np.isnan(rank_correlation(one, np.ones((5, 6))))
