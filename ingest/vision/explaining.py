"""From a batch of pictures to maps: one captured pass, and every method that was asked for over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ingest.vision.attention import Maps, Method, Reader, methods, walk
from ingest.vision.attention.daam_heads import head_importance
from ingest.vision.attention.statistics import HeadStatistics, token_statistics
from ingest.vision.backbones import Backbone
from ingest.vision.backbones.backbone import unit
from ingest.vision.tap import Capture
from ingest.vision.targets import Prediction, Target, TargetScores


@dataclass(frozen=True)
class Asked:
    """A method with those of its options that differ from the default."""

    key: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        return methods()[self.key]

    @property
    def name(self) -> str:
        """What its maps are stored under: `rollout`, `rollout(discard=0.9,fusion=max)`."""
        if not self.options:
            return self.key
        return f"{self.key}({','.join(f'{key}={value}' for key, value in sorted(self.options.items()))})"

    @staticmethod
    def parse(name: str) -> Asked:
        """The method written as `name`. ValueError with a sentence for an unknown method, option or value."""
        found = re.fullmatch(r"([a-z_]+)(?:\((.*)\))?", name.strip())
        known = methods()
        if found is None or found[1] not in known:
            raise ValueError(f"there is no attention method {name!r}; there are {', '.join(known)}")
        offered = {option.key: option for option in known[found[1]].options}
        options = {}
        for part in filter(None, (found[2] or "").split(",")):
            key, _, text = (word.strip() for word in part.partition("="))
            if key not in offered:
                some = f"it has {', '.join(offered)}" if offered else "it has none"
                raise ValueError(f"{found[1]} has no option {key!r}; {some}")
            value = offered[key].read(text)
            if value != offered[key].default:
                options[key] = value
        return Asked(found[1], options)


@dataclass(frozen=True)
class Explanation:
    """What one batch gave, on the CPU. `features` float32 (batch, dim), L2-normalised, and `norms` (batch,), their
    lengths before, None where a target was explained; `maps` one entry a method; `statistics` by name float32 (batch,
    layers, heads) and `tokens` by name (batch,), empty unless asked for; `importance` (batch, layers, heads), `targets`
    (batch,) and a classifier's `predictions` where a target was explained."""

    features: Tensor | None
    rows: int
    cols: int
    maps: list[Maps]
    statistics: dict[str, Tensor] = field(default_factory=dict)
    tokens: dict[str, Tensor] = field(default_factory=dict)
    importance: Tensor | None = None
    targets: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    norms: Tensor | None = None


def explain_pictures(
    backbone: Backbone,
    batch: Tensor,
    asked: Sequence[Asked],
    target: Target | None = None,
    picture_cells: Tensor | None = None,
    image_ids: Sequence[int | None] | None = None,
    statistics: bool = False,
) -> Explanation:
    """The methods `asked` over uint8 pictures (batch, height, width, 3), in one forward pass, with a target also one
    backward pass.

    `picture_cells` bool (batch, rows * cols) is False where padding was added; `image_ids` say which stored picture
    each is, so that none becomes its own neighbour. Each softmax row is computed once, whatever the number of methods
    that read it. ValueError with a sentence for a method that this network cannot show, or that lacks a target; of its
    kind GridError for what these pictures' grid has no place for.
    """
    for each in asked:
        refuse_unsuited(each.method, backbone, target is not None)
    if target is None:
        return _process(backbone, batch, asked, picture_cells, statistics)
    image_ids = [None] * len(batch) if image_ids is None else image_ids
    answer, capture = capture_target(backbone, backbone.pixels(batch), target, picture_cells, image_ids)
    with torch.no_grad():
        maps, numbers = _read(capture, asked, statistics)
        importance = head_importance(capture).cpu()
    maps = [
        replace(found, targets=answer.names) if each.method.needs_target else found
        for each, found in zip(asked, maps, strict=True)
    ]
    return Explanation(
        None, capture.rows, capture.cols, maps, numbers, {}, importance, answer.names, answer.predictions
    )


def capture_target(
    backbone: Backbone,
    pixels: Tensor,
    target: Target,
    picture_cells: Tensor | None = None,
    image_ids: Sequence[int | None] = (),
) -> tuple[TargetScores, Capture]:
    """The scores of a target and a Capture whose layers hold the gradients of each picture's own, all blocks and
    pictures in one backward pass: a picture's score depends on no other picture."""
    with torch.inference_mode(False), torch.enable_grad(), backbone.tap(pixels, gradients=True) as tap:
        pixels = pixels.clone() if pixels.is_inference() else pixels
        answer = target.ask(backbone, pixels, image_ids)
        capture = backbone.captured(tap, pixels, picture_cells, answer.scores.sum(), positive=target.positive)
    return replace(answer, scores=answer.scores.detach()), capture


def refuse_unsuited(method: Method, backbone: Backbone, has_target: bool) -> None:
    """Raises ValueError with a sentence if this network cannot show the method."""
    reasons = {
        "cls": (backbone.has_cls, f"{backbone.title} has no CLS token; take received"),
        "pooling": (backbone.pools, f"{backbone.title} has no pooling head"),
        "self_attention": (
            not backbone.class_attention,
            f"in {backbone.title} only the CLS token asks; take cls or rollout",
        ),
        "target": (
            has_target,
            f"it explains a target; name one: python -m ingest explain --methods {method.key} --target neighbours:20",
        ),
    }
    for need in method.needs:
        met, reason = reasons[need]
        if not met:
            raise ValueError(f"{method.key} cannot be shown: {reason}")


def suits(method: Method, backbone: Backbone) -> bool:
    """Whether this network can show the method, given a target where it needs one."""
    try:
        refuse_unsuited(method, backbone, True)
    except ValueError:
        return False
    return True


def overflowing(found: Explanation) -> set[int]:
    """The places in the batch of pictures whose features, maps or heads are not finite numbers."""
    parts = [found.features, found.importance, *(maps.weights for maps in found.maps)]
    bad: set[int] = set()
    for part in parts:
        if part is not None:
            bad.update(torch.nonzero(~torch.isfinite(part.flatten(1)).all(dim=1)).flatten().tolist())
    return bad


@torch.inference_mode()
def _process(
    backbone: Backbone, batch: Tensor, asked: Sequence[Asked], picture_cells: Tensor | None, statistics: bool
) -> Explanation:
    pixels = backbone.pixels(batch)
    if not asked and not statistics:
        rows, cols = (side // backbone.patch for side in pixels.shape[2:])
        features, norms = unit(backbone.process(pixels).features)
        return Explanation(features.cpu(), rows, cols, [], norms=norms.cpu())
    found = _compute(backbone, pixels, asked, picture_cells, statistics)
    if found is None:
        wants_rows = statistics or any(each.key not in ("cls", "pooling") for each in asked)
        features, capture = backbone.capture(pixels, picture_cells, wants_rows, values=False, residual=statistics)
        maps, numbers = _read(capture, asked, statistics)
    else:
        features, capture, maps, numbers = found
    tokens = {name: value.cpu() for name, value in token_statistics(capture).items()} if statistics else {}
    norms = None if capture.norms is None else capture.norms.cpu()
    return Explanation(features.cpu(), capture.rows, capture.cols, maps, numbers, tokens, norms=norms)


def _compute(
    backbone: Backbone, pixels: Tensor, asked: Sequence[Asked], picture_cells: Tensor | None, statistics: bool
) -> tuple[Tensor, Capture, list[Maps], dict[str, Tensor]] | None:
    """Features, capture, maps and statistics of a pass that is read as it runs; None where it cannot be, or where
    nothing needs its softmax rows, so that the fused kernels are quicker."""
    if not backbone.computable or not all(each.method.in_pass for each in asked):
        return None
    to_come = backbone.capture_to_come(pixels, picture_cells)
    readers, counting = _readers(to_come, asked, statistics)
    if not any(reader.wants_tiles for reader in [*readers, *counting]):
        return None
    done = backbone.compute(pixels, to_come, [*readers, *counting], residual=statistics)
    return None if done is None else (*done, *_values(asked, readers, counting))


def _read(capture: Capture, asked: Sequence[Asked], statistics: bool) -> tuple[list[Maps], dict[str, Tensor]]:
    readers, counting = _readers(capture, asked, statistics)
    walk(capture, [*readers, *counting])
    return _values(asked, readers, counting)


def _readers(capture: Capture, asked: Sequence[Asked], statistics: bool) -> tuple[list[Reader], list[HeadStatistics]]:
    readers = [each.method.read(capture, **each.options) for each in asked]
    return readers, [HeadStatistics(capture)] if statistics else []


def _values(
    asked: Sequence[Asked], readers: Sequence[Reader], counting: Sequence[HeadStatistics]
) -> tuple[list[Maps], dict[str, Tensor]]:
    maps = []
    for each, reader in zip(asked, readers, strict=True):
        found = reader.maps()
        maps.append(replace(found, method=each.name, weights=found.weights.cpu()))
    return maps, {name: value.cpu() for counter in counting for name, value in counter.values().items()}
