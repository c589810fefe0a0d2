"""Student and teacher: a network that gives a picture's feature, and the head behind it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ingest.vision.backbones import Backbone, BackboneError
from ingest.vision.backbones.checkpoint import read_weights, reason_of
from ingest.vision.backbones.from_timm import load_timm
from ingest.vision.backbones.registry import IMAGENET
from ingest.vision.backbones.unwrapping import find_network, shapes_of
from ingest.vision.training.ssl.settings import HeadSettings, ModelSettings, SSLSettings

Load = Callable[[str, str | None], Backbone]
GIVEN = ("random", "pretrained")  # weights that are no file


@dataclass(frozen=True)
class Encoder:
    """A network as a training uses it: `forward` gives features (n, dim) of normalised pixels. `mean` and `std` of its
    colours, `patch` in pixels (None: it has none), `interpolation` of its pictures, and the `arguments` of timm that
    make it again."""

    module: nn.Module
    forward: Callable[[Tensor], Tensor]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    patch: int | None
    interpolation: str
    arguments: dict[str, Any]


class Branch(nn.Module):
    """An encoder and its head."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, dim: int, head: HeadSettings) -> None:
        super().__init__()
        from lightly.models.modules.heads import DINOProjectionHead

        self.body, self.encoder = encoder.module, encoder
        with warnings.catch_warnings():  # of its own old way of normalising weights
            warnings.simplefilter("ignore", FutureWarning)
            self.head = DINOProjectionHead(
                dim, head.hidden, head.bottleneck, head.outputs, head.batch_norm, norm_last_layer=head.norm_last_layer
            )
        for name in ("mean", "std"):
            values = torch.tensor(getattr(encoder, name)).view(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def features(self, pixels: Tensor) -> Tensor:
        """Features (n, dim) of pictures uint8 (n, 3, height, width)."""
        pixels = pixels.to(self.device, non_blocking=True).to(self.mean.dtype) / 255
        return self.encoder.forward((pixels - self.mean) / self.std)

    def forward(self, views: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Features and outputs of each view, uint8 (n, 3, size, size); those of one size pass together."""
        places: dict[tuple[int, ...], list[int]] = {}
        for place, view in enumerate(views):
            places.setdefault(tuple(view.shape), []).append(place)
        features: list[Tensor] = list(views)
        for same in places.values():
            found = self.features(torch.cat([views[place] for place in same]))
            for place, part in zip(same, found.chunk(len(same)), strict=True):
                features[place] = part
        return features, list(self.head(torch.cat(features)).chunk(len(views)))


def make_branches(settings: SSLSettings, load: Load) -> tuple[Branch, Branch]:
    """Student and teacher with the same weights, of which the student's are to be trained. `load` opens a backbone by
    its name and weights file. BackboneError for a network that cannot be had, or does not take these views."""
    student, dim = _branch(settings, load, settings.model.drop_path)
    teacher, _ = _branch(settings, load, 0.0, dim)
    teacher.load_state_dict(student.state_dict())
    student.body.requires_grad_(True)
    teacher.requires_grad_(False)
    return student, teacher


def _branch(settings: SSLSettings, load: Load, drop_path: float, dim: int | None = None) -> tuple[Branch, int]:
    views = settings.views
    encoder = open_encoder(settings.model, views.size, drop_path, load)
    encoder.module.requires_grad_(True)
    if views.mean is not None and views.std is not None:
        encoder = replace(encoder, mean=views.mean, std=views.std)
    if dim is None:
        dim = _check_sizes(encoder, settings)
    return Branch(encoder, dim, settings.head), dim


def _check_sizes(encoder: Encoder, settings: SSLSettings) -> int:
    """How long the features are, of all sizes of views. BackboneError for a size that the network does not take."""
    views, dim = settings.views, 0
    sizes = {"views.size": views.size} | ({"views.local_size": views.local_size} if views.local_views else {})
    training = encoder.module.training
    encoder.module.eval()
    for name, size in sizes.items():
        if encoder.patch and size % encoder.patch:
            near = max(1, round(size / encoder.patch)) * encoder.patch
            raise BackboneError(
                f"{name} {size} is not a multiple of this network's patch of {encoder.patch} pixels; {near} would be"
            )
        try:
            with torch.no_grad():
                dim = encoder.forward(torch.zeros(1, 3, size, size)).shape[-1]
        except Exception as error:  # whatever a network raises for a size that it was not made for
            raise BackboneError(
                f"{settings.model.name} does not take views of {size} × {size} pixels ({name}): {reason_of(error)}"
            ) from error
    encoder.module.train(training)
    return dim


def open_encoder(model: ModelSettings, size: int, drop_path: float, load: Load) -> Encoder:
    """The network of the settings on the CPU, for views of `size` pixels. BackboneError."""
    if model.name == "resnet50":
        return _resnet(model)
    family, _, name = model.name.partition(":")
    if family != "timm":
        backbone = load(model.name, None if model.weights in GIVEN else model.weights)
        network, rule = backbone.network, backbone.rule
        return Encoder(
            network.module, lambda x: network.forward(x, False).features, rule.mean, rule.std, rule.patch,
            rule.interpolation, {},
        )  # fmt: skip
    arguments = dict(model.arguments)
    if model.weights == "random":
        arguments.setdefault("img_size", size)
    dropped: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    if model.weights in GIVEN:
        network = load_timm(name, pretrained=model.weights == "pretrained", **dropped, **arguments)
    else:
        empty = load_timm(name, pretrained=False, **arguments)
        tensors = read_weights(model.weights)
        found = find_network(tensors, [shapes_of(empty.module.state_dict())])
        network = load_timm(
            name, tensors=found.tensors if found else tensors, path=model.weights, **dropped, **arguments
        )
    rule = network.rule
    return Encoder(
        network.module, lambda x: network.forward(x, False).features, rule.mean, rule.std, rule.patch,
        rule.interpolation, arguments,
    )  # fmt: skip


def _resnet(model: ModelSettings) -> Encoder:
    import timm

    try:
        module = timm.create_model("resnet50", pretrained=model.weights == "pretrained", num_classes=0)
    except (OSError, RuntimeError) as error:
        raise BackboneError(
            f"the weights of resnet50 could not be had ({reason_of(error)}); name a file with model: weights: FILE"
        ) from error
    if model.weights not in GIVEN:
        tensors = read_weights(model.weights)
        there = module.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("fc.")}, strict=False)
        if there.missing_keys or there.unexpected_keys:
            other = [*there.missing_keys, *there.unexpected_keys]
            raise BackboneError(f"{model.weights} does not fit resnet50: {len(other)} weights differ, as {other[0]}")
    return Encoder(module, module, *IMAGENET, None, "bicubic", {})
