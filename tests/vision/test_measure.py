"""Networks are asked what they are: where their tokens lie, what is read, whether passes agree, which sizes they take."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ingest.measurements import Measurements
from ingest.vision import described
from ingest.vision.attention import methods, walk
from ingest.vision.attention.daam_heads import head_importance
from ingest.vision.attention.statistics import HeadStatistics, token_statistics
from ingest.vision.backbones import BackboneError, load, make_backbone
from ingest.vision.backbones.measure import Measured
from ingest.vision.explaining import Asked, capture_target, explain_pictures, suits
from ingest.vision.faithfulness import faithfulness
from ingest.vision.targets import make_target
from ingest.vision.token_pca import patch_tokens
from tests.support.attention import explain
from tests.vision import naive, strangers
from tests.vision.strangers import PoolsPatches, Stranger


def backbone_of(module: nn.Module, **more):
    return make_backbone("a stranger", strangers.network(module, **more), "")


# ---- tokens in other places --------------------------------------------------------------------------------------

# Name: (how the tokens lie, what the feature is read from, special tokens, those before the patches, reading order)
TWINS = {
    "special tokens last": (strangers.last, "at -3", 3, 0, True),
    "on both sides": (strangers.around, "at 0", 3, 1, True),
    "CLS behind its registers": (strangers.cls_behind, "at 2", 3, 3, True),
    "patches backwards": (strangers.backwards, "at 0", 1, 1, False),
    "between the patches": (strangers.interleaved, "between", 1, 0, False),
}


class Between(Stranger):
    def pooled(self, tokens):
        rows, cols = self.grid
        return tokens[:, (rows * cols + 1) // 2]


@pytest.fixture(scope="module", params=TWINS)
def twins(request):
    """A network with its tokens in other places, the plain one with the same weights, and what is right of the first."""
    lay, pool, special, before, reading_order = TWINS[request.param]
    other = (Between if pool == "between" else Stranger)(special, lay, pool)
    backbone = backbone_of(other)
    plain = backbone_of(Stranger(special))
    plain.network.module.load_state_dict(other.state_dict())
    return backbone, plain, (special, before, reading_order)


def test_the_places_of_tokens_are_measured(twins):
    backbone, plain, (special, before, reading_order) = twins
    found = backbone.measured
    assert (found.special, found.before, found.reading_order) == (special, before, reading_order)
    assert (found.summary, found.score, found.sizes, found.notes) == ("cls", "cls", "any", ())
    assert backbone.has_cls and backbone.prefix_tokens == special and plain.measured.standard
    assert not found.standard
    assert Measured.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def batch(rows: int, cols: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (2, rows * 8, cols * 8, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("grid", [(4, 4), (3, 6)])
def test_every_method_gives_the_maps_of_the_plain_twin(twins, grid):
    backbone, plain, _ = twins
    names = [name for name, method in methods().items() if suits(method, backbone)] + ["query(token=special0)"]
    assert len(names) > 9
    target = make_target("class:1", backbone)
    found, expected = (
        explain_pictures(one, batch(*grid), [Asked.parse(name) for name in names], target, statistics=True)
        for one in (backbone, plain)
    )
    for ours, theirs in zip(found.maps, expected.maps, strict=True):
        scale = float(theirs.weights.max())
        assert scale > 0
        np.testing.assert_allclose(ours.weights / scale, theirs.weights / scale, atol=1e-5, err_msg=ours.method)
    for name, values in expected.statistics.items():
        np.testing.assert_allclose(found.statistics[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    torch.testing.assert_close(found.importance, expected.importance, rtol=1e-4, atol=1e-5)


def test_what_else_is_read_of_tokens_is_that_of_the_plain_twin(twins):
    from PIL import Image

    backbone, plain, _ = twins
    found, expected = (explain_pictures(one, batch(4, 4), [Asked("cls")], statistics=True) for one in (backbone, plain))
    torch.testing.assert_close(found.features, expected.features, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.maps[0].weights, expected.maps[0].weights, atol=1e-6, rtol=0)
    for name, value in expected.tokens.items():
        torch.testing.assert_close(found.tokens[name], value)
    picture = Image.fromarray(batch(4, 4)[0].numpy())
    ours, theirs = (patch_tokens(one, picture)[0] for one in (backbone, plain))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    pixels = backbone.pixels(batch(4, 4)[:1])
    ranks = np.arange(16.0).reshape(4, 4)
    ours, theirs = (faithfulness(one, pixels, ranks, steps=8, orders=1).deletion for one in (backbone, plain))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_head_that_pools_patches_in_another_order_weighs_the_right_ones():
    """Patches backwards, behind two registers that the head leaves out."""
    ours, plain = (
        make_backbone(
            "pools", replace(strangers.network(PoolsPatches(2, lay, lambda tokens: tokens[:, 2:])), has_cls=False), ""
        )
        for lay in (strangers.backwards, None)
    )
    plain.network.module.load_state_dict(ours.network.module.state_dict())
    assert ours.pools and not ours.measured.standard and ours.measured.summary == "patches"
    found, expected = (
        explain_pictures(one, batch(3, 4), [Asked("pooling"), Asked("rollout")]).maps for one in (ours, plain)
    )
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.weights, theirs.weights, atol=1e-6, rtol=0)
    assert found[0].weights.std() > 0.01


def test_registers_alone_are_no_cls():
    backbone = make_backbone("gap", replace(strangers.network(Stranger(2, pool="patches")), has_cls=False), "")
    assert backbone.prefix_tokens == 2 and backbone.measured.cls is None and not backbone.has_cls


# ---- networks without one order, or that cannot be asked ----------------------------------------------------------


@pytest.mark.parametrize(
    ("lay", "says"),
    [
        (strangers.shuffled, "two passes over one picture differ: it shuffles or hides patches"),
        (strangers.shuffled_together, "two passes over one picture differ: it shuffles or hides patches"),
        (strangers.dropped, "does not lie on one grid"),
        (strangers.merged, "drops or merges patches"),
    ],
)
def test_no_order_is_refused_in_one_sentence(lay, says):
    with pytest.raises(BackboneError, match=f"a stranger cannot be used: .*{says}") as refused:
        backbone_of(Stranger(1, lay, "cls"))
    assert "\n" not in str(refused.value)


class Dice(Stranger):
    def pooled(self, tokens):
        return super().pooled(tokens) + torch.rand(16)


def test_a_feature_that_is_drawn_anew_is_refused():
    with pytest.raises(BackboneError, match="two passes over one picture differ: it draws something at random"):
        backbone_of(Dice(1))


class Raises(Stranger):
    def forward(self, pixels):
        raise KeyError("spatial\nshapes")


def test_whatever_the_first_pass_raises_is_one_sentence():
    with pytest.raises(
        BackboneError, match="a stranger cannot be used: its first pass, over 32 × 32 pixels"
    ) as refused:
        backbone_of(Raises(1))
    assert "\n" not in str(refused.value) and "Error" not in str(refused.value)


def test_without_weights_for_patches_the_order_is_assumed_and_told():
    network = strangers.network(Stranger(1))
    network.module.embed.weight.data.zero_()
    measured = make_backbone("blind", network, "").measured
    assert (measured.special, measured.before) == (1, 1)
    assert "assumed" in measured.notes[0] and "no patch of a picture changes a token" in measured.notes[0]


def test_a_name_that_promises_other_tokens_is_contradicted():
    network = replace(strangers.network(Stranger(3)), special_tokens=1)
    assert make_backbone("liar", network, "").measured.notes == (
        "its name promises 1 special tokens, and 3 were measured: these count",
    )


def test_patches_are_found_behind_a_stem_that_mixes_them():
    stem = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.GELU(), nn.Conv2d(8, 8, 3, 2, 1), nn.GELU(), nn.Conv2d(8, 16, 3, 2, 1)
    )
    measured = backbone_of(Stranger(2, stem=stem)).measured
    assert (measured.special, measured.before, measured.reading_order, measured.notes) == (2, 2, True, ())


# ---- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "summary", "queries"), [("cls", "cls", (0,)), ("mean", "patches", None), ("all", "both", None)]
)
def test_evidence_goes_through_the_tokens_that_the_score_is_read_from(pool, summary, queries):
    backbone = backbone_of(Stranger(1, pool=pool))
    assert (backbone.measured.summary, backbone.measured.score) == (summary, summary)
    assert backbone.has_cls
    _, capture = capture_target(backbone, backbone.pixels(batch(3, 4)), make_target("class:2", backbone))
    assert capture.evidence_queries == queries
    names = ["daam", "daam_heads", "chefer", "gradient_rollout"]
    rows = naive.matrices(capture)
    for maps in explain(capture, names):
        expected = getattr(naive, maps.method)(capture, rows)
        last_block = maps.weights.view(2, len(maps.layers), -1)[:, -1]
        assert maps.method == "daam_heads" or float(last_block.max()) > 0
        np.testing.assert_allclose(maps.weights.numpy(), expected, atol=5e-6 * max(1, expected.max()))
    terms = naive.daam_terms(replace(capture, positive=False), rows).sum(axis=-1)
    np.testing.assert_allclose(head_importance(capture).numpy(), np.abs(terms), rtol=1e-4, atol=1e-6)
    assert (head_importance(capture) > 1e-6).all()
    reader = HeadStatistics(capture)
    walk(capture, [reader])
    assert "mass_cls" in reader.values() and token_statistics(capture) == {}


@pytest.mark.parametrize(("name", "queries"), [("deit-distilled-classifier", (0, 1)), ("vit-classifier", (0,))])
def test_a_class_that_two_special_tokens_vote_for_has_the_evidence_of_both(name, queries):
    backbone = load(f"tiny:{name}")
    pixels = torch.randn(2, 3, 42, 56, generator=torch.Generator().manual_seed(1))
    _, capture = capture_target(backbone, pixels, make_target("class:1", backbone))
    assert capture.evidence_queries == queries
    rows = naive.matrices(capture)
    for maps in explain(capture, ["daam", "chefer", "daam_heads"]):
        expected = getattr(naive, maps.method)(capture, rows)
        np.testing.assert_allclose(maps.weights.numpy(), expected, atol=5e-6 * max(1, expected.max()))


def test_a_pooling_head_that_the_score_is_not_read_through_does_not_weigh_its_evidence():
    import transformers

    from ingest.vision.backbones.from_transformers import network_of
    from ingest.vision.backbones.tiny import _RULE, _SHAPE

    config = transformers.SiglipConfig(vision_config=_SHAPE | {"patch_size": 14, "image_size": 56}, num_labels=5)
    backbone = make_backbone(
        "siglip", network_of(transformers.SiglipForImageClassification(config), _RULE, "siglip"), ""
    )
    assert backbone.pools and (backbone.measured.summary, backbone.measured.score) == ("patches", "patches")
    _, capture = capture_target(backbone, torch.randn(1, 3, 56, 56), make_target("class:1", backbone))
    assert not capture.through_pooling
    torch.testing.assert_close(capture.evidence_query(), torch.full((1, 16), 1 / 16))
    close = explain(capture, ["chefer"])[0].weights.numpy()
    np.testing.assert_allclose(close, naive.chefer(capture, naive.matrices(capture)), atol=1e-5 * close.max())


# ---- what is said and remembered -----------------------------------------------------------------------------------


def test_what_was_measured_reads_as_sentences():
    measured = load("tiny:timm-eva").measured.as_dict()
    assert described.one_line(measured, 16) == (
        "Patches: tokens 1–16 of 17, in reading order; special tokens: CLS; summary read from the patches; "
        "two passes agree; takes any grid."
    )
    for method in ("cls", "rollout", "rollout(start=1)"):
        assert "not from the CLS token" in described.warning(measured, method)
    assert not described.warning(measured, "received") and not described.warning(None, "cls")
    plain = load("tiny:dinov2-registers").measured.as_dict()
    assert "CLS and 4 others; summary read from the CLS token" in described.one_line(plain, 16)
    assert not described.warning(plain, "cls")
    none = load("tiny:siglip").measured.as_dict()
    assert "tokens 0–15 of 16, in reading order; no special tokens, so no CLS" in described.one_line(none, 16)
    assert not described.has_cls(none, 0)
    assert described.has_cls(None, 1)


def test_a_network_is_measured_once(tmp_path, monkeypatch):
    from ingest.vision.backbones import opening

    kept = Measurements(tmp_path / "measured")
    first = load("tiny:siglip", measurements=kept)
    assert len(kept) == len(list((tmp_path / "measured").iterdir())) == 1
    monkeypatch.setattr(opening, "measure", None)  # would raise
    again = load("tiny:siglip", measurements=Measurements(tmp_path / "measured"))
    assert again.measured == first.measured and again.network.feature == first.network.feature
    assert not again.has_cls and again.dim == first.dim
    pixels = torch.randn(1, 3, 56, 56)
    assert torch.equal(again.forward(pixels), first.forward(pixels))
    next((tmp_path / "measured").iterdir()).write_text("{}")
    monkeypatch.undo()
    assert load("tiny:siglip", measurements=Measurements(tmp_path / "measured")).measured == first.measured


def test_measurements_that_cannot_be_written_last_as_long_as_the_process(tmp_path):
    (tmp_path / "file").write_text("")
    kept = Measurements(tmp_path / "file" / "measured")
    kept["name"] = {"a": 1}
    assert dict(kept) == {"name": {"a": 1}}
    del kept["name"]
    assert not kept


@pytest.mark.parametrize("name", ["timm-beit", "timm-cait"])
def test_a_size_that_a_network_does_not_take_is_refused_in_one_sentence(name):
    backbone = load(f"tiny:{name}")
    assert backbone.measured.sizes == "own"
    backbone.check_size(backbone.rule.size)
    own = f"{backbone.rule.size} × {backbone.rule.size} pixels"
    with pytest.raises(BackboneError, match=f"does not take squares of .*leave --size out: it takes {own}") as refused:
        backbone.check_size(backbone.rule.size + 2 * backbone.patch)
    assert "\n" not in str(refused.value)
    with pytest.raises(BackboneError, match="aspect is not for it"):
        backbone.check_fit("aspect")
