import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ingest.vision.attention.cls import cls_rows
from ingest.vision.backbones import BackboneError, load, make_backbone
from ingest.vision.backbones.from_timm import load_timm
from ingest.vision.tap import NotAVisionTransformer, Tap
from tests.vision import naive

TRANSFORMERS = ["vit", "deit-distilled", "dinov2", "dinov2-registers", "dinov3", "clip", "siglip"]
TIMM = ["timm-vit", "timm-deit-distilled", "timm-registers", "timm-dinov3", "timm-gap", "timm-siglip", "timm-eva"]
FIXED_SIZE = {"timm-beit": (56, 56), "timm-xcit": (64, 96), "timm-cait": (64, 64)}
PREFIX = {
    "vit": 1, "deit-distilled": 2, "dinov2": 1, "dinov2-registers": 5, "dinov3": 5, "clip": 1, "siglip": 0,
    "timm-vit": 1, "timm-deit-distilled": 2, "timm-registers": 5, "timm-dinov3": 5, "timm-gap": 0, "timm-siglip": 0,
    "timm-eva": 1, "timm-beit": 1, "timm-xcit": 1, "timm-cait": 1,
}  # fmt: skip


def pictures(name: str, batch: int = 3) -> torch.Tensor:
    height, width = FIXED_SIZE.get(name, (56, 84))  # 4 × 6 patches
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1)) * 4 - 2


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_rows_equal_what_transformers_calls_attentions(name):
    backbone = load(f"tiny:{name}")
    pixels = pictures(name)
    with torch.inference_mode():
        features, capture = backbone.capture(pixels)
        module = backbone.network.module
        module.set_attn_implementation("eager")
        resizes = {} if name.startswith("dino") else {"interpolate_pos_encoding": True}
        attentions = module(pixel_values=pixels, output_attentions=True, **resizes).attentions
    assert len(attentions) == len(capture.layers) == 3
    assert capture.prefix_tokens == backbone.prefix_tokens == PREFIX[name]
    assert (capture.rows, capture.cols) == (4, 6)
    for call, expected in zip(capture.layers, attentions, strict=True):
        torch.testing.assert_close(call.rows(), expected, atol=3e-6, rtol=0)
    torch.testing.assert_close(cls_rows(capture)[:, 1], attentions[1][:, :, 0], atol=3e-6, rtol=0)


@pytest.mark.parametrize("name", [*TIMM, *FIXED_SIZE])
def test_rows_equal_the_softmax_inside_timm_without_its_fused_kernel(name):
    backbone = load(f"tiny:{name}")
    pixels = pictures(name)
    module, seen = backbone.network.module, []
    with torch.inference_mode():
        _, capture = backbone.capture(pixels)
        blocks = getattr(module, "blocks_token_only", None) or getattr(module, "cls_attn_blocks", None) or module.blocks
        for block in blocks:
            block.attn.fused_attn = False
            block.attn.attn_drop.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
        backbone.forward(pixels)
    assert len(seen) == len(capture.layers) == backbone.layers
    assert capture.prefix_tokens == PREFIX[name]
    for call, expected in zip(capture.layers, seen, strict=True):
        torch.testing.assert_close(call.rows(), expected, atol=3e-6, rtol=0)


def test_the_forward_pass_is_unchanged_by_the_tap():
    backbone = load("tiny:dinov2")
    pixels = pictures("dinov2")
    with torch.inference_mode():
        features, _ = backbone.capture(pixels)
        assert torch.equal(features, backbone.forward(pixels))


@pytest.mark.parametrize("case", ["none", "scale", "additive", "per head", "boolean", "shared keys"])
def test_every_form_of_the_call_is_understood(case):
    generator = torch.Generator().manual_seed(2)
    query, key, value = (torch.randn(2, 4, 7, 8, generator=generator) for _ in range(3))
    bias = torch.randn(7, 7, generator=generator)
    extra = {
        "none": {},
        "scale": {"scale": 0.9},
        "additive": {"attn_mask": bias},
        "per head": {"attn_mask": torch.randn(1, 4, 7, 7, generator=generator)},
        "boolean": {"attn_mask": (bias > -1) | torch.eye(7, dtype=torch.bool)},
        "shared keys": {"enable_gqa": True},
    }[case]
    if case == "shared keys":
        key, value = key[:, :2], value[:, :2]
    with Tap() as tap:
        output = F.scaled_dot_product_attention(query, key, value, **extra)
    (call,) = tap.calls
    rows = naive.softmax_rows(call)
    np.testing.assert_allclose(call.rows().numpy(), rows, atol=1e-6)
    # The rows are those the kernel used: together with the values they give its output.
    np.testing.assert_allclose(np.einsum("bhij,bhjd->bhid", rows, call.value.double().numpy()), output, atol=1e-5)


def test_a_causal_call_is_refused():
    query = torch.randn(1, 1, 3, 4)
    with pytest.raises(NotAVisionTransformer, match="reads text"), Tap():
        F.scaled_dot_product_attention(query, query, query, is_causal=True)


def test_half_precision_and_strided_input_give_float32_rows():
    base = torch.randn(1, 9, 3, 2, 8, generator=torch.Generator().manual_seed(3))  # batch, tokens, qkv, heads, width
    query, key, value = base.permute(2, 0, 3, 1, 4)
    with Tap() as tap:
        F.scaled_dot_product_attention(query, key, value)
        F.scaled_dot_product_attention(*(t.to(torch.bfloat16) for t in (query, key, value)))
    assert not query.is_contiguous()
    exact, half = tap.calls
    np.testing.assert_allclose(exact.rows().numpy(), naive.softmax_rows(exact), atol=1e-6)
    assert half.rows().dtype == torch.float32
    np.testing.assert_allclose(half.rows().numpy(), naive.softmax_rows(half), atol=1e-6)
    torch.testing.assert_close(half.rows().sum(-1), torch.ones(1, 2, 9), atol=1e-6, rtol=0)


def test_threads_do_not_see_each_other():
    query = torch.randn(1, 2, 5, 4)
    counts, barrier = {}, threading.Barrier(2)

    def work(calls: int) -> None:
        with Tap() as tap:
            barrier.wait()
            for _ in range(calls):
                F.scaled_dot_product_attention(query, query, query)
            barrier.wait()
        counts[calls] = len(tap.calls)

    threads = [threading.Thread(target=work, args=(n,)) for n in (3, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {3: 3, 50: 50}


def test_windowed_attention_is_refused_with_a_sentence():
    network = load_timm("swin_tiny_patch4_window7_224", pretrained=False, embed_dim=24, depths=(1, 1, 1, 1))
    with pytest.raises(BackboneError, match="plain vision transformer|one grid"):
        make_backbone("timm:swin", network, "")
