"""Targets: the gradients that flow back from them, what they say of themselves, and DAAM's own code read literally."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ingest.vision.attention.daam import contributions, honest_frames, seed_frames
from ingest.vision.attention.daam_heads import head_importance
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked, capture_target, explain_pictures
from ingest.vision.targets import (
    Bank,
    DirectionTarget,
    TargetError,
    fit_probe,
    label_probe,
    make_target,
    vote_coefficients,
)
from tests.support.attention import explain
from tests.vision import naive

CLASSIFIERS = ["vit-classifier", "deit-distilled-classifier", "timm-classifier", "timm-gap-classifier"]


def pictures(backbone, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(batch, 3, 3 * backbone.patch, 5 * backbone.patch, generator=generator, dtype=backbone.precision)


def bank_of(backbone, count: int = 12) -> Bank:
    vectors = np.random.default_rng(3).normal(size=(count, backbone.dim)).astype(np.float32)
    return Bank(np.arange(100, 100 + count), vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def projections(module) -> list[torch.nn.Module]:
    """The output projections of the blocks' attention, first to last."""
    endings = ("attn.proj", "attention.output.dense", "attention.o_proj", "out_proj")
    found = [part for name, part in module.named_modules() if name.endswith(endings) and "pool" not in name]
    return [part for part in found if isinstance(part, torch.nn.Linear)]


def gradients_by_hooks(backbone, score) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """z and ∂s/∂z of every block, (batch, tokens, heads * width), as the seed takes them: hooks on the projections."""
    inputs = []
    hooks = [
        part.register_forward_hook(lambda _m, given, _o: inputs.append(given[0]))
        for part in projections(backbone.network.module)
    ]
    backbone.network.module.requires_grad_(True)
    try:
        gradients = torch.autograd.grad(score().sum(), inputs)
    finally:
        backbone.network.module.requires_grad_(False)
        for hook in hooks:
            hook.remove()
    return inputs, list(gradients)


@pytest.mark.parametrize(
    "name", ["vit-classifier", "timm-classifier", "timm-gap-classifier", "deit-distilled-classifier"]
)
def test_gradients_are_those_that_hooks_on_the_projections_give(name):
    backbone = load(f"tiny:{name}", precision=torch.float64)
    pixels = pictures(backbone)
    answer, capture = capture_target(backbone, pixels, make_target("class:3", backbone))
    inputs, expected = gradients_by_hooks(backbone, lambda: backbone.network.classify(pixels)[:, 3])
    assert len(expected) == len(capture.layers) == 3
    for call, z, gradient in zip(capture.layers, inputs, expected, strict=True):
        flat = (part.transpose(1, 2).flatten(2) for part in (call.output, call.gradient))
        for found, wanted in zip(flat, (z, gradient), strict=True):
            torch.testing.assert_close(found, wanted.detach(), atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(answer.scores.double(), backbone.network.classify(pixels)[:, 3], atol=1e-5, rtol=0)
    assert answer.names == ("class:3",) * 3


def test_gradients_are_finite_differences_of_the_score():
    """Nudging one picture's z at one block changes its score by the gradient, through everything that follows."""
    backbone = load("tiny:timm-classifier", precision=torch.float64)
    pixels = pictures(backbone)
    _, capture = capture_target(backbone, pixels, make_target("class:5", backbone))
    random = torch.randn(3, 16, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def score(step: float, block: int) -> torch.Tensor:
        part = projections(backbone.network.module)[block]
        hook = part.register_forward_pre_hook(lambda _m, given: (given[0] + step * random,))
        with torch.no_grad():
            logits = backbone.network.classify(pixels)[:, 5]
        hook.remove()
        return logits

    for block in range(3):
        slope = (score(1e-5, block) - score(-1e-5, block)) / 2e-5
        gradient = capture.layers[block].gradient.transpose(1, 2).flatten(2)
        torch.testing.assert_close((gradient * random).sum(dim=(1, 2)), slope, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("name", [*CLASSIFIERS, "timm-xcit-classifier"])
def test_one_backward_pass_for_a_batch_equals_one_for_each_picture(name):
    backbone = load(f"tiny:{name}")
    target = make_target("class:predicted", backbone)
    pixels = pictures(backbone)
    if "xcit" in name:
        pixels = torch.randn(3, 3, 48, 80, generator=torch.Generator().manual_seed(2))
    answer, together = capture_target(backbone, pixels, target)
    for b in range(3):
        alone, one = capture_target(backbone, pixels[b : b + 1], target)
        assert alone.names[0] == answer.names[b]
        for call, own in zip(together.layers, one.layers, strict=True):
            scale = own.gradient.abs().max()
            torch.testing.assert_close(call.gradient[b : b + 1] / scale, own.gradient / scale, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", [*CLASSIFIERS, "dinov2-registers", "timm-xcit-classifier"])
def test_the_terms_of_all_tokens_add_up_to_the_output_of_the_head(name):
    """Σ_p Z[p] = z[CLS] (all tokens), so the terms add up to g · z."""
    backbone = load(f"tiny:{name}")
    direction = torch.randn(backbone.dim, generator=torch.Generator().manual_seed(5))
    target = DirectionTarget("north", lambda features, ids: direction.expand(len(features), -1))
    pixels = pictures(backbone) if "xcit" not in name else torch.randn(3, 3, 48, 80)
    _, capture = capture_target(backbone, pixels, target)
    for call in capture.layers:
        z = torch.einsum("bhp,bhpd->bhd", call.first, call.value)
        torch.testing.assert_close(z, call.output[:, :, 0], atol=1e-5, rtol=0)
        total = (call.output[:, :, 0] * call.gradient[:, :, 0]).sum(dim=-1)
        torch.testing.assert_close(contributions(call).sum(dim=-1), total, atol=1e-5, rtol=1e-4)
    if backbone.has_cls:
        expected = torch.stack([contributions(call).sum(dim=-1).abs() for call in capture.layers], dim=1)
        torch.testing.assert_close(head_importance(capture), expected, atol=1e-5, rtol=1e-4)


def test_importance_without_a_cls_token_is_that_of_all_queries():
    backbone = load("tiny:timm-gap-classifier")
    _, capture = capture_target(backbone, pictures(backbone), make_target("class:1", backbone))
    expected = np.abs(naive.daam_terms(replace(capture, positive=False), naive.matrices(capture)).sum(axis=-1))
    np.testing.assert_allclose(head_importance(capture).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_the_all_query_form_is_value_times_gradient_of_value():
    """FORMULAS 6: Σ_i A[i, p] ∂s/∂A[i, p] = v[p] · ∂s/∂v[p], the latter from autograd."""
    backbone = load("tiny:timm-gap-classifier", precision=torch.float64)
    pixels = pictures(backbone)
    _, capture = capture_target(backbone, pixels, make_target("class:2", backbone))
    terms = naive.daam_terms(replace(capture, positive=False), naive.matrices(capture))
    values = []

    def catch(_module, _given, qkv):
        values.append(qkv)

    parts = [part for name, part in backbone.network.module.named_modules() if name.endswith("attn.qkv")]
    hooks = [part.register_forward_hook(catch) for part in parts]
    backbone.network.module.requires_grad_(True)
    logits = backbone.network.classify(pixels)[:, 2].sum()
    gradients = torch.autograd.grad(logits, values)
    backbone.network.module.requires_grad_(False)
    for hook in hooks:
        hook.remove()
    for layer, (qkv, gradient) in enumerate(zip(values, gradients, strict=True)):
        product = (qkv * gradient)[..., 64:].detach().view(3, 15, 2, 16).sum(dim=-1).permute(0, 2, 1)
        np.testing.assert_allclose(terms[:, layer], product.numpy(), rtol=1e-5, atol=1e-8)


# ---- DAAM's code, read literally (SEEDS 2) ----------------------------------------------------------------------


def seeds_frames(blocks: list[np.ndarray], side: int) -> list[np.ndarray]:
    """The frames before they are resized, uint8."""
    total = np.zeros((side, side))
    accumulated = []
    for block in blocks:
        total = total + block
        accumulated.append(total)
    top = accumulated[-1].max()
    frames = []
    for gathered in accumulated:
        y = 1 / (1 + np.exp(-5 * gathered / top)) - 0.5
        frames.append((255 * (y - y.min()) / (y.max() - y.min())).astype(np.uint8))
    return frames


def seeds_blocks(backbone, score, relu: bool) -> list[np.ndarray]:
    """M_l of one square picture: A and v recomputed from qkv, the gradient from a hook on the projection."""
    module = backbone.network.module
    seen = []
    parts = [part for name, part in module.named_modules() if name.endswith("attn.qkv")]
    hooks = [part.register_forward_hook(lambda _m, _g, qkv: seen.append(qkv.detach())) for part in parts]
    _, gradients = gradients_by_hooks(backbone, score)
    for hook in hooks:
        hook.remove()
    blocks = []
    for qkv, gradient in zip(seen, gradients, strict=True):
        T = qkv.shape[1]
        q, k, v = qkv[0].view(T, 3, 2, 16).permute(1, 2, 0, 3).double()
        A = (q @ k.transpose(1, 2) * 16**-0.5).softmax(dim=-1)
        Z = (A[:, 0, :, None] * v).permute(1, 0, 2).reshape(T, 32)
        w = gradient[0, 0].double()
        M = (Z @ (w.relu() if relu else w)).relu()[1:]
        side = int((T - 1) ** 0.5)
        blocks.append(M.reshape(side, side).numpy())
    return blocks


def square(backbone) -> torch.Tensor:
    return torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(11))


def test_frames_of_the_supervised_code():
    backbone = load("tiny:timm-classifier")
    pixels = square(backbone)
    _, capture = capture_target(backbone, pixels, make_target("class:predicted", backbone))
    blocks = explain(capture, ["daam"])[0].weights[0].view(3, 4, 4).numpy()
    expected = seeds_blocks(backbone, lambda: backbone.network.classify(pixels).max(dim=1).values, relu=True)
    np.testing.assert_allclose(blocks, expected, atol=1e-5 * np.max(expected), rtol=0)
    ours, theirs = 255 * seed_frames(blocks), seeds_frames(expected, 4)
    assert np.abs(ours - np.array(theirs)).max() <= 1


def test_frames_of_the_self_supervised_code():
    backbone = load("tiny:timm-vit")
    pixels, bank = square(backbone), bank_of(backbone, 40)
    classes = [["cat", "dog", "owl"][i % 3] for i in range(40)]
    target = make_target("vote:animal", backbone, bank, lambda column: [frozenset([name]) for name in classes])
    _, capture = capture_target(backbone, pixels, target, image_ids=[None])
    blocks = explain(capture, ["daam"])[0].weights[0].view(3, 4, 4).numpy()

    # The seed's rule: the winning class among 20 neighbours, u, and c stretched to 0..1.
    f = backbone.process(pixels).features[0].double()
    unit, memory = f / f.norm(), torch.from_numpy(bank.vectors).double()
    sims = memory @ unit
    top = sorted(range(40), key=lambda i: -sims[i])[:20]
    votes = {}
    for i in top:
        votes[classes[i]] = votes.get(classes[i], 0) + np.exp(float(sims[i]) / 0.07)
    winner = max(votes, key=votes.get)
    u = torch.stack([unit * memory[i] for i in top if classes[i] == winner]).mean(dim=0)
    c = u / u.sum().abs()
    c = ((c - c.min()) / (c.max() - c.min())).float()
    expected = seeds_blocks(backbone, lambda: backbone.process(pixels).features @ c, relu=False)
    np.testing.assert_allclose(blocks, expected, atol=1e-5 * np.max(expected), rtol=0)
    ours, theirs = 255 * seed_frames(blocks), seeds_frames(expected, 4)
    assert np.abs(ours - np.array(theirs)).max() <= 1
    assert vote_coefficients(unit.float(), sims.float(), memory.float(), classes)[1] == winner


def test_honest_frames_grow_on_one_scale():
    blocks = np.random.default_rng(0).random((4, 3, 5))
    frames = honest_frames(blocks)
    np.testing.assert_allclose(frames, np.cumsum(blocks, axis=0) / blocks.sum(axis=0).max(), rtol=1e-6)
    assert (np.diff(frames, axis=0) >= 0).all() and frames[-1].max() == 1
    assert not honest_frames(np.zeros((3, 2, 2))).any() and not seed_frames(np.zeros((3, 2, 2))).any()


# ---- what targets say, and refuse ---------------------------------------------------------------------------------


def test_classes_by_number_by_name_and_predicted():
    backbone = load("tiny:vit-classifier")
    names = backbone.network.classes
    assert names == tuple(f"LABEL_{n}" for n in range(7))
    assert make_target("class:label_4", backbone).text == "class:4"
    answer, _ = capture_target(backbone, pictures(backbone), make_target("class:predicted", backbone))
    logits = backbone.network.classify(pictures(backbone)).softmax(dim=1)
    assert answer.names == tuple(f"class:{n}" for n in logits.argmax(dim=1).tolist())
    for prediction, row in zip(answer.predictions, logits, strict=True):
        assert prediction.name == names[prediction.number]
        assert prediction.probability == pytest.approx(float(row.max()), abs=1e-5)


def test_neighbours_are_the_nearest_without_the_picture_itself():
    backbone = load("tiny:dinov2")
    pixels, bank = pictures(backbone), bank_of(backbone)
    features = backbone.forward(pixels)
    vectors = bank.vectors.copy()
    vectors[4] = features[0].numpy()  # the first picture is image 104
    bank = Bank(bank.ids, vectors)
    target = make_target("neighbours:3", backbone, bank)
    direction = target.direction(features, [104, None, None])
    for row, own in zip(range(3), (4, None, None), strict=True):
        order = [i for i in np.argsort(-vectors @ features[row].numpy()) if i != own][:3]
        centroid = vectors[order].mean(axis=0)
        np.testing.assert_allclose(direction[row], centroid / np.linalg.norm(centroid), atol=1e-6)
    answer, _ = capture_target(backbone, pixels, target, image_ids=[104, None, None])
    torch.testing.assert_close(answer.scores, (features * direction).sum(dim=1), atol=1e-6, rtol=0)


def test_a_held_target_keeps_what_it_meant():
    """While the network forgets, the question stays: the same centroid, the same class."""
    backbone, other = load("tiny:dinov2"), load("tiny:vit")
    pixels, bank = pictures(backbone)[:1], bank_of(backbone)
    target = make_target("neighbours:3", backbone, bank)
    fixed = target.fixed(backbone, pixels, [None])
    direction = target.direction(backbone.forward(pixels), [None])
    torch.testing.assert_close(fixed.direction(other.forward(pixels), [None]), direction)
    capture_target(other, pixels, fixed, image_ids=[None])
    classifier = load("tiny:vit-classifier")
    number = int(classifier.network.classify(pixels).argmax())
    assert make_target("class:predicted", classifier).fixed(classifier, pixels, [None]).number == number


def test_a_pair_is_scored_by_its_cosine():
    backbone = load("tiny:dinov2")
    bank = bank_of(backbone)
    answer, _ = capture_target(backbone, pictures(backbone), make_target("image:107", backbone, bank))
    expected = backbone.forward(pictures(backbone)) @ torch.from_numpy(bank.vectors[7])
    torch.testing.assert_close(answer.scores, expected, atol=1e-6, rtol=0)
    assert answer.names == ("image:107",) * 3


def test_a_probe_finds_a_planted_direction_and_knows_when_there_is_none():
    random = np.random.default_rng(1)
    vectors = random.normal(size=(200, 16)).astype(np.float32)
    has = np.arange(200) % 4 == 0
    vectors[has, 3] += 4
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probe = fit_probe(vectors, has)
    assert probe.direction.argmax() == 3 and np.linalg.norm(probe.direction) == pytest.approx(1, abs=1e-5)
    assert probe.balanced_accuracy > 0.9 and probe.accuracy > 0.9 and probe.baseline == 0.75
    assert "50 of 200" in probe.sentence() and "75%" in probe.sentence()
    chance = fit_probe(vectors, random.permutation(has))
    assert chance.balanced_accuracy < 0.65
    few = fit_probe(vectors, np.arange(200) == 5)
    assert few.accuracy is None and "too few" in few.sentence()


def test_labels_and_tags():
    backbone = load("tiny:dinov2")
    bank = bank_of(backbone)
    sets = {
        "artist": [frozenset(["Hokusai"] if i < 5 else ["Monet"] if i < 10 else []) for i in range(12)],
        "tag": [frozenset(["boat", "sea"] if i in (2, 6) else []) for i in range(12)],
    }
    probe = label_probe("label:artist=Hokusai", bank, sets.get)
    assert (probe.pictures, probe.of) == (5, 10)  # two have no artist
    assert (label_probe("label:tag=boat", bank, sets.get).pictures, probe.folds) == (2, 5)
    target = make_target("label:artist=Hokusai", backbone, bank, sets.get)
    answer, _ = capture_target(backbone, pictures(backbone), target)
    expected = backbone.forward(pictures(backbone)) @ torch.from_numpy(probe.direction)
    torch.testing.assert_close(answer.scores, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cat", "is no target"),
        ("class:", "is no target"),
        ("class:7", "no class 7: its 7 classes"),
        ("class:cat", "no class called 'cat'"),
        ("class:LABEL", "several classes"),
        ("neighbours:few", "a number of neighbours"),
        ("neighbours:0", "a number of neighbours"),
        ("image:5", "holds no image 5"),
        ("image:x", "holds no image x"),
        ("label:artist", "is written label:COLUMN=VALUE"),
        ("label:artist=Rubens", "no picture of this run has 'Rubens'.*Hokusai"),
        ("label:school=Edo", "nothing to tell it from"),
        ("vote:year", "fewer than two"),
    ],
)
def test_wrong_targets_are_refused_with_a_sentence(text, reason):
    backbone = load("tiny:vit-classifier")
    sets = {"artist": [frozenset(["Hokusai"] if i else []) for i in range(12)], "school": [frozenset(["Edo"])] * 12}
    labels = lambda column: sets.get(column, [frozenset()] * 12)  # noqa: E731
    with pytest.raises(TargetError, match=reason):
        make_target(text, backbone, bank_of(backbone), labels)


def test_targets_that_need_what_is_not_there():
    backbone = load("tiny:dinov2")
    with pytest.raises(TargetError, match="has no classifier"):
        make_target("class:predicted", backbone)
    with pytest.raises(TargetError, match="stored features of a run"):
        make_target("neighbours:20", backbone)
    with pytest.raises(TargetError, match="a run of the same network"):
        make_target("image:1", backbone, Bank(np.array([1]), np.ones((1, 8), np.float32)))
    with pytest.raises(ValueError, match="it explains a target; name one"):
        explain_pictures(backbone, torch.zeros(1, 28, 28, 3, dtype=torch.uint8), [Asked("daam")])


def test_explaining_gives_targets_importance_and_predictions():
    backbone = load("tiny:timm-classifier")
    batch = torch.randint(0, 256, (2, 42, 70, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    asked = [Asked("daam"), Asked("rollout", {"fusion": "max"})]
    with torch.inference_mode():  # as a caller might have it
        found = explain_pictures(backbone, batch, asked, make_target("class:predicted", backbone))
    daam, rollout = found.maps
    assert daam.targets == found.targets == tuple(f"class:{p.number}" for p in found.predictions)
    assert rollout.targets == () and rollout.method == "rollout(fusion=max)"
    assert found.importance.shape == (2, 3, 2) and found.features is None
    assert not any(parameter.grad is not None for parameter in backbone.network.module.parameters())


def test_a_feature_of_an_inner_layer_owes_nothing_to_the_blocks_above_it():
    backbone = load("tiny:dinov2", layer=1)
    target = make_target("neighbours:2", backbone, bank_of(backbone))
    _, capture = capture_target(backbone, pictures(backbone), target, image_ids=[None] * 3)
    assert [bool(call.gradient.any()) for call in capture.layers] == [True, True, False]
