"""Backbones of the transformers library: from the hub, a folder, or built from a known shape for a file."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ingest.vision.backbones.backbone import BackboneError, Network, Output
from ingest.vision.backbones.calling import arguments
from ingest.vision.backbones.checkpoint import check_loaded, reason_of
from ingest.vision.backbones.positions import OF_FAMILY
from ingest.vision.backbones.processors import published_rule, read_rule
from ingest.vision.backbones.registry import Published, usual_fit
from ingest.vision.backbones.unwrapping import shapes_of
from ingest.vision.geometry import InputRule
from ingest.vision.problems import problem_of
from ingest.vision.spaces import POOLED

_VISION_PART = {
    "clip": "CLIPVisionModel",
    "metaclip_2": "MetaClip2VisionModel",
    "metaclip_2_vision_model": "MetaClip2VisionModel",
    "siglip": "SiglipVisionModel",
    "siglip2": "Siglip2VisionModel",
}
# With the projection into the space that pictures share with texts. SigLIP has none: its pooling head ends there.
_PROJECTED = {"clip": "CLIPVisionModelWithProjection", "metaclip_2": "MetaClip2VisionModelWithProjection"}
INTO_SHARED_SPACE = "into the space that pictures share with texts"
_CLIP = ("clip_vision_model", "metaclip_2_vision_model")


def load_transformers(
    source: str,
    layer: int | None = None,
    published: Published | None = None,
    offline: bool = False,
    joint: bool = True,
) -> Network:
    """A vision transformer from a folder written by `save_pretrained`, or from the hub by its repository name.

    Of a network that was trained with texts, its feature is in the space that they share: what `get_image_features` of
    transformers gives. `joint=False` takes it before the projection, as older versions did. Code in the repository is
    never run. Raises BackboneError when it cannot be had or has no vision part.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # its report of what a file lacks is ours to make
    folder = Path(source).expanduser()
    where = str(folder) if folder.is_dir() else source
    if not folder.is_dir() and (source.startswith((".", "/", "~")) or source.count("/") != 1):
        raise BackboneError(
            f"there is no folder {source}; after hf: a model folder or a repository such as "
            "facebook/dinov2-small is expected"
        )
    try:
        config = transformers.AutoConfig.from_pretrained(where, trust_remote_code=False, local_files_only=offline)
        network_class, extra = _network_class(transformers, config, joint and layer is None)
        module, info = _from_pretrained(
            network_class, where, trust_remote_code=False, local_files_only=offline, **extra
        )
    except BackboneError:
        raise
    except Exception as error:  # what is wrong with a stranger's files can come up anywhere
        raise BackboneError(
            f"the model {source} could not be loaded ({reason_of(error)}); with no connection, give a folder that "
            "holds it (--model hf:FOLDER), a weights file (--weights FILE), or use --model packaged"
        ) from error
    # What a file lacks the library fills with random numbers, and only logs it.
    names = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    check_loaded(source, *names, len(module.state_dict()), "Its config.json is that of another network")
    title = published.key if published else f"{folder.name if folder.is_dir() else source}"
    rule, assumed = read_rule(where, _trunk(module).config, title, offline, published)
    network = _network(module, rule, layer, title, published.licence if published else "see the model's page")
    return replace(network, assumed=assumed, joint=layer is None and _shares_space(config, module))


def build_transformers(
    published: Published, tensors: dict[str, Tensor], path: str, layer: int | None = None, side: int | None = None
) -> Network:
    """The published model's architecture filled from a state dict with transformers' names; `side` in pixels is that of
    the pictures that its table of positions is for, where that is not the published one."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    config = published_config(published, side)
    network_class, extra = _network_class(transformers, config)
    config._attn_implementation = "sdpa"
    module, info = network_class.from_pretrained(
        None, config=config, state_dict=tensors, output_loading_info=True, **extra
    )
    check_loaded(path, list(info["missing_keys"]), list(info["unexpected_keys"]), len(module.state_dict()))
    title = f"{published.key} ({Path(path).name})"
    return _network(module, published_rule(published, side), layer, title, published.licence)


def names_of(published: Published) -> list[dict[str, tuple[int, ...]]]:
    """The names of a published model's weights with their shapes: as they lie in files, and as the module has them."""
    import transformers

    config = published_config(published)
    network_class, extra = _network_class(transformers, config)
    with torch.device("meta"):
        module = network_class(config, **extra)
    own = module.state_dict()
    try:
        from transformers.core_model_loading import revert_weight_conversion

        return [shapes_of(revert_weight_conversion(module, dict(own))), shapes_of(own)]
    except Exception:  # not a public function: another release may lack it
        return [shapes_of(own)]


def network_of(
    module: torch.nn.Module,
    rule: InputRule,
    title: str,
    layer: int | None = None,
    licence: str = "unknown",
    note: str = "",
) -> Network:
    """A Network of a transformers vision model that is already in memory."""
    return _network(module, rule, layer, title, licence, note)


def published_config(published: Published, side: int | None = None) -> Any:
    """The transformers configuration of a published model, without asking the hub; `side` in place of the pixels that
    its positions are for."""
    from transformers import AutoConfig

    settings: dict[str, Any] = {
        "hidden_size": published.dim,
        "num_hidden_layers": published.layers,
        "num_attention_heads": published.heads,
        "patch_size": published.patch,
        "image_size": side or published.grid,
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


def _network_class(transformers: Any, config: Any, joint: bool = False) -> tuple[type, dict[str, Any]]:
    """The class of the vision transformer, and further arguments for it; with `joint` that with a projection."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    name = _VISION_PART.get(config.model_type) or MODEL_MAPPING_NAMES.get(config.model_type)
    network_class = getattr(transformers, name, None) if isinstance(name, str) else None
    inner = getattr(config, "vision_config", config)
    if network_class is None or not hasattr(inner, "patch_size"):
        raise BackboneError(f"a model of type {config.model_type!r} has no vision transformer that could be used")
    classifier = next((n for n in config.architectures or () if _classifies(n) and hasattr(transformers, n)), None)
    if classifier is not None:
        return getattr(transformers, classifier), {}
    if joint and config.model_type in _PROJECTED:
        inner.projection_dim = config.projection_dim  # that of the whole model is the one that counts
        return getattr(transformers, _PROJECTED[config.model_type]), {"config": inner}
    if config.model_type not in _VISION_PART and not hasattr(config, "patch_size"):
        raise BackboneError(
            f"a model of type {config.model_type!r} holds its vision transformer ({inner.model_type}) inside a larger "
            "one, from which it cannot be taken here: save that part alone (save_pretrained) and give its folder"
        )
    takes_pooler = "add_pooling_layer" in inspect.signature(network_class.__init__).parameters
    # A pooler that is a layer of its own is often left out of the weights, and then random; a mean is not.
    return network_class, {"add_pooling_layer": _means(config)} if takes_pooler else {}


def _shares_space(config: Any, module: Any) -> bool:
    """Whether what a model sums a picture up by lies in a space with texts: projected there, or SigLIP's pooling."""
    if not hasattr(config, "text_config"):
        return False
    return hasattr(module, "visual_projection") or (config.model_type.startswith("siglip") and _has_head(module))


def _means(config: Any) -> bool:
    """Whether the network's makers sum a picture up by the mean of its patches (BEiT, Data2Vec)."""
    return bool(getattr(config, "use_mean_pooling", False))


def _from_pretrained(network_class: Any, where: str, **more: Any) -> tuple[Any, dict[str, Any]]:
    """The model with fused attention, whatever its configuration asks for; as it is where it has none. With it what
    transformers says of the loading: `missing_keys`, `unexpected_keys`."""
    more = {"output_loading_info": True, **more}
    try:
        return network_class.from_pretrained(where, attn_implementation="sdpa", **more)
    except ValueError as error:
        if "scaled_dot_product_attention" not in str(error):
            raise
        return network_class.from_pretrained(where, **more)


def _network(
    module: Any,
    rule: InputRule,
    layer: int | None,
    title: str,
    licence: str,
    note: str = "",
    feature: str = "",
    cls: int | None = 0,
) -> Network:
    given = feature
    trunk = _trunk(module)
    kind = trunk.config.model_type
    has_cls = cls is not None  # where it lies among the tokens; measured, see `Network.adapt`
    pooled = not has_cls or kind in _CLIP or _means(trunk.config)
    project = getattr(module, "visual_projection", None)
    sized = arguments(trunk)

    def forward(pixels: Tensor, tokens: bool = False) -> Output:
        inner = {"output_hidden_states": True} if tokens or layer is not None else {}
        output = trunk(**sized(pixels), **inner)
        final, states = output.last_hidden_state, output.hidden_states
        if layer is not None:
            # An out-of-range layer is refused with a sentence after the first pass, which counts the layers.
            chosen = states[min(layer + 1, len(states) - 1)]
            features = chosen[:, cls] if has_cls else chosen.mean(dim=1)
        elif pooled and getattr(output, "pooler_output", None) is not None:
            features = output.pooler_output
        elif has_cls and _means(trunk.config):  # InternVL says so and leaves the mean to others
            features = final[:, 1:].mean(dim=1)
        else:
            features = final[:, cls] if has_cls else final.mean(dim=1)
        if project is not None and layer is None:
            features = project(features)
        if not tokens:
            return Output(features)
        # CLIP's final norm meets the CLS token alone; here it meets the patches too, so that they can be compared.
        return Output(features, trunk.post_layernorm(final) if kind in _CLIP else final, states[-1])

    about: dict[str, Any] = {"fit": usual_fit(kind), "positions": OF_FAMILY.get(kind, "")}
    about["positions_before"] = about["positions"]
    if _classifies(type(module).__name__):
        about["problem"] = problem_of(module.config)
        names = module.config.id2label
        about["classify"] = lambda pixels: module(**sized(pixels)).logits
        about["classes"] = tuple(str(names.get(number, number)) for number in range(module.config.num_labels))
    about["adapt"] = lambda place: _network(module, rule, layer, title, licence, note, given, place)
    if not feature:
        feature = "CLS token after the final norm" if has_cls else "mean of the patches after the final norm"
        if _means(trunk.config):
            feature = "the network's own pooling, the mean of the patches after the final norm"
        elif not has_cls and _has_head(trunk):
            feature = POOLED
        if layer is not None:
            feature = f"{'CLS token' if has_cls else 'mean of the patches'} as block {layer} leaves it"
        elif project is not None:
            feature += f", projected {INTO_SHARED_SPACE}"
    return Network(module, forward, rule, has_cls, title, licence, note, feature, **about)


def _trunk(module: Any) -> Any:
    """The vision transformer inside a classifier, or below a projection; any other module itself."""
    if hasattr(module, "visual_projection"):
        return module.vision_model
    if not _classifies(type(module).__name__):
        return module
    return next(part for part in module.children() if hasattr(part, "config"))


def _has_head(trunk: Any) -> bool:
    """Whether a model pools its patches by a head of its own (SigLIP, AIMv2)."""
    return any(getattr(part, "head", None) is not None for part in (trunk, getattr(trunk, "vision_model", None)))


def _classifies(name: str) -> bool:
    return "ForImageClassification" in name
