"""Backbones of the transformers library: from the hub, a folder, or built from a known shape for a file."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ingest.vision.backbones.backbone import BackboneError, Network, Output
from ingest.vision.backbones.checkpoint import check_loaded, reason_of
from ingest.vision.backbones.registry import IMAGENET, Published, usual_fit
from ingest.vision.geometry import InputRule

_VISION_PART = {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel", "siglip2": "Siglip2VisionModel"}
_NO_CLS = ("siglip", "siglip_vision_model", "siglip2", "ijepa")
_INTERPOLATION = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def load_transformers(
    source: str, layer: int | None = None, published: Published | None = None, offline: bool = False
) -> Network:
    """A vision transformer from a folder written by `save_pretrained`, or from the hub by its repository name.

    Code in the repository is never run. Raises BackboneError when it cannot be had or has no vision part.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder = Path(source).expanduser()
    where = str(folder) if folder.is_dir() else source
    if not folder.is_dir() and (source.startswith((".", "/", "~")) or source.count("/") != 1):
        raise BackboneError(
            f"there is no folder {source}; after hf: a model folder or a repository such as "
            "facebook/dinov2-small is expected"
        )
    try:
        config = transformers.AutoConfig.from_pretrained(where, trust_remote_code=False, local_files_only=offline)
        network_class, extra = _network_class(transformers, config)
        module = network_class.from_pretrained(where, trust_remote_code=False, local_files_only=offline, **extra)
    except BackboneError:
        raise
    except Exception as error:  # what is wrong with a stranger's files can come up anywhere
        raise BackboneError(
            f"the model {source} could not be loaded ({reason_of(error)}); with no connection, give a folder that "
            "holds it (--model hf:FOLDER), a weights file (--weights FILE), or use --model packaged"
        ) from error
    rule = _rule_of(transformers, where, module.config, offline)
    if rule is None:
        rule = published_rule(published) if published else _plain_rule(module.config)
    title = published.key if published else f"{folder.name if folder.is_dir() else source}"
    return _network(module, rule, layer, title, published.licence if published else "see the model's page")


def build_transformers(
    published: Published, tensors: dict[str, Tensor], path: str, layer: int | None = None
) -> Network:
    """The published model's architecture filled from a state dict with transformers' names."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    config = published_config(published)
    network_class, extra = _network_class(transformers, config)
    config._attn_implementation = "sdpa"
    module, info = network_class.from_pretrained(
        None, config=config, state_dict=tensors, output_loading_info=True, **extra
    )
    check_loaded(path, list(info["missing_keys"]), list(info["unexpected_keys"]), len(module.state_dict()))
    return _network(module, published_rule(published), layer, f"{published.key} ({Path(path).name})", published.licence)


def network_of(module: torch.nn.Module, rule: InputRule, title: str, layer: int | None = None, **about: str) -> Network:
    """A Network of a transformers vision model that is already in memory."""
    return _network(module, rule, layer, title, about.pop("licence", "unknown"), **about)


def published_config(published: Published) -> Any:
    """The transformers configuration of a published model, without asking the hub."""
    from transformers import AutoConfig

    settings: dict[str, Any] = {
        "hidden_size": published.dim,
        "num_hidden_layers": published.layers,
        "num_attention_heads": published.heads,
        "patch_size": published.patch,
        "image_size": published.grid,
    }
    if published.family.startswith("dinov2"):
        settings["use_swiglu_ffn"] = published.swiglu
    else:
        settings["intermediate_size"] = published.dim * published.mlp
    if published.family == "dinov2_with_registers":
        settings["num_register_tokens"] = 4
    if published.family == "dinov3_vit":
        settings["num_register_tokens"] = 4
        if published.swiglu:
            settings.update(use_gated_mlp=True, hidden_act="silu")
    return AutoConfig.for_model(published.family, **settings)


def _network_class(transformers: Any, config: Any) -> tuple[type, dict[str, Any]]:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    name = _VISION_PART.get(config.model_type) or MODEL_MAPPING_NAMES.get(config.model_type)
    network_class = getattr(transformers, name, None) if isinstance(name, str) else None
    if network_class is None or not hasattr(getattr(config, "vision_config", config), "patch_size"):
        raise BackboneError(f"a model of type {config.model_type!r} has no vision transformer that could be used")
    classifier = next((n for n in config.architectures or () if _classifies(n) and hasattr(transformers, n)), None)
    if classifier is not None:
        return getattr(transformers, classifier), {}
    takes_pooler = "add_pooling_layer" in inspect.signature(network_class.__init__).parameters
    return network_class, {"add_pooling_layer": False} if takes_pooler else {}


def _network(
    module: Any,
    rule: InputRule,
    layer: int | None,
    title: str,
    licence: str,
    note: str = "",
    feature: str = "",
) -> Network:
    trunk = _trunk(module)
    kind = trunk.config.model_type
    has_cls = kind not in _NO_CLS
    resizes = "interpolate_pos_encoding" in inspect.signature(type(trunk).forward).parameters
    trained = getattr(trunk.config, "image_size", None)
    pooled = kind in ("clip_vision_model", "siglip_vision_model", "siglip2_vision_model")

    def sized(pixels: Tensor) -> dict[str, Any]:
        if resizes and (trained is None or tuple(pixels.shape[2:]) != _pair(trained)):
            return {"pixel_values": pixels, "interpolate_pos_encoding": True}
        return {"pixel_values": pixels}

    def forward(pixels: Tensor, tokens: bool = False) -> Output:
        inner = {"output_hidden_states": True} if tokens or layer is not None else {}
        output = trunk(**sized(pixels), **inner)
        final, states = output.last_hidden_state, output.hidden_states
        if layer is not None:
            # An out-of-range layer is refused with a sentence after the first pass, which counts the layers.
            chosen = states[min(layer + 1, len(states) - 1)]
            features = chosen[:, 0] if has_cls else chosen.mean(dim=1)
        elif pooled and output.pooler_output is not None:
            features = output.pooler_output
        else:
            features = final[:, 0] if has_cls else final.mean(dim=1)
        if not tokens:
            return Output(features)
        # CLIP's final norm meets the CLS token alone; here it meets the patches too, so that they can be compared.
        return Output(features, trunk.post_layernorm(final) if kind == "clip_vision_model" else final, states[-1])

    about: dict[str, Any] = {"fit": usual_fit(kind)}
    if module is not trunk:
        names = module.config.id2label
        about["classify"] = lambda pixels: module(**sized(pixels)).logits
        about["classes"] = tuple(str(names.get(number, number)) for number in range(module.config.num_labels))
    if not feature:
        feature = "CLS token after the final norm" if has_cls else "mean of the patches after the final norm"
        if kind.startswith("siglip") and pooled:
            feature = "the network's own attention pooling"
        if layer is not None:
            feature = f"{'CLS token' if has_cls else 'mean of the patches'} as block {layer} leaves it"
    return Network(module, forward, rule, has_cls, title, licence, note, feature, **about)


def _trunk(module: Any) -> Any:
    """The vision transformer inside a classifier; any other module itself."""
    if not _classifies(type(module).__name__):
        return module
    return next(part for part in module.children() if hasattr(part, "config"))


def _classifies(name: str) -> bool:
    return "ForImageClassification" in name


def _pair(size: int | tuple[int, int] | list[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def published_rule(published: Published) -> InputRule:
    """The input rule of a published model, without asking the hub."""
    mean, std = published.colour
    return InputRule(size=published.size, resize=published.resize, mean=mean, std=std, patch=published.patch)


def _plain_rule(config: Any) -> InputRule:
    patch = _pair(config.patch_size)[0]
    side = _pair(getattr(config, "image_size", 224))[0] // patch * patch
    return InputRule(size=side, resize=side, mean=IMAGENET[0], std=IMAGENET[1], patch=patch)


def _rule_of(transformers: Any, where: str, config: Any, offline: bool) -> InputRule | None:
    """The input rule in the model's own processor; None where it has none."""
    try:
        settings = transformers.AutoImageProcessor.from_pretrained(
            where, trust_remote_code=False, local_files_only=offline
        ).to_dict()
    except (OSError, ValueError, KeyError, TypeError, ImportError):
        return None
    patch = _pair(config.patch_size)[0]
    resize = _side(settings.get("size")) or 224
    size = (_side(settings.get("crop_size")) or resize) if settings.get("do_center_crop") else resize
    size = max(patch, size // patch * patch)
    mean, std = settings.get("image_mean") or IMAGENET[0], settings.get("image_std") or IMAGENET[1]
    interpolation = _INTERPOLATION.get(int(settings.get("resample") or 3), "bicubic")
    return InputRule(
        size=size,
        resize=max(resize, size),
        mean=tuple(mean),
        std=tuple(std),
        interpolation=interpolation,
        patch=patch,
    )


def _side(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("shortest_edge") or size.get("height") or size.get("width")
    return int(size) if size else None
