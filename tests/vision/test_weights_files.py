"""Weights files: the network in them is found by what fits, and its positions say what pictures it is for."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ingest.vision.backbones import BackboneError, checkpoint, load, load_for_run, registry
from ingest.vision.backbones.registry import Published
from ingest.vision.backbones.unwrapping import find_network, flatten, preference
from ingest.vision.embedding import observe

NAMING = {"patch.weight": (4, 3), "blocks.0.weight": (4, 4), "blocks.1.weight": (4, 4), "head.weight": (9, 4)}


def weights(seed=0, **more):
    torch.manual_seed(seed)
    return {name: torch.randn(more.get(name, shape)) for name, shape in NAMING.items() if name != "head.weight"}


def under(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


# Name: what a training code has saved with its own weights, and under which place the network lies.
FILES = {
    "plain": (lambda own: own, ""),
    "lightning": (lambda own: {"epoch": 3, "state_dict": under("model.teacher.backbone.", own)}, "state_dict.model.teacher.backbone"),
    "net": (lambda own: under("net.", own), "net"),
    "MoCo v3": (lambda own: {"state_dict": under("module.base_encoder.", own) | under("module.momentum_encoder.", weights(1)) | {"module.predictor.0.weight": torch.zeros(4, 4)}}, "state_dict.module.base_encoder"),
    "MoCo": (lambda own: under("encoder_q.", own) | under("encoder_k.", weights(1)), "encoder_q"),
    "DINO": (lambda own: {"student": under("module.backbone.", weights(1)), "teacher": under("backbone.", own), "optimizer": {"state": {0: {"exp_avg": torch.zeros(4, 4)}}}}, "teacher.backbone"),
    "I-JEPA": (lambda own: {"encoder": under("module.", weights(1)), "predictor": under("module.", weights(2)), "target_encoder": under("module.", own)}, "target_encoder.module"),
    "average": (lambda own: {"model": weights(1), "model_ema": own}, "model_ema"),
    "lightly": (lambda own: under("student_backbone.vit.", weights(1)) | under("teacher_backbone.vit.", own), "teacher_backbone.vit"),
    "compiled": (lambda own: under("_orig_mod.", own), ""),
    "blocks compiled": (lambda own: {"model": {name.replace("blocks.0.", "blocks.0._orig_mod."): each for name, each in own.items()}}, "model"),
    "sharded": (lambda own: {name.replace("blocks.", "blocks._fsdp_wrapped_module."): each for name, each in own.items()}, ""),
    "recomputed": (lambda own: under("module._orig_mod.", {name.replace(".weight", "._checkpoint_wrapped_module.weight"): each for name, each in own.items()}), "module"),
    "unheard of": (lambda own: {"a": {"b": [{"c": under("d.e.", own)}]}, "note": "hello", "n": 3}, "a.b.0.c.d.e"),
    "a smaller one beside it": (lambda own: {"teacher": {"patch.weight": torch.zeros(2, 3), "blocks.0.weight": torch.zeros(2, 2)}, "x": own}, "x"),
    "with a head": (lambda own: under("trunk.", own | {"head.weight": torch.zeros(5, 4)}) | {"proj.weight": torch.zeros(1)}, "trunk"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_the_network_is_found_by_what_fits(name):
    make, place = FILES[name]
    own = weights(7)
    found = find_network(flatten(make(own)), [{"other.weight": (1,)}, NAMING])
    assert (found.place, found.naming) == (place, 1)
    assert all(torch.equal(found.tensors[key], own[key]) for key in own)
    told = found.describe("w.pth")
    assert (place in told) if place else told == ""
    copies = {"MoCo v3": "momentum_encoder", "DINO": "student", "average": "model", "lightly": "student_backbone"}
    if name in copies:
        assert "fit alike" in told and copies[name] in told and told.endswith(f"{place} was taken.")


def test_what_fits_too_little_is_no_network():
    assert find_network({"blocks.0.weight": torch.zeros(1)}, [NAMING]) is None
    with pytest.raises(BackboneError, match="holds no named tensors"):
        flatten({"epoch": 3, "args": {"lr": 0.1}})


@pytest.mark.parametrize(
    ("better", "worse"),
    [("teacher.backbone.", "student.backbone."), ("ema.", "model."), ("", "decoder."), ("momentum_teacher.", "model.")],
)
def test_of_two_that_fit_alike_the_average_is_preferred(better, worse):
    assert preference(better) > preference(worse)


# ---- whole networks: a small DINOv2, registered with timm and among the published for this file ---------------------

MINI = "vit_mini_patch14_dinov2"


@pytest.fixture(scope="module")
def mini():
    import timm
    from timm.models import register_model
    from timm.models.vision_transformer import _create_vision_transformer

    def vit_mini_patch14_dinov2(pretrained=False, **more):
        shape = dict(patch_size=14, embed_dim=32, depth=2, num_heads=2, mlp_ratio=4, init_values=1.0, img_size=112)
        return _create_vision_transformer("vit_small_patch14_dinov2", pretrained=pretrained, **{**shape, **more})

    vit_mini_patch14_dinov2.__module__ = "timm.models.vision_transformer"
    if not timm.is_model(MINI):
        register_model(vit_mini_patch14_dinov2)
    published = Published("dinov2-mini", "dinov2", "none/none", MINI, 2, 2, 32, 14, 1, 1, "MIT", grid=112, size=56, resize=64)  # fmt: skip
    registry.PUBLISHED[published.key] = published
    torch.manual_seed(0)
    module = timm.create_model(MINI, num_classes=0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "norm" not in name and "gamma" not in name:
                weight.normal_(0, 0.3)
    yield module
    del registry.PUBLISHED[published.key]


def named_by_transformers(tensors):
    """DINOv2's own names as transformers has them in files."""
    plain = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj": "embeddings.patch_embeddings.projection",
        "norm": "layernorm",
    }
    inner = {"attn.proj": "attention.output.dense", "ls1.gamma": "layer_scale1.lambda1", "ls2.gamma": "layer_scale2.lambda1"}  # fmt: skip
    found = {"embeddings.mask_token": torch.zeros(1, 32)}
    for name, tensor in tensors.items():
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            place = f"encoder.layer.{number}."
            if rest.startswith("attn.qkv."):
                for which, part in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                    found[f"{place}attention.attention.{which}.{rest.rpartition('.')[2]}"] = part.clone()
                continue
            for old, new in inner.items():
                rest = rest.replace(old, new)
            found[place + rest] = tensor
            continue
        stem, _, last = name.rpartition(".")
        found[plain.get(name) or f"{plain[stem]}.{last}"] = tensor
    return found


def maps_of(backbone, size):
    rng = np.random.default_rng(1)
    batch = torch.from_numpy(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8))
    found = observe(backbone, batch, ["cls"])
    return found.maps[0].weights, found.features


@pytest.mark.parametrize("size", [(56, 56), (112, 112), (42, 84), (140, 140)])
def test_the_same_numbers_give_the_same_maps_whatever_they_are_called(mini, tmp_path, size):
    tensors = mini.state_dict()
    torch.save({"teacher": under("backbone.", tensors)}, tmp_path / "authors.pth")
    save_file(named_by_transformers(tensors), tmp_path / "hub.safetensors")
    files = [("dinov2-mini", "authors.pth"), ("dinov2-mini", "hub.safetensors"), (f"timm:{MINI}", "authors.pth")]
    backbones = [load(key, weights=tmp_path / file) for key, file in files]
    (one, features), *others = (maps_of(backbone, size) for backbone in backbones)
    for maps, feature in others:
        assert float((maps - one).abs().max()) <= 1e-4 * float(one.max())
        assert float((feature - features).abs().max()) <= 1e-4
    assert {backbone.settings()["positions"] for backbone in backbones} == {"bicubic, not antialiased"}
    assert all(backbone.network.fit == "aspect" for backbone in backbones)
    # It could fail: timm by itself antialiases where the table shrinks. Runs of before have that still.
    before = load_for_run({"model": f"timm:{MINI}", "weights": str(tmp_path / "authors.pth"), "layer": None})
    apart = float((maps_of(before, size)[0] - one).abs().max() / one.max())
    assert before.settings()["positions"] == "bicubic, antialiased"
    assert (apart > 0.005) == (size[0] < 112)


@pytest.mark.parametrize("by", ["timm", "authors", "transformers"])
@pytest.mark.parametrize("patches", [4, 8, 11])
def test_the_table_of_positions_says_what_pictures_the_file_is_for(mini, tmp_path, by, patches):
    tensors = dict(mini.state_dict())
    torch.manual_seed(2)
    tensors["pos_embed"] = torch.randn(1, 1 + patches**2, 32)
    named = named_by_transformers(tensors) if by == "transformers" else tensors
    save_file({name: tensor.contiguous() for name, tensor in named.items()}, tmp_path / "w.safetensors")
    backbone = load(f"timm:{MINI}" if by == "timm" else "dinov2-mini", weights=tmp_path / "w.safetensors")
    own = patches == 8
    assert backbone.rule.size == (14 * patches if not own else 112 if by == "timm" else 56)
    table = next(w for name, w in backbone.network.module.named_parameters() if "pos" in name and "embed" in name)
    assert torch.equal(table, tensors["pos_embed"])  # not stretched and shrunk back
    told = " ".join(backbone.network.assumed)
    assert (f"{patches} × {patches} positions: its usual input has {14 * patches}" in told) == (not own)


@pytest.mark.parametrize("prefix", ["model.teacher.backbone.", "net.", "base_encoder.", "module.visual_encoder."])
@pytest.mark.parametrize("key", ["dinov2-mini", f"timm:{MINI}"])
def test_weights_under_any_prefix_are_loaded(mini, tmp_path, key, prefix):
    torch.save({"state_dict": under(prefix, mini.state_dict()), "epoch": 1}, tmp_path / "w.pth")
    backbone = load(key, weights=tmp_path / "w.pth")
    assert checkpoint.weights_sha256(backbone.network.module) == checkpoint.weights_sha256(mini)
    (told,) = backbone.network.assumed
    assert prefix.rstrip(".") in told and told in backbone.settings()["note"]


@pytest.mark.parametrize("key", ["dinov2-mini", f"timm:{MINI}"])
def test_a_network_of_other_patches_is_refused(mini, tmp_path, key):
    filters = torch.nn.functional.interpolate(mini.state_dict()["patch_embed.proj.weight"], (8, 8))
    torch.save({"model": mini.state_dict() | {"patch_embed.proj.weight": filters}}, tmp_path / "w.pth")
    with pytest.raises(BackboneError, match="patches of 8 × 8 pixels, and .* has 14 × 14"):
        load(key, weights=tmp_path / "w.pth")
