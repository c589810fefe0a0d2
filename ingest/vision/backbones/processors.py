"""Input rules from the processors that transformers' networks come with, read by what their settings mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ingest.vision.backbones.checkpoint import reason_of
from ingest.vision.backbones.registry import IMAGENET, published_like
from ingest.vision.geometry import InputRule, Unfit, fit_image
from ingest.vision.preprocessing import Preprocessing, Size

_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_PLAIN = (1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_APART = 0.1  # of the range of values: mean difference above which a processor does something else than was read
# Pictures of these (width, height) are sent through a processor and through what was read of it.
_TRIALS = ((150, 100), (96, 144))

Reading = tuple[InputRule, tuple[str, ...]]  # the rule, and sentences on what was assumed


def read_rule(where: str, config: Any, name: str, offline: bool = False, published: Any = None) -> Reading:
    """The input rule of a network in a folder or repository, and what had to be assumed of it.

    It is that of its own processor. Where there is none, or none that can be read, it is that of the family, or of the
    `published` model that this is.
    """
    import transformers

    vision = getattr(config, "vision_config", config)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(
            where, trust_remote_code=False, local_files_only=offline
        )
    except Exception as error:  # a stranger's file may be wrong in any way
        if published is not None:
            return published_rule(published), ()
        return _rule_of_family(transformers, vision, name, _why(error))
    rule, assumed = rule_of(processor.to_dict(), vision, _defaults(type(processor)))
    assumed = tuple(f"Of the processor of {name}: {sentence}" for sentence in assumed)
    if not agrees(processor, rule):
        assumed += (
            f"The processor of {name} ({type(processor).__name__}) does something else with pictures than its settings "
            f"say, and that is not done here: taken was {rule.preprocessing.describe()}.",
        )
    return rule, assumed


def rule_of(settings: Mapping[str, Any], config: Any, defaults: Mapping[str, Any] | None = None) -> Reading:
    """The input rule that a processor's settings mean for a network; `defaults` are those of the processor's class,
    for values that are missing where they are needed."""
    defaults, assumed = defaults or {}, []
    patch = patch_of(config)
    own = preprocessing_of(settings, config)
    size, resize = _square(own, config, patch)
    rescale, mean, std = _PLAIN
    if not settings.get("do_rescale", True):
        rescale = 1.0
    elif settings.get("rescale_factor"):
        rescale = float(settings["rescale_factor"])
    if settings.get("do_normalize"):
        mean = settings.get("image_mean") or defaults.get("image_mean") or IMAGENET[0]
        std = settings.get("image_std") or defaults.get("image_std") or IMAGENET[1]
        if not settings.get("image_mean") or not settings.get("image_std"):
            assumed.append(f"it normalises and does not say by which colours; taken was {colours(mean, std)}.")
    resample = settings.get("resample")
    resample = defaults.get("resample") if resample is None else resample
    interpolation = _FILTERS.get(int(resample) if resample is not None else 2, "bilinear")
    rule = InputRule(
        size, resize, _three(mean), _three(std), patch=patch, interpolation=interpolation, rescale=rescale, own=own
    )
    return rule, tuple(assumed)


def preprocessing_of(settings: Mapping[str, Any], config: Any) -> Preprocessing:
    """What a processor's settings say that it does with the shape of a picture."""
    if settings.get("max_num_patches"):
        how = "patches" if settings.get("do_resize", True) else "none"
        return Preprocessing(how, patches=int(settings["max_num_patches"]) if how == "patches" else 0)
    crop = _pair(settings.get("crop_size")) if settings.get("do_center_crop") else None
    pad = _pair(settings.get("pad_size")) if settings.get("do_pad") else None
    if not settings.get("do_resize"):
        return Preprocessing("none", crop=crop, pad=pad)
    size = settings.get("size") or {}
    size = {"height": size, "width": size} if isinstance(size, int) else dict(size)
    short, longest = size.get("shortest_edge"), size.get("longest_edge")
    if short and settings.get("crop_pct") and crop is None:  # as ConvNext's processor does below 384 pixels
        if short >= 384:
            return Preprocessing("squeeze", short, short, pad=pad)
        return Preprocessing("short", int(short / settings["crop_pct"]), crop=(short, short), pad=pad)
    if short:
        return Preprocessing("short", int(short), longest=int(longest or 0), crop=crop, pad=pad)
    if longest:
        return Preprocessing("within", int(longest), int(longest), crop=crop, pad=pad)
    if size.get("max_height") and size.get("max_width"):
        return Preprocessing("within", int(size["max_height"]), int(size["max_width"]), crop=crop, pad=pad)
    height, width = _pair(size) or _image_size(config)
    return Preprocessing("squeeze", height, width, crop=crop, pad=pad)


def agrees(processor: Any, rule: InputRule) -> bool:
    """Whether a processor makes of two pictures what its rule makes of them. True where it takes none to try."""
    for width, height in _TRIALS:
        down, across = np.mgrid[0:height, 0:width]
        picture = np.stack([across * 255 / width, down * 255 / height, (across + down) % 64 * 4], axis=-1)
        image = Image.fromarray(picture.astype(np.uint8))
        try:
            theirs = np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
            array, frame = fit_image(image, rule, "model")
        except Unfit:
            continue
        except Exception:  # a processor that asks for more than a picture
            return True
        if theirs.ndim != 3:  # in patches already
            continue
        rows, cols = frame.rows * rule.patch, frame.cols * rule.patch
        if theirs.shape[0] != 3 or [side // rule.patch for side in theirs.shape[1:]] != [frame.rows, frame.cols]:
            return False
        ours = (array * rule.rescale - rule.mean) / rule.std
        apart = np.abs(theirs[:, :rows, :cols].transpose(1, 2, 0) - ours[:rows, :cols]).mean()
        if apart > _APART * 255 * rule.rescale / min(rule.std):
            return False
    return True


def published_rule(published: Any, size: int | None = None) -> InputRule:
    """The input rule of a published model, without asking the hub; `size` in place of its own side in pixels."""
    mean, std = published.colour
    side = size or published.size
    return InputRule(
        size=side,
        resize=round(published.resize * side / published.size),
        mean=mean,
        std=std,
        patch=published.patch,
        interpolation=published.interpolation,
        own=Preprocessing("squeeze", side, side) if published.squeezes else None,
    )


def colours(mean: Any, std: Any) -> str:
    """Mean and standard deviation in words."""
    return " and ".join(
        f"{word} {', '.join(f'{value:.3g}' for value in _three(values))}"
        for word, values in (("mean", mean), ("standard deviation", std))
    )


def patch_of(config: Any) -> int:
    """The side of a patch in pixels."""
    patch = config.patch_size
    return int(patch if isinstance(patch, int) else patch[0])


def _rule_of_family(transformers: Any, config: Any, name: str, why: str) -> Reading:
    """The rule of a network that does not bring one: its family's as published, else what transformers' own class of
    processor for it does; at the size of its positions."""
    kind = config.model_type
    patch = patch_of(config)
    height, width = (max(patch, side // patch * patch) for side in _image_size(config))
    like = published_like(kind)
    if like is not None and height == width:
        # DINOv2's positions are those of 518 pixels, and its pictures have 224.
        side = like.size if height == like.grid and patch == like.patch else height
        rule, source = published_rule(like, side), f"the family {kind} as published"
        rule = replace(rule, patch=patch)
    else:
        settings = _class_settings(transformers, kind)
        source = f"transformers' processor for {kind}" if settings else "ImageNet"
        settings = settings or {"do_resize": True, "do_normalize": True} | dict(
            zip(("image_mean", "image_std"), IMAGENET, strict=True)
        )
        if like is not None:
            settings = settings | {"image_mean": like.colour[0], "image_std": like.colour[1]}
        rule, _ = rule_of(_sized(settings, config, height, width), config)
    return rule, (
        f"{name} {why}: taken were the colours of {source} ({colours(rule.mean, rule.std)}), "
        f"{rule.preprocessing.describe()}. If it was trained "
        "otherwise, put its preprocessor_config.json into its folder.",
    )


def _sized(settings: dict[str, Any], config: Any, height: int, width: int) -> dict[str, Any]:
    """The settings of a class of processors, for a network with pictures of height × width pixels."""
    if settings.get("max_num_patches"):
        return settings
    usual = preprocessing_of(settings, config).output
    if height != width or usual is None or usual[0] != usual[1]:
        return settings | {"do_center_crop": False, "size": {"height": height, "width": width}}
    size = {edge: round(side * height / usual[0]) for edge, side in dict(settings.get("size") or {}).items() if side}
    square = {"height": height, "width": width}
    return settings | {"size": size or square, "crop_size": square}


def _class_settings(transformers: Any, kind: str) -> dict[str, Any]:
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    names = IMAGE_PROCESSOR_MAPPING_NAMES.get(kind) or IMAGE_PROCESSOR_MAPPING_NAMES.get(
        kind.removesuffix("_vision_model")
    )
    name = names.get("torchvision") or names.get("pil") if isinstance(names, Mapping) else None
    return _defaults(getattr(transformers, name, None)) if name else {}


def _defaults(processor_class: Any) -> dict[str, Any]:
    try:
        return {name: value for name, value in processor_class().to_dict().items() if value is not None}
    except Exception:  # a class that asks for more
        return {}


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and "Can't load image processor" in str(error):
        return "brings no processor that says how its pictures are prepared"
    return f"has a processor that cannot be read ({reason_of(error)})"


def _square(own: Preprocessing, config: Any, patch: int) -> Size:
    """The side of the square that the other fits make, in whole patches, and the short side before `crop` cuts it."""
    if own.resize == "patches":
        side = max(1, math.isqrt(own.patches)) * patch
        return side, side
    out = own.output or ((own.height,) * 2 if own.resize == "short" else _image_size(config))
    side = max(1, math.isqrt((out[0] // patch) * (out[1] // patch))) * patch
    return side, max(side, own.height if own.crop and own.resize in ("short", "squeeze") else side)


def _image_size(config: Any) -> Size:
    return _pair(getattr(config, "image_size", None)) or (224, 224)


def _pair(size: Any) -> Size | None:
    """(height, width) of whatever a configuration calls a size."""
    if size is None:
        return None
    if isinstance(size, Mapping):
        height = size.get("height") or size.get("shortest_edge")
        width = size.get("width") or size.get("shortest_edge")
    elif isinstance(size, list | tuple):
        height, width = (size[0], size[-1]) if size else (None, None)
    else:
        height = width = size
    return (int(height), int(width)) if height and width else None


def _three(values: Any) -> tuple[float, float, float]:
    values = (values,) * 3 if isinstance(values, int | float) else tuple(values)
    red, green, blue = values * 3 if len(values) == 1 else values
    return float(red), float(green), float(blue)
