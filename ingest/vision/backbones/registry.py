"""The models that have a short name: where their weights are published, and enough of their shape to build them offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


# The families that see whole pictures unless somebody says otherwise. Their positions are interpolated to any grid, and
# of the paintings here DINOv2 finds the same artist with the whole pictures at least as often as with its own
# processor's centre cut (`python -m tests.bench fit`). The others keep what their processors do until somebody has
# measured them.
WHOLE = ("dinov2", "dinov2_with_registers")


def usual_fit(family: str) -> str:
    """How pictures are fitted to a network of this family (transformers' name) unless somebody says otherwise."""
    return "aspect" if family in WHOLE else "model"


@dataclass(frozen=True)
class Published:
    """A published model. `family` names the transformers architecture, `repo` where transformers finds the weights,
    `timm` the same network's name in timm ('' where there is none); `megabytes` of float32 weights; `grid` the side in
    pixels its positions were trained for; `size` and `resize` the input rule (`resize` the short side before the cut),
    `squeezes` that its own processor squeezes the whole picture into the square and cuts nothing, `interpolation` the
    filter. One that can be searched by words says in which `languages` ('' for the others), and the `megabytes_with_text`
    of float32 weights that pictures and texts need together."""

    key: str
    family: str
    repo: str
    timm: str
    layers: int
    heads: int
    dim: int
    patch: int
    prefix_tokens: int
    megabytes: int
    licence: str
    grid: int = 224
    size: int = 224
    resize: int = 256
    colour: tuple = IMAGENET
    mlp: int = 4
    swiglu: bool = False
    squeezes: bool = False
    interpolation: str = "bicubic"
    languages: str = ""
    megabytes_with_text: int | None = None


# In which languages texts were trained: OpenAI's CLIP and SigLIP in English; the texts of SigLIP 2 cover 109 languages
# (Tschannen et al. 2025), those of MetaCLIP 2 more than 300 (Chuang et al. 2025).
ENGLISH, MANY, MOST = "English", "109 languages", "more than 300 languages"


def _dinov2(name: str, layers: int, heads: int, dim: int, megabytes: int, swiglu: bool = False) -> list[Published]:
    shape = dict(
        layers=layers,
        heads=heads,
        dim=dim,
        patch=14,
        megabytes=megabytes,
        licence="Apache-2.0",
        grid=518,
        swiglu=swiglu,
    )
    timm = f"vit_{name}_patch14"
    return [
        Published(
            f"dinov2-{name}",
            "dinov2",
            f"facebook/dinov2-{name}",
            f"{timm}_dinov2.lvd142m",
            prefix_tokens=1,
            **shape,
        ),
        Published(
            f"dinov2-{name}-registers",
            "dinov2_with_registers",
            f"facebook/dinov2-with-registers-{name}",
            f"{timm}_reg4_dinov2.lvd142m",
            prefix_tokens=5,
            **shape,
        ),
    ]


def _dinov3(name: str, short: str, layers: int, heads: int, dim: int, megabytes: int, **more) -> Published:
    return Published(
        f"dinov3-{name}",
        "dinov3_vit",
        f"facebook/dinov3-vit{short}-pretrain-lvd1689m",
        f"vit_{name.replace('-', '_')}_patch16_dinov3.lvd1689m",
        layers, heads, dim, 16, 5, megabytes, "DINOv3 License", resize=224,
        squeezes=True, interpolation="bilinear", **more,
    )  # fmt: skip


def _plain(
    key: str, family: str, repo: str, timm: str, scale: str, patch: int, licence: str,
    prefix_tokens: int = 1, megabytes: int | None = None, **more: Any,
) -> Published:  # fmt: skip
    layers, heads, dim, usual = {
        "tiny": (12, 3, 192, 22),
        "small": (12, 6, 384, 88),
        "base": (12, 12, 768, 344),
        "large": (24, 16, 1024, 1214),
        "huge": (32, 16, 1280, 2524),
    }[scale]
    return Published(
        key,
        family,
        repo,
        timm,
        layers,
        heads,
        dim,
        patch,
        prefix_tokens,
        usual if megabytes is None else megabytes,
        licence,
        **more,
    )


PUBLISHED: dict[str, Published] = {
    model.key: model
    for model in (
        *_dinov2("small", 12, 6, 384, 88),
        *_dinov2("base", 12, 12, 768, 346),
        *_dinov2("large", 24, 16, 1024, 1217),
        *_dinov2("giant", 40, 24, 1536, 4546, swiglu=True),
        _dinov3("small", "s16", 12, 6, 384, 86),
        _dinov3("small-plus", "s16plus", 12, 6, 384, 115, swiglu=True),
        _dinov3("base", "b16", 12, 12, 768, 343),
        _dinov3("large", "l16", 24, 16, 1024, 1213),
        _dinov3("huge-plus", "h16plus", 32, 20, 1280, 3362, swiglu=True),
        _plain("vit-tiny", "vit", "WinKawaks/vit-tiny-patch16-224", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "tiny", 16, "Apache-2.0", colour=HALF, resize=224, squeezes=True, interpolation="bilinear"),
        _plain("vit-small", "vit", "WinKawaks/vit-small-patch16-224", "vit_small_patch16_224.augreg_in21k_ft_in1k", "small", 16, "Apache-2.0", colour=HALF, resize=224, squeezes=True, interpolation="bilinear"),
        _plain("vit-base", "vit", "google/vit-base-patch16-224", "vit_base_patch16_224.augreg_in21k_ft_in1k", "base", 16, "Apache-2.0", colour=HALF, resize=224, squeezes=True, interpolation="bilinear"),
        _plain("vit-large", "vit", "google/vit-large-patch16-224", "vit_large_patch16_224.augreg_in21k_ft_in1k", "large", 16, "Apache-2.0", colour=HALF, resize=224, squeezes=True, interpolation="bilinear"),
        _plain("vit-huge", "vit", "google/vit-huge-patch14-224-in21k", "", "huge", 14, "Apache-2.0", colour=HALF, resize=224, squeezes=True, interpolation="bilinear"),
        _plain("deit-tiny", "deit", "facebook/deit-tiny-patch16-224", "deit_tiny_patch16_224.fb_in1k", "tiny", 16, "Apache-2.0"),
        _plain("deit-small", "deit", "facebook/deit-small-patch16-224", "deit_small_patch16_224.fb_in1k", "small", 16, "Apache-2.0"),
        _plain("deit-base", "deit", "facebook/deit-base-patch16-224", "deit_base_patch16_224.fb_in1k", "base", 16, "Apache-2.0"),
        _plain("deit-tiny-distilled", "deit", "facebook/deit-tiny-distilled-patch16-224", "deit_tiny_distilled_patch16_224.fb_in1k", "tiny", 16, "Apache-2.0", prefix_tokens=2),
        _plain("deit-small-distilled", "deit", "facebook/deit-small-distilled-patch16-224", "deit_small_distilled_patch16_224.fb_in1k", "small", 16, "Apache-2.0", prefix_tokens=2),
        _plain("deit-base-distilled", "deit", "facebook/deit-base-distilled-patch16-224", "deit_base_distilled_patch16_224.fb_in1k", "base", 16, "Apache-2.0", prefix_tokens=2),
        _plain("dino-small-16", "vit", "facebook/dino-vits16", "vit_small_patch16_224.dino", "small", 16, "Apache-2.0"),
        _plain("dino-small-8", "vit", "facebook/dino-vits8", "vit_small_patch8_224.dino", "small", 8, "Apache-2.0"),
        _plain("dino-base-16", "vit", "facebook/dino-vitb16", "vit_base_patch16_224.dino", "base", 16, "Apache-2.0"),
        _plain("dino-base-8", "vit", "facebook/dino-vitb8", "vit_base_patch8_224.dino", "base", 8, "Apache-2.0"),
        _plain("clip-base-32", "clip_vision_model", "openai/clip-vit-base-patch32", "vit_base_patch32_clip_224.openai", "base", 32, "MIT", colour=CLIP, resize=224, megabytes=350, languages=ENGLISH, megabytes_with_text=605),
        _plain("clip-base-16", "clip_vision_model", "openai/clip-vit-base-patch16", "vit_base_patch16_clip_224.openai", "base", 16, "MIT", colour=CLIP, resize=224, languages=ENGLISH, megabytes_with_text=598),
        _plain("clip-large", "clip_vision_model", "openai/clip-vit-large-patch14", "vit_large_patch14_clip_224.openai", "large", 14, "MIT", colour=CLIP, resize=224, languages=ENGLISH, megabytes_with_text=1710),
        _plain("siglip-base", "siglip_vision_model", "google/siglip-base-patch16-224", "vit_base_patch16_siglip_224.webli", "base", 16, "Apache-2.0", colour=HALF, resize=224, squeezes=True, prefix_tokens=0, megabytes=372, languages=ENGLISH, megabytes_with_text=813),
        _plain("siglip-large", "siglip_vision_model", "google/siglip-large-patch16-256", "vit_large_patch16_siglip_256.webli", "large", 16, "Apache-2.0", colour=HALF, grid=256, size=256, resize=256, squeezes=True, prefix_tokens=0, megabytes=1264, languages=ENGLISH, megabytes_with_text=2609),
        _plain("siglip2-base", "siglip_vision_model", "google/siglip2-base-patch16-224", "vit_base_patch16_siglip_224.v2_webli", "base", 16, "Apache-2.0", colour=HALF, resize=224, squeezes=True, interpolation="bilinear", prefix_tokens=0, megabytes=372, languages=MANY, megabytes_with_text=1501),
        _plain("siglip2-large", "siglip_vision_model", "google/siglip2-large-patch16-256", "vit_large_patch16_siglip_256.v2_webli", "large", 16, "Apache-2.0", colour=HALF, grid=256, size=256, resize=256, squeezes=True, interpolation="bilinear", prefix_tokens=0, megabytes=1264, languages=MANY, megabytes_with_text=3526),
        _plain("metaclip2-base-16", "metaclip_2_vision_model", "facebook/metaclip-2-worldwide-b16", "", "base", 16, "CC-BY-NC-4.0", colour=CLIP, resize=224, languages=MOST, megabytes_with_text=2344),
        _plain("metaclip2-large", "metaclip_2_vision_model", "facebook/metaclip-2-worldwide-l14", "", "large", 14, "CC-BY-NC-4.0", colour=CLIP, resize=224, languages=MOST, megabytes_with_text=4328),
    )
}  # fmt: skip


def published_like(kind: str) -> Published | None:
    """A published model of the family that transformers calls so, None where none is known."""
    names = (kind, f"{kind}_vision_model")
    return next((model for model in PUBLISHED.values() if model.family in names), None)
