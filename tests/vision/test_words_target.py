"""The target `words:…`: the cosine of a picture's vector with a text's, and the gradients that flow back from it."""

import numpy as np
import pytest
import torch

from ingest.vision.attention.daam import contributions
from ingest.vision.backbones import load
from ingest.vision.explaining import Asked, capture_target, explain_pictures
from ingest.vision.targets import TargetError, make_target
from ingest.vision.words.opening import load_text_tower
from ingest.vision.words.tower import NoTextTower
from tests.support.words import save_joint

PIXELS = torch.randn(2, 3, 48, 80, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


@pytest.fixture(scope="module", params=["clip", "metaclip2", "siglip"])
def network(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return folder, save_joint(folder, request.param)


def expected(whole, text: np.ndarray) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Scores (batch,) and their gradients by what each block's attention gives, from the whole network and hooks."""
    inputs = []
    layers = [layer.self_attn.out_proj for layer in whole.vision_model.encoder.layers]
    hooks = [part.register_forward_pre_hook(lambda _, given: inputs.append(given[0])) for part in layers]
    features = whole.get_image_features(PIXELS, interpolate_pos_encoding=True).pooler_output
    scores = torch.nn.functional.cosine_similarity(features, torch.from_numpy(text).double()[None])
    gradients = torch.autograd.grad(scores.sum(), inputs)
    for hook in hooks:
        hook.remove()
    return scores.detach(), list(gradients)


def test_scores_and_gradients_are_those_of_the_whole_network(network):
    folder, whole = network
    backbone = load(f"hf:{folder}", precision=torch.float64)
    answer, capture = capture_target(backbone, PIXELS, make_target("words:a boat", backbone))
    text = load_text_tower(f"hf:{folder}").encode(["a boat"])[0]
    scores, gradients = expected(whole, text)
    torch.testing.assert_close(answer.scores.double(), scores, atol=2e-6, rtol=0)
    assert answer.names == ("words:a boat",) * 2
    for call, wanted in zip(capture.layers, gradients, strict=True):
        found = call.gradient.transpose(1, 2).flatten(2)
        torch.testing.assert_close(found.double(), wanted, atol=2e-6 * float(wanted.abs().max()) + 1e-9, rtol=1e-4)


@pytest.mark.parametrize("key", ["tiny:clip", "tiny:siglip"])
def test_the_terms_of_all_tokens_add_up_to_what_the_formula_says(key):
    """Σ_p Z[p] = z (all tokens), so DAAM's terms add up to g · z."""
    backbone = load(key)
    pixels = torch.randn(2, 3, 42, 70, generator=torch.Generator().manual_seed(7))
    _, capture = capture_target(backbone, pixels, make_target("words:a boat", backbone))
    for call in capture.layers:
        total = (call.output[:, :, 0] * call.gradient[:, :, 0]).sum(dim=-1)
        torch.testing.assert_close(contributions(call).sum(dim=-1), total, atol=1e-5, rtol=1e-4)


def test_every_method_that_explains_a_target_takes_words():
    from ingest.vision.attention import methods
    from ingest.vision.explaining import suits

    backbone = load("tiny:siglip")
    asked = [Asked(key) for key, method in methods().items() if method.needs_target and suits(method, backbone)]
    batch = torch.randint(0, 255, (2, 42, 70, 3), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    tower = load_text_tower("tiny:siglip")
    one, other = (
        explain_pictures(backbone, batch, asked, make_target(f"words: {words} ", backbone, encode=lambda words: tower.encode([words])[0]))
        for words in ("a boat", "a tree")
    )  # fmt: skip
    assert asked and one.targets == ("words:a boat",) * 2
    for first, second in zip(one.maps, other.maps, strict=True):
        assert torch.isfinite(first.weights).all() and not torch.allclose(first.weights, second.weights), first.method


def test_where_words_explain_nothing_it_is_said():
    with pytest.raises(NoTextTower, match="lie in no space with texts.*--model siglip2-base"):
        make_target("words:a boat", load("tiny:vit"))
    with pytest.raises(NoTextTower, match="--model siglip2-base"):
        make_target("words:a boat", load("tiny:clip", joint=False))
    with pytest.raises(TargetError, match="and words:TEXT"):
        make_target("words:  ", load("tiny:clip"))
