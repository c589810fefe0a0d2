"""Attention that is computed and read while the pass runs: equal to the formulas, and to a pass read afterwards."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from ingest.vision.attention import chain
from ingest.vision.attention.statistics import HeadStatistics
from ingest.vision.backbones import load
from ingest.vision.backbones.backbone import Backbone
from ingest.vision.explaining import Asked, explain_pictures, suits
from ingest.vision.tap import AttentionCall, Capture, ComputingTap, calls
from tests.vision import naive

# 1, 2, 5 and 0 prefix tokens, rotary positions, and a bias on the scores.
COMPUTED = ["vit", "timm-deit-distilled", "dinov2-registers", "timm-gap", "dinov3", "timm-beit"]
RECORDED = ["siglip", "timm-siglip", "timm-xcit"]
METHODS = ["cls", "received", "rollout", "rollout(fusion=max,residual=0.2)", "rollout(discard=0.5)", "rollout(start=1)", "hackathon", "flow"]  # fmt: skip
FORMULAS = {"rollout": naive.fused_rollout} | {
    key: getattr(naive, key) for key in ("cls", "received", "hackathon", "flow")
}


def pictures(backbone, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    rows, cols = (3, 5) if backbone.any_grid else (4, 4)
    shape = (batch, rows * backbone.patch, cols * backbone.patch, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def suited(backbone) -> list[Asked]:
    return [asked for asked in map(Asked.parse, METHODS) if suits(asked.method, backbone)]


def recorded(monkeypatch, *arguments, **more):
    """The same with softmax rows made after the pass."""
    with monkeypatch.context() as patch:
        patch.setattr(Backbone, "computable", False)
        return explain_pictures(*arguments, **more)


@pytest.fixture
def passes(monkeypatch) -> Counter:
    """Counts the blocks whose attention was computed so."""
    counts: Counter = Counter()
    compute = ComputingTap._compute

    def counted(self, asked):
        counts["computed"] += 1
        return compute(self, asked)

    monkeypatch.setattr(ComputingTap, "_compute", counted)
    return counts


@pytest.mark.parametrize("elements", [100, 10**9], ids=["tiles of one row", "one tile"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", COMPUTED)
def test_a_pass_that_is_read_as_it_runs_equals_one_read_afterwards(name, padded, elements, monkeypatch, passes):
    backbone = load(f"tiny:{name}")
    batch, asked = pictures(backbone), suited(backbone)
    cells = torch.ones(3, 15 if backbone.any_grid else 16, dtype=torch.bool)
    if padded:
        cells[1, 10:], cells[2, ::5] = False, False
    expected = recorded(monkeypatch, backbone, batch, asked, picture_cells=cells, statistics=True)
    assert not passes
    monkeypatch.setitem(calls.TILE_ELEMENTS, "cpu", elements)
    found = explain_pictures(backbone, batch, asked, picture_cells=cells, statistics=True)
    assert passes["computed"] == backbone.layers
    torch.testing.assert_close(found.features, expected.features, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.norms, expected.norms, atol=1e-5, rtol=1e-5)
    for maps, others in zip(found.maps, expected.maps, strict=True):
        assert (maps.method, maps.layers, maps.heads) == (others.method, others.layers, others.heads)
        torch.testing.assert_close(maps.weights, others.weights, atol=5e-6, rtol=0)
    for numbers, others in ((found.statistics, expected.statistics), (found.tokens, expected.tokens)):
        assert list(numbers) == list(others) and others
        for key, values in numbers.items():
            torch.testing.assert_close(values, others[key], atol=2e-5, rtol=2e-5, msg=key)


@pytest.mark.parametrize("name", COMPUTED)
def test_a_pass_that_is_read_as_it_runs_follows_the_formulas(name, passes):
    backbone = load(f"tiny:{name}")
    batch, asked = pictures(backbone), suited(backbone)
    found = explain_pictures(backbone, batch, asked, statistics=True)
    assert passes["computed"] == backbone.layers
    with torch.inference_mode():
        capture = backbone.capture(backbone.pixels(batch))[1]
    rows = naive.matrices(capture)
    for one, maps in zip(asked, found.maps, strict=True):
        expected = FORMULAS[one.key](capture, rows, **one.options)
        np.testing.assert_allclose(maps.weights.numpy(), expected, atol=5e-6, rtol=0, err_msg=one.name)
    for key, expected in naive.statistics(capture, rows).items():
        np.testing.assert_allclose(found.statistics[key].numpy(), expected, atol=1e-4, rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", RECORDED)
def test_a_network_whose_summary_comes_last_is_read_afterwards(name, passes):
    backbone = load(f"tiny:{name}")
    explain_pictures(backbone, pictures(backbone), suited(backbone), statistics=True)
    assert not passes


def test_what_needs_more_than_rows_is_read_afterwards(passes):
    backbone = load("tiny:vit")
    explain_pictures(backbone, pictures(backbone), [Asked("query"), Asked("rollout")])
    explain_pictures(backbone, pictures(backbone), [Asked("cls")])  # of which torch's own kernels make the least
    assert not passes


def test_a_pass_unlike_the_one_measured_is_read_afterwards(monkeypatch, passes):
    """A network with fewer blocks than were measured of it: no map of a layer that was never run."""
    backbone = load("tiny:vit")
    other = replace(backbone, layers=backbone.layers + 1)
    found = explain_pictures(other, pictures(other), [Asked("rollout")])
    expected = recorded(monkeypatch, backbone, pictures(backbone), [Asked("rollout")])
    assert passes["computed"] == backbone.layers
    assert found.maps[0].layers == expected.maps[0].layers
    torch.testing.assert_close(found.maps[0].weights, expected.maps[0].weights)


def test_large_matrices_wait_in_half_precision(monkeypatch):
    backbone = load("tiny:vit")
    batch, asked = pictures(backbone), [Asked("rollout"), Asked.parse("rollout(fusion=min)")]
    exact = explain_pictures(backbone, batch, asked).maps
    monkeypatch.setattr(chain, "LARGEST_EXACT", 1)
    for maps, others in zip(explain_pictures(backbone, batch, asked).maps, exact, strict=True):
        assert not torch.equal(maps.weights, others.weights)
        torch.testing.assert_close(maps.weights, others.weights, atol=1e-9, rtol=1e-3)


@pytest.mark.parametrize("first", [0.0, -40.0, -300.0], ids=["even", "small", "below what a float holds"])
@pytest.mark.parametrize("hidden", [False, True])
def test_entropy_holds_for_any_scores(first, hidden):
    """Against float64, with a first token that next to nobody attends to, and with tokens that a mask hides."""
    random = torch.Generator().manual_seed(1)
    query, key = (torch.randn(2, 3, 7, 8, generator=random) * 4 for _ in range(2))
    bias = torch.zeros(2, 3, 7, 7)
    bias[..., 0] = first
    if hidden:
        bias[..., 4] = -torch.inf
    call = AttentionCall(torch.zeros(2, 3, 7), 7, 0.5, bias, query, key)
    capture = Capture((call,), 2, 3, 1, True, 14, torch.ones(2, 6, dtype=torch.bool))
    reader = HeadStatistics(capture)
    reader.tile(call.tile(0, slice(0, 2), slice(0, 7), calls.Workspace(keeps_scores=True)))
    rows = torch.softmax(query.double() @ key.double().transpose(2, 3) * 0.5 + bias.double(), dim=-1)
    expected = torch.special.entr(rows)[:, :, 1:].sum(-1).mean(-1)
    torch.testing.assert_close(reader.values()["entropy_mean"][:, 0].double(), expected, atol=2e-5, rtol=0)
