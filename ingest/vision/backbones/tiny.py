"""Tiny random networks, one for each way that tokens are laid out: for tests and for trying a pipeline, never for research."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ingest.vision.backbones.backbone import BackboneError, Network
from ingest.vision.backbones.from_timm import load_timm
from ingest.vision.backbones.from_transformers import network_of
from ingest.vision.backbones.registry import IMAGENET
from ingest.vision.geometry import InputRule

_SHAPE: dict[str, Any] = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64)
_RULE = InputRule(size=56, resize=64, mean=IMAGENET[0], std=IMAGENET[1], patch=14)

# Name: (transformers model class, configuration class, further settings); 1, 1, 5, 5, 2, 1 and 0 prefix tokens.
_TRANSFORMERS = {
    "vit": ("ViTModel", "ViTConfig", {}),
    "dinov2": ("Dinov2Model", "Dinov2Config", {}),
    "dinov2-registers": ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", {"num_register_tokens": 4}),
    "dinov3": ("DINOv3ViTModel", "DINOv3ViTConfig", {"num_register_tokens": 4}),
    "deit-distilled": ("DeiTModel", "DeiTConfig", {}),
    "clip": ("CLIPVisionModel", "CLIPVisionConfig", {}),
    "siglip": ("SiglipVisionModel", "SiglipVisionConfig", {}),
    "vit-classifier": ("ViTForImageClassification", "ViTConfig", {"num_labels": 7}),
    "deit-distilled-classifier": ("DeiTForImageClassificationWithTeacher", "DeiTConfig", {"num_labels": 7}),
}
# Name: (timm model, further arguments)
_TIMM: dict[str, tuple[str, dict[str, Any]]] = {
    "timm-vit": ("vit_tiny_patch16_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56)),
    "timm-deit-distilled": ("deit_tiny_distilled_patch16_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56)),
    "timm-registers": ("vit_small_patch14_reg4_dinov2", dict(embed_dim=32, depth=3, num_heads=2, img_size=56)),
    "timm-dinov3": ("vit_small_patch16_dinov3", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56)),
    "timm-classifier": ("vit_tiny_patch16_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56, num_classes=7)),
    "timm-gap-classifier": ("vit_base_patch16_siglip_gap_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56, num_classes=7)),
    "timm-xcit-classifier": ("xcit_nano_12_p16_224", dict(embed_dim=32, depth=2, num_heads=2, num_classes=7)),
    "timm-gap": ("vit_base_patch16_siglip_gap_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56)),
    "timm-siglip": ("vit_base_patch16_siglip_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56)),
    "timm-beit": ("beit_base_patch16_224", dict(embed_dim=32, depth=3, num_heads=2, patch_size=14, img_size=56)),
    "timm-eva": ("eva02_tiny_patch14_224", dict(embed_dim=32, depth=3, num_heads=2, img_size=56)),
    "timm-xcit": ("xcit_nano_12_p16_224", dict(embed_dim=32, depth=2, num_heads=2)),
    "timm-cait": ("cait_xxs24_224", dict(embed_dim=32, depth=2, num_heads=2, img_size=64)),
}  # fmt: skip

NAMES = (*_TRANSFORMERS, *_TIMM)
# Those with a text tower (ingest.vision.words.tiny), and how many numbers their shared space has.
SHARED = {"clip": 24, "siglip": _SHAPE["hidden_size"]}


def load_tiny(name: str, layer: int | None = None, joint: bool = True) -> Network:
    """The tiny network `name`, its weights drawn anew from the same seed each time; `joint=False` leaves out CLIP's
    projection."""
    if name not in NAMES:
        raise BackboneError(f"there is no tiny network {name!r}; there are {', '.join(NAMES)}")
    # A generator of its own would not reach the libraries' initialisers: the global seed is set and put back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        if name in _TIMM:
            model, arguments = _TIMM[name]
            network = load_timm(model, layer, pretrained=False, **arguments)
        else:
            network = _tiny_transformers(name, layer, joint)
        # Random weights attend evenly; larger ones make heads that differ from each other.
        for key, parameter in network.module.named_parameters():
            if parameter.ndim == 2 and any(
                word in key for word in ("qkv", "query", "key", "q_proj", "k_proj", "attn.q", "attn.k")
            ):
                parameter.data.normal_(std=0.4)
    return replace(network, fit="crop")


def _tiny_transformers(name: str, layer: int | None, joint: bool) -> Network:
    import transformers

    model, config, more = _TRANSFORMERS[name]
    settings = {**_SHAPE, "patch_size": 14, "image_size": 56, **more}
    if "Dinov2" in config:
        settings["mlp_ratio"] = settings.pop("intermediate_size") // settings["hidden_size"]
    pooler = {"add_pooling_layer": False} if model in ("ViTModel", "DeiTModel") else {}
    module = getattr(transformers, model)(getattr(transformers, config)(**settings), **pooler)
    if joint and layer is None and name == "clip":
        module = _projected(transformers, module)
    network = network_of(module, _RULE, f"tiny random {name}", layer, licence="MIT", note="random weights, for tests")
    return replace(network, joint=layer is None and (name == "siglip" or hasattr(module, "visual_projection")))


def _projected(transformers: Any, module: Any) -> Any:
    """The same vision tower below a projection; nothing else is drawn otherwise than without it."""
    module.config.projection_dim = SHARED["clip"]
    with torch.random.fork_rng(devices=[]):
        whole = transformers.CLIPVisionModelWithProjection(module.config)
        whole.visual_projection.weight.data.normal_(std=module.config.hidden_size**-0.5)
    whole.vision_model = module
    return whole
