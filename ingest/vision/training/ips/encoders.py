"""From a patch to a vector: torchvision's ResNets, any backbone, or a projection of features that are there."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.backbones.checkpoint import check_loaded, read_weights
from ingest.vision.backbones.registry import IMAGENET
from ingest.vision.training.ips.settings import EncoderSettings

SMALL = (16, 32, 64)  # channels


class PatchEncoder(nn.Module):
    """Patches (n, channels, height, width), uint8 or between 0 and 1, or vectors (n, features), as vectors (n, dim).

    `body` gives vectors of some width, `project` brings them to `dim`. Where it is frozen, `body` is no part of the
    training: no gradients, and its batch norms stay as they are. Without `fetch` it has random weights, to be filled.
    """

    def __init__(
        self, settings: EncoderSettings, dim: int, backbone: Backbone | None = None, fetch: bool = True
    ) -> None:
        super().__init__()
        self.settings = settings
        if settings.is_backbone and backbone is None:
            raise BackboneError(f"the backbone {settings.kind} has to be loaded first")
        self.prepare = _Normalised(settings, backbone)
        self.body, width = _body(settings, dim, backbone, fetch)
        needs = settings.kind == "resnet50" or width != dim
        self.project = nn.Linear(width, dim) if needs else nn.Identity()
        for parameter in self.body.parameters():
            parameter.requires_grad_(not settings.frozen)

    def train(self, mode: bool = True) -> PatchEncoder:
        super().train(mode)
        if self.settings.frozen:
            self.body.eval()
        return self

    def forward(self, patches: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.settings.frozen):
            vectors = self.body(self.prepare(patches))
        return self.project(vectors)


class _Normalised(nn.Module):
    """Pixels as the body was trained with: between 0 and 1 where it starts from nothing."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: EncoderSettings, backbone: Backbone | None) -> None:
        super().__init__()
        self.pixels = settings.kind != "features"
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if backbone is not None:
            mean, std = backbone.rule.mean, backbone.rule.std
        elif settings.pretrained or settings.weights:
            mean, std = IMAGENET
        for name, colours in (("mean", mean), ("std", std)):
            values = (
                torch.tensor(colours) if settings.channels == 3 else torch.tensor(colours).mean(dim=0, keepdim=True)
            )
            self.register_buffer(name, values.view(1, -1, 1, 1), persistent=False)

    def forward(self, patches: Tensor) -> Tensor:
        if not self.pixels:
            return patches.float()
        patches = patches.float() / 255 if patches.dtype == torch.uint8 else patches
        return (patches - self.mean) / self.std


def _body(settings: EncoderSettings, dim: int, backbone: Backbone | None, fetch: bool) -> tuple[nn.Module, int]:
    if settings.kind == "features":
        width = settings.features or 0
        norm = nn.LayerNorm(width, eps=1e-5, elementwise_affine=False)
        return nn.Sequential(norm, nn.Linear(width, dim), nn.BatchNorm1d(dim), nn.ReLU()), dim
    if settings.kind == "small":
        return _small(settings.channels), SMALL[-1]
    return (_Transformer(backbone), backbone.dim) if backbone is not None else _resnet(settings, fetch)


def _small(channels: int) -> nn.Module:
    """Three convolutions with a stride of 2, the first 5 × 5 and the others 3 × 3, each with batch norm and ReLU; the
    mean over all places, with a batch norm of its own: means of patches differ by little."""
    layers: list[nn.Module] = []
    for width in SMALL:
        side = 3 if layers else 5
        conv = nn.Conv2d(channels, width, kernel_size=side, stride=2, padding=side // 2, bias=False)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(SMALL[-1]))


class _Transformer(nn.Module):
    """A backbone that sees a patch as a picture, at a size that it takes."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network, self.module = backbone.network, backbone.network.module
        self.any_grid, self.patch, self.shape = backbone.any_grid, backbone.patch, backbone.rule.shape

    def forward(self, pixels: Tensor) -> Tensor:
        shape = self.shape
        if self.any_grid:
            shape = tuple(max(1, round(side / self.patch)) * self.patch for side in pixels.shape[-2:])
        if shape != tuple(pixels.shape[-2:]):
            pixels = F.interpolate(pixels, shape, mode="bicubic", antialias=True, align_corners=False)
        return self.network.forward(pixels, False).features


def _resnet(settings: EncoderSettings, fetch: bool) -> tuple[nn.Module, int]:
    network = _filled_resnet(settings) if fetch else getattr(models, settings.kind)()
    if settings.channels == 1:
        colour = network.conv1
        network.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        if settings.pretrained or settings.weights:  # what it sees in grey, it saw in three equal colours
            network.conv1.weight.data = colour.weight.data.sum(dim=1, keepdim=True)
    names = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2"]
    names += ["layer3", "layer4"] if settings.blocks == 4 else []
    last = getattr(network, names[-1])[-1]
    width = last.conv3.out_channels if settings.kind == "resnet50" else last.conv2.out_channels
    return nn.Sequential(*(getattr(network, name) for name in names), network.avgpool, nn.Flatten()), width


def _filled_resnet(settings: EncoderSettings) -> Any:
    make = getattr(models, settings.kind)
    if settings.weights:
        network, tensors = make(), read_weights(settings.weights)
        there = network.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("fc.")}, strict=False)
        missing = [name for name in there.missing_keys if not name.startswith(("fc.", "num_batches"))]
        check_loaded(settings.weights, missing, there.unexpected_keys, len(tensors), "Give weights of torchvision's.")
        return network
    try:
        return make(weights="IMAGENET1K_V1" if settings.pretrained else None)
    except OSError as error:
        raise BackboneError(
            f"the ImageNet weights of {settings.kind} could not be fetched ({error}); "
            "name a file with them, encoder: weights: FILE, or set pretrained: false"
        ) from error
