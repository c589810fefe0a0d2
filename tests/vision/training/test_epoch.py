"""Steps of training: every weight learns, in every precision, and bags of unequal length are packed rightly."""

import numpy as np
import pytest
import torch

from ingest.vision.patches import PatchGrid
from ingest.vision.training.ips import IPSNet, LossSettings
from ingest.vision.training.ips.epoch import Batch, Trainer, pack
from ingest.vision.training.ips.localisation import localise
from tests.vision.training.test_ips import labels, settings


def trainer(precision="float32", **more) -> Trainer:
    torch.manual_seed(0)
    losses = LossSettings(semantic=1, diversity=1)
    return Trainer(IPSNet(settings(**more)), losses, 0.01, 0.1, 0, 4, precision)


def batch(sizes=(9, 7, 9, 2)) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch([torch.randn(size, 6, generator=generator) for size in sizes], labels(len(sizes)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_weight_learns_in_mixed_precision_too(precision):
    """Selecting comes first, without gradients, and must not leave weights behind that have none."""
    own = trainer(precision)
    own.train([batch()], torch.Generator().manual_seed(0))
    silent = [name for name, p in own.network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent
    assert own.step == 1 and own.rate == pytest.approx(0.01 * ((1 + np.cos(np.pi / 4)) / 2 * 0.999 + 0.001))


def test_bags_of_unequal_length_are_selected_from_as_alone():
    network = trainer().network.eval()
    own = batch()
    packed = pack(network, own.bags, None)
    assert packed.patches.shape[:2] == (4, 4) and packed.valid.sum(dim=1).tolist() == [4, 4, 4, 2]
    for row, (indices, scores) in enumerate(packed.selected()):
        alone = network.select(own.bags[row][None])
        assert indices.tolist() == alone.indices[0].tolist()
        np.testing.assert_allclose(scores, alone.scores[0].numpy(), atol=1e-6)
        torch.testing.assert_close(packed.patches[row, : len(indices)], own.bags[row][indices])


def test_a_loss_that_is_no_number_is_said():
    own, given = trainer(positions=False), batch()
    for parameter in own.network.outputs.parameters():
        parameter.data.fill_(torch.inf)
    with pytest.raises(ValueError, match=r"no number any more at step 1; take a smaller training.learning_rate$"):
        own.train([given], torch.Generator())


def test_localisation_of_planted_objects():
    """4 × 3 patches of 10 pixels: one object fills patch 5, another lies evenly on patches 2 and 3, a third is so small in
    patch 0 that it lies in it whole."""
    grid = PatchGrid(40, 30, (10, 10), (10, 10))
    objects = [(10, 10, 10, 10), (25, 0, 10, 10), (1, 1, 2, 2)]
    found = localise(grid, [5, 2, 11], objects)
    assert (found.patches, found.objects) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found.patches_random == pytest.approx(4 / 12)
    rng = np.random.default_rng(0)
    drawn = [localise(grid, rng.choice(12, 3, replace=False), objects) for _ in range(1500)]
    assert found.patches_random == pytest.approx(np.mean([each.patches for each in drawn]), abs=0.02)
    assert found.objects_random == pytest.approx(np.mean([each.objects for each in drawn]), abs=0.02)
