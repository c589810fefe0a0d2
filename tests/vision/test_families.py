"""Published families of both libraries, as tiny random networks: each says of itself what its makers say of it."""

import json

import pytest
import torch

from ingest.vision.backbones import PUBLISHED, BackboneError, load, make_backbone
from ingest.vision.backbones.from_timm import load_timm
from ingest.vision.backbones.from_transformers import network_of
from ingest.vision.explaining import Asked, explain_pictures
from ingest.vision.geometry import InputRule
from ingest.vision.targets import make_target

SMALL = dict(embed_dim=32, depth=2, num_heads=2)
TINY = SMALL | dict(img_size=64)
BARE = dict(img_size=64)

# timm's name: (special tokens, whether one is CLS, what the feature is read from, sizes, arguments)
TIMM = {
    "vit_tiny_patch16_224": (1, True, "cls", "any", TINY),
    "vit_base_patch32_224": (1, True, "cls", "any", TINY),
    "vit_base_patch8_224": (1, True, "cls", "any", TINY),
    "vit_base_patch16_224_miil": (1, True, "cls", "any", TINY),
    "vit_medium_patch16_gap_240": (0, False, "patches", "any", TINY),
    "vit_small_patch16_18x2_224": (1, True, "cls", "any", TINY),
    "vit_small_patch16_36x1_224": (1, True, "cls", "any", TINY),
    "vit_base_patch16_xp_224": (1, True, "cls", "any", TINY),
    "vit_base_patch16_clip_224": (1, True, "cls", "any", TINY),
    "vit_base_patch16_clip_quickgelu_224": (1, True, "cls", "any", TINY),
    "vit_base_patch32_plus_256": (1, True, "cls", "any", TINY),
    "vit_huge_patch14_gap_224": (0, False, "patches", "any", TINY),
    "vit_base_patch16_rope_reg1_gap_256": (1, False, "patches", "any", TINY),
    "vit_betwixt_patch16_rope_reg4_gap_256": (4, False, "patches", "any", TINY),
    "vit_base_patch16_siglip_224": (0, False, "patches", "any", TINY),
    "vit_base_patch16_siglip_gap_224": (0, False, "patches", "any", TINY),
    "vit_so150m_patch16_reg4_gap_256": (4, False, "patches", "any", TINY),
    "vit_so150m_patch16_reg4_map_256": (4, False, "patches", "any", TINY),
    "vit_medium_patch16_reg1_gap_256": (1, False, "patches", "any", TINY),
    "vit_dlittle_patch16_reg1_gap_256": (1, False, "patches", "any", TINY),
    "vit_dpwee_patch16_reg1_gap_256": (1, False, "patches", "any", TINY),
    "vit_small_patch16_dinov3": (5, True, "cls", "any", TINY),
    "vit_small_plus_patch16_dinov3": (5, True, "cls", "any", TINY),
    "vit_pe_core_tiny_patch16_384": (1, True, "both", "any", TINY),
    "naflexvit_base_patch16_par_gap": (4, False, "patches", "any", SMALL),
    "naflexvit_base_patch16_map": (1, False, "patches", "any", SMALL),
    "naflexvit_base_patch16_siglip": (0, False, "patches", "any", SMALL),
    "naflexvit_base_patch16_radio_v3": (8, True, "cls", "any", SMALL),
    "vit_pe_spatial_base_patch16_512": (1, True, "patches", "any", TINY),
    "vit_small_patch16_rope_224": (1, True, "cls", "any", TINY),
    "vit_base_patch16_rope_mixed_224": (1, True, "cls", "any", TINY),
    "vit_base_patch16_rope_ape_224": (1, True, "cls", "any", TINY),
    "vit_intern300m_patch14_448": (1, True, "cls", "any", SMALL | dict(img_size=56)),
    "aimv2_large_patch14_224": (0, False, "patches", "any", SMALL | dict(img_size=56)),
    "deit_tiny_patch16_224": (1, True, "cls", "any", TINY),
    "deit_tiny_distilled_patch16_224": (2, True, "cls", "any", TINY),
    "deit3_small_patch16_224": (1, True, "cls", "any", TINY),
    "beit_base_patch16_224": (1, True, "patches", "own", TINY),
    "beitv2_base_patch16_224": (1, True, "patches", "own", TINY),
    "beit3_base_patch16_224": (1, True, "patches", "any", TINY),
    "eva_large_patch14_196": (1, True, "patches", "any", SMALL | dict(img_size=56)),
    "eva02_tiny_patch14_224": (1, True, "patches", "any", SMALL | dict(img_size=56)),
    "eva02_base_patch16_clip_224": (1, True, "cls", "any", TINY),
    "flexivit_small": (1, True, "cls", "any", TINY),
    "vit_small_patch14_dinov2": (1, True, "cls", "any", SMALL | dict(img_size=56)),
    "vit_small_patch14_reg4_dinov2": (5, True, "cls", "any", SMALL | dict(img_size=56)),
    "vit_relpos_small_patch16_224": (0, False, "patches", "own", TINY),
    "vit_relpos_base_patch16_cls_224": (1, True, "cls", "own", TINY),
    "vit_relpos_base_patch16_clsgap_224": (1, True, "patches", "own", TINY),
    "vit_srelpos_small_patch16_224": (0, False, "patches", "own", TINY),
    "vit_tiny_r_s16_p8_224": (1, True, "cls", "any", TINY),
    "cait_xxs24_224": (1, True, "cls", "own", TINY),
    "xcit_nano_12_p16_224": (1, True, "cls", "any", SMALL),
    "xcit_nano_12_p8_224": (1, True, "cls", "any", SMALL),
}


@pytest.mark.parametrize("name", TIMM)
def test_timms_families_are_measured(name):
    special, has_cls, summary, sizes, arguments = TIMM[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        backbone = make_backbone(f"timm:{name}", load_timm(name, pretrained=False, **arguments), "")
    found = backbone.measured
    assert (found.special, backbone.prefix_tokens, found.before) == (special, special, special)
    assert (backbone.has_cls, found.summary, found.sizes) == (has_cls, summary, sizes)
    assert found.reading_order and found.notes == ()
    # What `run` does with it: maps and all statistics.
    side = backbone.rule.size if sizes == "own" else 4 * backbone.patch
    batch = torch.randint(0, 256, (1, side, side, 3), dtype=torch.uint8)
    asked = [Asked("cls" if has_cls else "received"), Asked("rollout")]
    explained = explain_pictures(backbone, batch, asked, statistics=True)
    assert explained.maps[0].weights.shape[2] == (side // backbone.patch) ** 2


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "samvit_base_patch16_224", "nest_tiny"])
def test_windowed_families_are_refused_in_one_sentence(name):
    arguments = {"swin_tiny_patch4_window7_224": dict(embed_dim=24, depths=(1, 1)), "samvit_base_patch16_224": TINY}
    network = load_timm(name, pretrained=False, **arguments.get(name, {}))
    with pytest.raises(BackboneError, match="cannot be used: .*(windowed|plain vision transformer)") as refused:
        make_backbone(f"timm:{name}", network, "")
    assert "\n" not in str(refused.value) and "Error" not in str(refused.value)


def test_a_size_that_it_does_not_take_is_refused_for_relative_positions():
    backbone = make_backbone("timm:relpos", load_timm("vit_relpos_small_patch16_224", pretrained=False, **TINY), "")
    with pytest.raises(BackboneError, match="does not take squares of 96 pixels .*it takes 64 × 64 pixels"):
        backbone.check_size(96)


# ---- transformers ------------------------------------------------------------------------------------------------

BASE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=16)  # fmt: skip
DINO2 = {k: v for k, v in BASE.items() if k != "intermediate_size"} | dict(mlp_ratio=2)
TEXT = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=64)
NAFLEX = {k: v for k, v in BASE.items() if k != "image_size"} | dict(num_patches=16)
MASKED = dict(decoder_hidden_size=16, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=32)  # fmt: skip

# Name: (model, configuration, settings, special tokens, in front, CLS, feature read from, classes read from)
TRANSFORMERS = {
    "dinov2": ("Dinov2Model", "Dinov2Config", DINO2, 1, 1, True, "cls", None),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", DINO2 | dict(num_register_tokens=4), 5, 5, True, "cls", None),
    "dinov3_vit": ("DINOv3ViTModel", "DINOv3ViTConfig", BASE | dict(num_register_tokens=4), 5, 5, True, "cls", None),
    "vit": ("ViTModel", "ViTConfig", BASE, 1, 1, True, "cls", None),
    "deit": ("DeiTModel", "DeiTConfig", BASE, 2, 2, True, "cls", None),
    "clip_vision_model": ("CLIPVisionModel", "CLIPVisionConfig", BASE, 1, 1, True, "cls", None),
    "metaclip_2_vision_model": ("MetaClip2VisionModel", "MetaClip2VisionConfig", BASE, 1, 1, True, "cls", None),
    "siglip_vision_model": ("SiglipVisionModel", "SiglipVisionConfig", BASE, 0, 0, False, "patches", None),
    "vit_classes": ("ViTForImageClassification", "ViTConfig", BASE, 1, 1, True, "cls", "cls"),
    "dinov2_classes": ("Dinov2ForImageClassification", "Dinov2Config", DINO2, 1, 1, True, "cls", "both"),
    "deit_two_teachers": ("DeiTForImageClassificationWithTeacher", "DeiTConfig", BASE, 2, 2, True, "cls", "cls"),
    "beit": ("BeitModel", "BeitConfig", BASE | dict(use_relative_position_bias=True), 1, 1, True, "patches", None),
    "beit_cls": ("BeitModel", "BeitConfig", BASE | dict(use_mean_pooling=False), 1, 1, True, "cls", None),
    "beit_classes": ("BeitForImageClassification", "BeitConfig", BASE, 1, 1, True, "patches", "patches"),
    "data2vec_classes": ("Data2VecVisionForImageClassification", "Data2VecVisionConfig", BASE, 1, 1, True, "patches", "patches"),
    "ijepa": ("IJepaModel", "IJepaConfig", BASE, 0, 0, False, "patches", None),
    "ijepa_classes": ("IJepaForImageClassification", "IJepaConfig", BASE, 0, 0, False, "patches", "patches"),
    "aimv2": ("Aimv2VisionModel", "Aimv2VisionConfig", BASE, 0, 0, False, "patches", None),
    "aimv2_no_head": ("Aimv2VisionModel", "Aimv2VisionConfig", BASE | dict(use_head=False), 0, 0, False, "patches", None),
    "mae": ("ViTMAEModel", "ViTMAEConfig", BASE | MASKED | dict(mask_ratio=0.75), 1, 1, True, "cls", None),
    "vit_msn": ("ViTMSNModel", "ViTMSNConfig", BASE, 1, 1, True, "cls", None),
    "yolos": ("YolosModel", "YolosConfig", BASE | dict(image_size=[64, 64], num_detection_tokens=7), 8, 1, True, "cls", None),
    "internvl": ("InternVLVisionModel", "InternVLVisionConfig", BASE | dict(image_size=[64, 64], patch_size=[16, 16]), 1, 1, True, "patches", None),
    "siglip_classes": ("SiglipForImageClassification", "SiglipConfig", dict(text_config=TEXT, vision_config=BASE), 0, 0, False, "patches", "patches"),
    "siglip2_naflex": ("Siglip2VisionModel", "Siglip2VisionConfig", NAFLEX, 0, 0, False, "patches", None),
    "siglip2_classes": ("Siglip2ForImageClassification", "Siglip2Config", dict(text_config=TEXT, vision_config=NAFLEX), 0, 0, False, "patches", "patches"),
}  # fmt: skip
RULE = InputRule(64, 64, (0.5,) * 3, (0.5,) * 3, patch=16)


def transformers_network(name: str):
    import transformers

    model, config, settings, *_ = TRANSFORMERS[name]
    pooler = (
        {"add_pooling_layer": name == "beit"} if model in ("ViTModel", "DeiTModel", "BeitModel", "YolosModel") else {}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = getattr(transformers, model)(getattr(transformers, config)(**settings), **pooler)
        for parameter in module.parameters():  # CLS tokens and positions begin with 0
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    module.set_attn_implementation("sdpa")
    return network_of(module, RULE, name)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_families_are_measured(name):
    *_, special, before, has_cls, summary, score = TRANSFORMERS[name]
    backbone = make_backbone(name, transformers_network(name), "")
    found = backbone.measured
    assert (found.special, found.before, backbone.has_cls) == (special, before, has_cls)
    assert (found.summary, found.score, found.reading_order, found.notes) == (summary, score, True, ())
    batch = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    if score is not None:
        daam = explain_pictures(backbone, batch, [Asked("daam"), Asked("chefer")], make_target("class:1", backbone))
        assert (daam.maps[0].weights[:, -1].amax(1) > 0).all() and (daam.importance[:, -1] > 0).all()
        grown = daam.maps[1].weights[:, -1] - daam.maps[1].weights[:, -2]
        assert (grown.amax(1) > 0).all()
    again = [explain_pictures(backbone, batch, [Asked("received"), Asked("rollout")], statistics=True) for _ in "12"]
    assert torch.equal(again[0].maps[0].weights, again[1].maps[0].weights)


def test_every_family_of_the_registry_is_among_them():
    assert {model.family for model in PUBLISHED.values()} <= set(TRANSFORMERS)
    for model in PUBLISHED.values():
        if "distilled" not in model.key and model.family != "deit":
            assert TRANSFORMERS[model.family][3] == model.prefix_tokens


def test_patches_are_cut_as_the_networks_own_processor_cuts_them():
    from transformers.models.siglip2.image_processing_siglip2 import convert_image_to_patches

    from ingest.vision.backbones.calling import arguments

    network = transformers_network("siglip2_naflex")
    pixels = torch.randn(1, 3, 48, 80, generator=torch.Generator().manual_seed(0))
    given = arguments(network.module)(pixels)
    assert torch.equal(given["pixel_values"][0], convert_image_to_patches(pixels[0], 16))
    assert given["spatial_shapes"].tolist() == [[3, 5]]


def test_a_masked_autoencoder_sees_every_patch_where_it_is():
    """With the same weights a plain ViT, which hides nothing, gives the same maps."""
    import transformers

    masked = transformers_network("mae")
    plain = transformers.ViTModel(transformers.ViTConfig(**BASE), add_pooling_layer=False)
    missing = plain.load_state_dict(masked.module.state_dict(), strict=False)
    assert not missing.missing_keys
    ours, theirs = (make_backbone("one", each, "") for each in (masked, network_of(plain, RULE, "vit")))
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        (features, capture), (expected, other) = ours.capture(pixels), theirs.capture(pixels)
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(capture.layers[1].rows(), other.layers[1].rows(), atol=1e-5, rtol=0)


# ---- folders, as `--model hf:FOLDER` opens them -------------------------------------------------------------------


def saved(folder, name: str, **more) -> str:
    network = transformers_network(name)
    network.module.config.update(more)
    network.module.save_pretrained(folder)
    return f"hf:{folder}"


def test_a_folder_that_asks_for_slow_attention_is_loaded_with_fused(tmp_path):
    key = saved(tmp_path, "vit")
    config = json.loads((tmp_path / "config.json").read_text())
    eager = {"attn_implementation": "eager", "_attn_implementation": "eager"}
    (tmp_path / "config.json").write_text(json.dumps(config | eager))
    assert load(key).layers == 2


@pytest.mark.parametrize("name", ["siglip_classes", "siglip2_naflex", "aimv2", "beit_classes"])
def test_folders_of_other_families_are_loaded(tmp_path, name):
    backbone = load(saved(tmp_path, name))
    assert backbone.patch == 16 and backbone.has_cls == TRANSFORMERS[name][5]
    assert bool(backbone.network.classes) == ("classes" in name)


@pytest.mark.parametrize(
    ("model", "config", "settings", "says"),
    [
        ("HieraModel", "HieraConfig", dict(image_size=[64, 64], embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]), "no one grid of patches"),
        ("SamModel", "SamConfig", dict(vision_config=dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=64, output_channels=8)), "'sam' holds .* save that part alone"),
        ("OwlViTModel", "OwlViTConfig", dict(text_config=TEXT, vision_config=BASE), "'owlvit' holds .* save that part alone"),
    ],
)  # fmt: skip
def test_folders_of_networks_that_are_not_plain_are_refused_in_one_sentence(tmp_path, model, config, settings, says):
    import transformers

    getattr(transformers, model)(getattr(transformers, config)(**settings)).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match=says) as refused:
        load(f"hf:{tmp_path}")
    assert "\n" not in str(refused.value)


def test_a_folder_of_a_network_for_pictures_that_are_not_square_is_measured_on_its_own_grid(tmp_path):
    import transformers

    model = transformers.ViTModel(transformers.ViTConfig(**BASE | dict(image_size=(64, 96))), add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    backbone = load(f"hf:{tmp_path}")
    found = backbone.measured
    assert (found.rows, found.cols, found.sizes, found.special, found.reading_order) == (4, 6, "own", 1, True)
    assert backbone.rule.shape == (64, 96)
    with pytest.raises(BackboneError, match="the fit stretch is not for it"):
        backbone.check_fit("stretch")
