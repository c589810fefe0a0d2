"""Backbones of timm, by name: pretrained, or filled from a weights file."""

from __future__ import annotations

import inspect
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ingest.vision.backbones.backbone import BackboneError, Network, Output
from ingest.vision.backbones.checkpoint import check_loaded
from ingest.vision.backbones.positions import ANTIALIASED, PLAIN, not_antialiased
from ingest.vision.backbones.registry import usual_fit
from ingest.vision.backbones.unwrapping import shapes_of
from ingest.vision.geometry import InputRule
from ingest.vision.preprocessing import Preprocessing


def load_timm(
    name: str,
    layer: int | None = None,
    tensors: dict[str, Tensor] | None = None,
    path: str = "",
    pretrained: bool = True,
    timm_positions: bool = False,
    **arguments: Any,
) -> Network:
    """A vision transformer of timm. With `tensors` (from the file `path`) nothing is fetched; `pretrained=False` gives
    random weights; `arguments` go to `timm.create_model`. `timm_positions` leaves DINOv2's positions to timm, as runs
    before had them, where else they are resampled as by its authors.

    Raises BackboneError for a name that timm does not know, weights that cannot be fetched or do not fit.
    """
    import timm

    check_name(timm, name)
    try:
        # Only a pretrained head, or one in the file, says anything about a picture.
        has_head = (pretrained and tensors is None) or "num_classes" in arguments
        if tensors is not None:
            head = tensors.get("head.weight", tensors.get("fc.weight"))
            has_head, classes = (True, len(head)) if head is not None and head.ndim == 2 else (False, 0)
            arguments = {"num_classes": classes, **arguments}
        elif not has_head:
            arguments = {"num_classes": 0, **arguments}
        module = _create(timm, name, pretrained and tensors is None, arguments)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(
            f"timm's weights of {name} could not be had ({reason}); "
            "with no connection, give a weights file (--weights FILE) or use --model packaged"
        ) from error
    if tensors is not None:
        _fill(timm, module, tensors, path)
    patch = _patch(module, name)
    has_cls = any(getattr(part, "cls_token", None) is not None for part in (module, getattr(module, "embeds", None)))
    special = getattr(module, "num_prefix_tokens", None)
    pooling = getattr(module, "global_pool", "token")
    # Networks trained on the mean of their patches normalise after pooling: their CLS token never meets the final norm.
    # That of those with a pooling head of their own (Perception Encoder) is one token among those that the head reads.
    reads_cls = has_cls and pooling != "map" and not isinstance(getattr(module, "norm", None), nn.Identity)
    shows_blocks = _gives_tokens_of_blocks(module)
    if layer is not None and not shows_blocks:
        raise BackboneError(f"{name} gives no features of inner layers; leave out --layer")

    # DINOv2's authors antialias positions only with registers; timm always does.
    plain = "dinov2" in name and not getattr(module, "num_reg_tokens", 0) and not timm_positions
    authors = not_antialiased if plain else lambda call: call

    @authors
    def forward(pixels: Tensor, tokens: bool = False) -> Output:
        # Of a network without special tokens timm fails to return them.
        inner: Any = {"norm": False, "return_prefix_tokens": special != 0, "output_fmt": "NLC"}
        if layer is None and not (tokens and shows_blocks):
            final = module.forward_features(pixels)
            residual = feature_layer = None
        else:
            # An out-of-range layer is refused with a sentence after the first pass, which counts the layers.
            last = len(module.blocks) - 1
            wanted = sorted({last, last if layer is None else min(layer, last)})
            final, found = module.forward_intermediates(pixels, indices=wanted, **inner)
            residual, feature_layer = found[-1], found[0]
            residual = torch.cat(residual[::-1], dim=1) if isinstance(residual, tuple) else residual
        if layer is None or feature_layer is None:
            features = final[:, 0] if reads_cls else module.forward_head(final, pre_logits=True)
        else:
            patches, prefix = feature_layer if isinstance(feature_layer, tuple) else (feature_layer, None)
            features = prefix[:, 0] if has_cls and prefix is not None else patches.mean(dim=1)
        return Output(features, final, residual) if tokens else Output(features)

    feature = (
        "CLS token after the final norm" if reads_cls else f"the network's own pooling ({pooling}) after the final norm"
    )
    if layer is not None:
        feature = f"{'CLS token' if has_cls else 'mean of the patches'} as block {layer} leaves it"
    licence = str(getattr(module, "pretrained_cfg", {}).get("license") or "see the model's page")
    title = f"timm {name}" + (f" ({Path(path).name})" if path else "")
    about: dict[str, Any] = {"licence": licence, "feature": feature, "special_tokens": special}
    if "dinov2" in name:
        about |= {"fit": usual_fit("dinov2"), "positions": PLAIN if plain else ANTIALIASED}
        about["positions_before"] = ANTIALIASED
    classes = getattr(module, "num_classes", 0)
    if classes and has_head:
        about |= {"classify": authors(module), "classes": _class_names(timm, module, classes)}
        about["problem"] = "multi_label" if classes == 1 else "single_label"
    return Network(module, forward, _rule(timm, module, patch), has_cls, title, **about)


def _class_names(timm: Any, module: Any, count: int) -> tuple[str, ...]:
    """What the classes are called where timm knows the set that they are of; else their numbers."""
    subset = timm.data.infer_imagenet_subset(module) if count >= 1000 else None
    if subset is None:
        return tuple(str(number) for number in range(count))
    info = timm.data.ImageNetInfo(subset)
    return tuple(info.index_to_description(number) for number in range(count))


def _gives_tokens_of_blocks(module: Any) -> bool:
    method = getattr(module, "forward_intermediates", None)
    return method is not None and "return_prefix_tokens" in inspect.signature(method).parameters


def _create(timm: Any, name: str, pretrained: bool, arguments: dict[str, Any]) -> Any:
    try:
        # Any grid: positions are interpolated. Families with rotary or no positions do not know the argument.
        return timm.create_model(name, pretrained=pretrained, dynamic_img_size=True, **arguments)
    except TypeError:
        return timm.create_model(name, pretrained=pretrained, **arguments)


def _fill(timm: Any, module: Any, tensors: dict[str, Tensor], path: str) -> None:
    # The family's own filter turns published files (DINO, DINOv2, CLIP, MAE …) into timm's names and resizes positions.
    family = sys.modules[type(module).__module__]
    convert = getattr(family, "checkpoint_filter_fn", None)
    try:
        tensors = convert(tensors, module) if convert else tensors
        loaded = module.load_state_dict(tensors, strict=False)
    except (RuntimeError, KeyError, AttributeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise BackboneError(f"{path} does not fit this model: {reason}") from error
    check_loaded(path, loaded.missing_keys, loaded.unexpected_keys, len(module.state_dict()))


def _patch(module: Any, name: str) -> int:
    embed = getattr(module, "patch_embed", None) or getattr(module, "embeds", None)  # the latter in NaFlexViT
    # Behind a stem of convolutions a patch is as many pixels as the stem makes one of.
    ratio = getattr(embed, "feat_ratio", None)
    size = ratio() if ratio else getattr(embed, "patch_size", None) or getattr(module, "patch_size", None)
    if size is None:
        raise BackboneError(f"{name} cuts pictures into no patches: a vision transformer of timm is needed")
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if sides[0] != sides[1]:
        raise BackboneError(f"{name} has patches of {sides[0]} × {sides[1]} pixels; square ones are needed")
    return int(sides[0])


def _rule(timm: Any, module: Any, patch: int) -> InputRule:
    settings = timm.data.resolve_model_data_config(module)
    fixed = getattr(getattr(module, "patch_embed", None), "img_size", None)
    height, width = fixed if fixed else settings["input_size"][-2:]
    side = max(1, math.isqrt((height // patch) * (width // patch))) * patch
    resize = max(side, math.floor(side / settings["crop_pct"]))
    return InputRule(
        size=side,
        resize=resize,
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
        interpolation=settings["interpolation"] if settings["interpolation"] != "random" else "bicubic",
        patch=patch,
        own=_preprocessing(height, width, settings["crop_pct"], settings["crop_mode"]),
    )


def _preprocessing(height: int, width: int, share: float, mode: str) -> Preprocessing:
    """What timm's transform for evaluation does: `share` is the part of each side that is left of the resized one."""
    crop, high, wide = (height, width), math.floor(height / share), math.floor(width / share)
    if mode == "squash":
        return Preprocessing("squeeze", high, wide, crop=crop if crop != (high, wide) else None, rounds=True)
    if mode == "border":
        return Preprocessing("within", high, wide, crop=crop, mean_ground=True, rounds=True)
    if high != wide:
        return Preprocessing("cover", high, wide, crop=crop, rounds=True)
    return Preprocessing("short", high, crop=crop, rounds=True)


def check_name(timm: Any, name: str) -> None:
    """BackboneError for a name that timm does not know."""
    if not timm.is_model(name.split(".")[0]):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:3]
        hint = f"; names like it: {', '.join(near)}" if near else ""
        raise BackboneError(f"timm has no model called {name!r}{hint}")


@dataclass(frozen=True)
class Twin:
    """A network of timm without memory for its weights: what weights it needs, and how timm reads those of others."""

    module: Any

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return shapes_of(self.module.state_dict())

    @property
    def patch(self) -> int:
        return _patch(self.module, "this network")

    @property
    def grid(self) -> int | None:
        """The side in patches of the square that its positions are for; None for no square."""
        size = getattr(getattr(self.module, "patch_embed", None), "grid_size", None)
        return size[0] if size and size[0] == size[1] else None

    def convert(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors under timm's names; as they are where its filter makes nothing of them."""
        convert = getattr(sys.modules[type(self.module).__module__], "checkpoint_filter_fn", None)
        try:
            return dict(convert(dict(tensors), self.module)) if convert else tensors
        except Exception:  # tensors that it was not written for
            return tensors


def twin_of(name: str) -> Twin:
    """The Twin of a network of timm. BackboneError for a name that timm does not know."""
    import timm

    check_name(timm, name)
    with torch.device("meta"):
        return Twin(_create(timm, name, False, {"num_classes": 0}))
