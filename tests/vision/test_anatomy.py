"""Position embeddings and patch filters: found in every family, and exactly those that were planted there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ingest.vision.anatomy import AnatomyError, patch_filters, position_similarity
from ingest.vision.backbones import load

# Where each family keeps its table, and how many special tokens have a position in it.
TABLES = {
    "vit": ("embeddings.position_embeddings", 1),
    "deit-distilled": ("embeddings.position_embeddings", 2),
    "dinov2": ("embeddings.position_embeddings", 1),
    "dinov2-registers": ("embeddings.position_embeddings", 1),
    "clip": ("embeddings.position_embedding.weight", 1),
    "siglip": ("embeddings.position_embedding.weight", 0),
    "timm-vit": ("pos_embed", 1),
    "timm-deit-distilled": ("pos_embed", 2),
    "timm-registers": ("pos_embed", 0),
    "timm-gap": ("pos_embed", 0),
    "timm-siglip": ("pos_embed", 0),
    "timm-eva": ("pos_embed", 1),
    "timm-cait": ("pos_embed", 0),
}
NO_TABLE = ["dinov3", "timm-dinov3", "timm-beit", "timm-xcit"]
FILTERS = [*TABLES, "dinov3", "timm-dinov3", "timm-beit"]


def planted(name: str):
    """The backbone with the sine and cosine of row and column as its patches' positions, all else far away."""
    backbone = load(f"tiny:{name}")
    key, special = TABLES[name]
    (table,) = (p for n, p in backbone.network.module.named_parameters() if n.endswith(key))
    values = torch.full((table.shape[-2], table.shape[-1]), 1000.0)
    row, col = np.divmod(np.arange(16), 4)
    values[special:] = 0
    values[special:, :4] = torch.from_numpy(np.stack([np.cos(row), np.sin(row), np.cos(col), np.sin(col)], 1))
    values[special:] *= torch.arange(1, 17)[:, None]  # lengths differ: dot and cosine are not the same
    table.data.copy_(values.view(table.shape))
    return backbone


@pytest.mark.parametrize("name", TABLES)
def test_a_planted_table_is_found_without_its_special_tokens(name):
    found = position_similarity(planted(name))
    assert (found.rows, found.cols) == (4, 4)
    assert found.dot.shape == found.cosine.shape == (16, 16) and found.dot.dtype == np.float32
    row, col = np.divmod(np.arange(16), 4)
    alike = np.cos(row[:, None] - row) + np.cos(col[:, None] - col)
    lengths = np.arange(1, 17)
    np.testing.assert_allclose(found.cosine, alike / 2, atol=1e-5)
    np.testing.assert_allclose(found.dot, alike * np.outer(lengths, lengths), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", NO_TABLE)
def test_networks_without_a_table_say_so(name):
    with pytest.raises(AnatomyError, match="no table of learnt positions"):
        position_similarity(load(f"tiny:{name}"))


def test_a_table_of_another_grid_stays_on_its_own():
    """The input may be cut into 4 × 4 patches and the table be made for 6 × 6."""
    backbone = load("tiny:timm-vit")
    module = backbone.network.module
    module.pos_embed = nn.Parameter(torch.randn(1, 37, 32))
    found = position_similarity(backbone)
    assert (found.rows, found.cols) == (6, 6)
    table = module.pos_embed[0, 1:].detach().numpy()
    np.testing.assert_allclose(found.dot, table @ table.T, atol=1e-4)


def test_a_grid_that_is_not_square_is_known_by_its_name():
    from ingest.vision.backbones import make_backbone
    from ingest.vision.backbones.from_timm import load_timm

    network = load_timm(
        "vit_tiny_patch16_224", None, pretrained=False, embed_dim=32, depth=1, num_heads=2, img_size=(32, 80)
    )
    network = replace(network, rule=replace(network.rule, size=32, resize=80))
    backbone = make_backbone("timm:wide", network, "")
    assert backbone.network.module.pos_embed.shape == (1, 11, 32)
    found = position_similarity(backbone)
    assert (found.rows, found.cols) == (2, 5)


@pytest.mark.parametrize("name", FILTERS)
def test_planted_filters_are_found(name):
    """Filter 3 answers to red at its upper left corner, filter 4 to blue along its second row."""
    backbone = load(f"tiny:{name}")
    part = next(p for p in backbone.network.module.modules() if isinstance(p, nn.Conv2d) and p.weight.shape[1] == 3)
    side = backbone.patch
    part.weight.data[3:6] = 0
    part.weight.data[3, 0, 0, 0] = 7
    part.weight.data[4, 2, 1, :] = -2
    found = patch_filters(backbone, 6)
    assert found.shape == (6, side, side, 3) and found.dtype == np.float32
    corner, line = np.zeros((2, side, side, 3))
    corner[0, 0, 0] = 1
    line[:] = 1
    line[1, :, 2] = 0
    np.testing.assert_array_equal(found[3], corner)
    np.testing.assert_array_equal(found[4], line)
    np.testing.assert_array_equal(found[5], 0)
    assert found[0].min() == 0 and found[0].max() == 1


def test_a_narrow_network_has_fewer_filters_than_were_asked_for():
    assert patch_filters(load("tiny:vit")).shape == (32, 14, 14, 3)


def test_a_linear_layer_cuts_patches_row_by_row():
    backbone = load("tiny:vit")
    patch = nn.Module()
    patch.patch_embedding = nn.Linear(3 * 14 * 14, 8)
    weight = torch.zeros(8, 14, 14, 3)
    weight[1, 2, 5, 0] = 1
    patch.patch_embedding.weight.data = weight.view(8, -1)
    found = patch_filters(replace(backbone, network=replace(backbone.network, module=patch)), 2)
    assert found[1, 2, 5].tolist() == [1, 0, 0] and found.sum() == 1


def test_patches_cut_by_several_layers_have_no_filter():
    with pytest.raises(AnatomyError, match="several layers"):
        patch_filters(load("tiny:timm-xcit"))


def test_trained_positions_are_most_like_their_neighbours(packaged):
    found = position_similarity(packaged)
    assert (found.rows, found.cols) == (37, 37)
    here = found.cosine[18 * 37 + 18].reshape(37, 37)
    assert here[18, 18] == pytest.approx(1, abs=1e-5)
    near, far = np.mean([here[17, 18], here[19, 18], here[18, 17], here[18, 19]]), here[[0, 0, 36, 36], [0, 36, 0, 36]]
    assert near > 0.7 and near > far.max() + 0.3
