"""What is looked at, and its maps: those that the database holds, or else made now by the network itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from dashboard.compute.methods import depth_noun, entry_of
from dashboard.data import cache
from dashboard.drawing import map_values
from dashboard.drawing.panels import Scene
from ingest.vision.geometry import Frame, fit_image
from store.maps import FUSED, AttentionMaps, no_heads
from store.records import Run, RunRecord

WORDS = "words:"  # begins a target that is a text


class NoMaps(Exception):
    """No map can be shown; the message is a sentence that says why."""


@dataclass(frozen=True)
class Subject:
    """A picture before a network.

    For a picture that is in no database `run` is no `RunRecord`, and `image_id` is None.
    `picture` is upright, `original` says that it is no thumbnail, `size` is the (width, height) of the original, and
    `digest` tells it from other pictures.
    """

    run: Run
    image_id: int | None
    picture: Image.Image
    original: bool
    size: tuple[int, int]
    title: str
    caption: str
    alt: str
    digest: str

    @property
    def group(self) -> str:
        """Walls of the same picture share a cursor."""
        return f"picture {self.digest}"

    @property
    def stored(self) -> tuple[int, int] | None:
        """The numbers of run and picture in the database; None for a picture that is in none."""
        if self.image_id is None or not isinstance(self.run, RunRecord):
            return None
        return self.run.run_id, self.image_id

    @property
    def record(self) -> RunRecord:
        """The run, for what is asked of a run's other pictures. Raises NoMaps where it is in no database."""
        if not isinstance(self.run, RunRecord):
            raise NoMaps("There are no other pictures to compare with.")
        return self.run

    def scene(self, frame: Frame) -> Scene:
        return Scene(self.picture, self.size, frame, self.title)


@dataclass(frozen=True)
class Question:
    """Which maps: a method by its stored name (`rollout`, `rollout(fusion=max)`), what it explains ('' for nothing),
    layers and heads (None: all there are), how heads are fused, '' or a key of map_values.FUSIONS, and whether the
    layers of a method that accumulates are shown each `alone`, not added up."""

    method: str
    target: str = ""
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    fuse: str = ""
    alone: bool = False

    @property
    def key(self) -> str:
        """The method's key in the registry."""
        return self.method.partition("(")[0]

    @property
    def entry(self) -> Any:
        """The method's entry in the registry; None for one that this version does not know."""
        return entry_of(self.method)

    @property
    def accumulates(self) -> bool:
        """Whether the method is one that accumulates."""
        return self.entry is not None and self.entry.accumulates

    @property
    def accumulated(self) -> bool:
        """Whether each map is the sum of all layers up to its own."""
        return self.accumulates and not self.alone


@dataclass(frozen=True)
class PictureMaps:
    """Maps of one picture and what of it they cover. `seconds` is how long a pass took that was made just now, and
    `predicted` what a classifier said in it; None for maps that the database holds."""

    maps: AttentionMaps
    frame: Frame
    predicted: Any | None = None
    seconds: float | None = None


def subject_of(run: RunRecord, image_id: int) -> Subject:
    """An image of the database before a run's network. Raises NoMaps if there is nothing to draw on."""
    image, found = cache.image(image_id), cache.picture(image_id)
    if image is None:
        raise NoMaps("This image is not in the database any more. Choose another one.")
    if found is None:
        raise NoMaps("Neither the original nor a thumbnail of this image can be read: there is nothing to draw on.")
    size = (image["width"], image["height"])
    words = (image["title"], image["caption"], image["alt"])
    return Subject(run, image_id, *found, size, *words, digest=f"{image_id} {image['version']}")


def subject_of_own(run: Run, name: str, picture: Image.Image) -> Subject:
    """A picture that is in no database, before the network that `run` describes."""
    digest = hashlib.sha256(picture.tobytes()).hexdigest()[:16]
    return Subject(run, None, picture, True, picture.size, name, "", name, digest)


def find(subject: Subject, question: Question) -> PictureMaps:
    """The maps asked for, stored or live. Raises NoMaps."""
    found = _stored(subject, question)
    if found is None:
        found = _selected(question, compute(subject, question.method, question.target))
    return replace(found, maps=_titled(question, found.maps))


def _stored(subject: Subject, question: Question) -> PictureMaps | None:
    """The maps that the database holds; None if it has none, or not all that are to be added up."""
    if subject.stored is None:
        return None
    heads = None if question.fuse else question.heads
    target = _as_stored(subject.stored, question.target)
    maps = cache.maps(*subject.stored, question.method, target, _needed(question), heads)
    frame = cache.frame(*subject.stored)
    if maps is None or frame is None or _lacks_layers(question, maps.layers):
        return None
    return PictureMaps(maps, Frame(frame.x0, frame.y0, frame.x1, frame.y1, *maps.grid))


def _selected(question: Question, found: PictureMaps) -> PictureMaps:
    """Of all maps of a pass those of the layers and heads that are asked for. Raises NoMaps."""
    maps, needed = found.maps, _needed(question)
    wanted = np.ones(len(maps), bool) if needed is None else np.isin(maps.layers, needed)
    if question.heads is not None and not question.fuse:
        wanted &= np.isin(maps.heads, (*question.heads, FUSED))
    if not wanted.any():
        raise NoMaps(
            f"There are maps of {_range(maps.layer_numbers)} only; choose one of these, or begin with an earlier layer."
        )
    return replace(found, maps=map_values.chosen(maps, np.flatnonzero(wanted)))


def _needed(question: Question) -> tuple[int, ...] | None:
    """The layers that the answer is made of: where they are added up, all to the last that is asked for."""
    if question.accumulated and question.layers:
        return tuple(range(max(question.layers) + 1))
    return question.layers


def _lacks_layers(question: Question, layers: np.ndarray) -> bool:
    """Whether maps that are to be added up are stored of some of the layers only."""
    return question.accumulated and layers.tolist() != list(range(len(layers)))


def _as_stored(stored: tuple[int, int], target: str) -> str:
    """The predicted class by its number: so are its maps stored."""
    if target == "class:predicted":
        number = cache.predicted_class(*stored)
        return target if number is None else f"class:{number}"
    return target


def compute(subject: Subject, method: str, target: str = "") -> PictureMaps:
    """All maps of a method, computed now unless they were just before. Raises NoMaps."""
    run = subject.run
    key = (subject.stored, run.weights_sha256, run.fit, run.size, subject.digest, method, target)
    try:
        if target.startswith(WORDS):  # to store a text changes the database, and with it what is remembered
            vector_of(run, target.removeprefix(WORDS))
        return cache.computed(lambda: _compute(subject, method, target), "maps", *key)
    except NoMaps:
        raise
    except ValueError as error:  # a target or an option that does not fit: a sentence already
        raise NoMaps(_sentence(error)) from error
    except Exception as error:  # weights that are gone, a library that is missing, memory: all end the same way
        raise NoMaps(f"The network {run.title} cannot be used here: {error}") from error


def _compute(subject: Subject, method: str, text: str) -> PictureMaps:
    import torch

    from ingest.vision.embedding import cells_of
    from ingest.vision.explaining import Asked, explain_pictures, overflowing

    run, asked = subject.run, Asked.parse(method)
    backbone = cache.backbone(run)
    start = time.perf_counter()
    pixels, frame = fit_image(subject.picture, backbone.rule, run.fit, run.size, subject.size)
    cells = cells_of([frame], [subject.picture.size])
    target = target_of(subject, text, backbone) if text else None
    batch = torch.from_numpy(pixels[None].copy())
    found = explain_pictures(backbone, batch, [asked], target, cells, [subject.image_id])
    if overflowing(found):
        raise ArithmeticError(backbone.overflow())
    maps = found.maps[0]
    weights = maps.weights[0].float().numpy().reshape(-1, found.rows, found.cols)
    heads = no_heads(len(weights)) if maps.heads is None else np.array(maps.heads)
    explained = maps.targets[0] if maps.targets else ""
    return PictureMaps(
        AttentionMaps(weights, np.array(maps.layers), heads, method=method, target=explained),
        _in_original(frame, subject),
        next(iter(found.predictions), None),
        time.perf_counter() - start,
    )


def _in_original(frame: Frame, subject: Subject) -> Frame:
    """A frame of the picture that was looked at, in pixels of the original."""
    across, down = (own / shown for own, shown in zip(subject.size, subject.picture.size, strict=True))
    return replace(frame, x0=frame.x0 * across, x1=frame.x1 * across, y0=frame.y0 * down, y1=frame.y1 * down)


def _titled(question: Question, maps: AttentionMaps) -> AttentionMaps:
    """The maps as they are shown: added up or their heads fused, as the question has it, with unit and titles."""
    evidence = question.entry is not None and question.entry.kind == "attribution"
    maps = replace(maps, unit="evidence" if evidence else "share")
    if question.accumulated:
        maps = _accumulated(question, maps)
    if maps.fused:
        return replace(maps, titles=tuple(map_title(question, layer) for layer in maps.layers.tolist()))
    if question.fuse:
        return map_values.fuse_heads(maps, question.fuse)
    pairs = zip(maps.layers.tolist(), maps.heads.tolist(), strict=True)
    return replace(maps, titles=tuple(map_values.title(layer, head) for layer, head in pairs))


def map_title(question: Question, layer: int) -> str:
    """What a map without heads is called, and whether it is a sum."""
    noun = depth_noun(question.method)
    if question.accumulated:
        return f"Accumulated to {noun.lower()} {layer}"
    return f"{noun} {layer} alone" if question.accumulates else f"{noun} {layer}"


def _accumulated(question: Question, maps: AttentionMaps) -> AttentionMaps:
    """Maps of all layers in their order, added up; of these sums those that are asked for."""
    from ingest.vision.attention.daam import accumulate

    layers = maps.layer_numbers if question.layers is None else question.layers
    sums = replace(maps, weights=accumulate(maps.weights).astype(np.float32))
    return map_values.chosen(sums, np.flatnonzero(np.isin(maps.layers, layers)))


def _range(layers: Sequence[int]) -> str:
    low, high = min(layers), max(layers)
    return f"layer {low}" if low == high else f"layers {low} to {high}"


def _sentence(error: Exception) -> str:
    words = str(error)
    return words[:1].upper() + words[1:].rstrip(".") + "."


# ---- targets --------------------------------------------------------------------------------------------------------


def target_of(subject: Subject, text: str, backbone: Any) -> Any:
    """The target written as `text`. Raises a ValueError with a sentence."""
    from ingest.vision.targets import make_target

    run = subject.run
    if not isinstance(run, RunRecord):
        return make_target(text, backbone, encode=lambda words: vector_of(run, words))
    return make_target(text, backbone, _bank(run), _labels(run), lambda words: vector_of(run, words))


def vector_of(run: Run, words: str) -> np.ndarray:
    """The vector (dim,) of a text, stored with the run if it is in a database. Raises NoMaps where no network reads
    it, with a sentence that says what to type."""
    from ingest.vision.words.tower import NoTextTower  # loads torch

    try:
        if isinstance(run, RunRecord):
            return cache.text_vectors(run, [words])[words].vector
        return cache.text_tower(run).encode([words])[0]
    except NoTextTower as error:
        raise NoMaps(_sentence(error)) from error


def probe_sentence(run: RunRecord, text: str) -> str:
    """How far the probe of a target `label:…` can be trusted. Raises NoMaps."""
    from ingest.vision.targets import TargetError, label_probe

    try:
        return cache.computed(lambda: label_probe(text, _bank(run), _labels(run)).sentence(), "probe", run.run_id, text)
    except TargetError as error:
        raise NoMaps(_sentence(error)) from error


def similarity(run: RunRecord, one: int, other: int) -> float | None:
    """Cosine of two images' features in a run; None where one of them has none."""
    ids, vectors = cache.features(run.run_id)
    found = [np.flatnonzero(ids == image_id) for image_id in (one, other)]
    return float(vectors[found[0][0]] @ vectors[found[1][0]]) if all(map(len, found)) else None


def classes_of(run: Run) -> tuple[str, ...]:
    """The classes that the run's network tells apart; none without a classifier, or where it cannot be loaded."""
    try:
        return cache.backbone(run).network.classes
    except Exception:  # a network that cannot be loaded here says so when a map is asked for
        return ()


def _bank(run: RunRecord) -> Any:
    from ingest.vision.targets import Bank

    return cache.remembered(lambda: Bank(*cache.features(run.run_id)), "bank", run.run_id)


def _labels(run: RunRecord) -> Any:
    """The sets of values in a column, in the order of the run's features."""
    ids, _ = cache.features(run.run_id)
    return lambda column: cache.labels(column, ids)
