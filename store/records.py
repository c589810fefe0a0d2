"""The nouns that go into the database and come out of it, as plain frozen data."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import NoneType
from typing import Any, NamedTuple, get_args, get_type_hints

import numpy as np

from store.maps import AttentionMaps, CodedMaps


@dataclass(frozen=True)
class ImageRecord:
    """One picture. `path` is its name inside the collection (posix, relative) or a URI; width and height are pixels of
    the upright original; `modified` is the file's time stamp in seconds since 1970; `thumbnail` is a JPEG, empty where
    none is to be kept.

    A further field is a column of the table `image`, NULL where the picture is older than it: `name: int | None =
    field(default=None, metadata={"title": "words"})`. With a title, pages show it among the facts of a picture."""

    path: str
    sha256: str
    width: int
    height: int
    bytes: int
    modified: float
    metadata: dict[str, Any]
    thumbnail: bytes
    thumbnail_width: int
    thumbnail_height: int


def image_columns() -> dict[str, type]:
    """{name: str, int, float or bool} of the fields of an ImageRecord that are columns of the table `image` as such:
    all but the metadata, which goes in as JSON, and the thumbnail, which has a table of its own."""
    kinds = {name: [*get_args(hint), hint] for name, hint in get_type_hints(ImageRecord).items()}
    own = (name for name in kinds if name != "metadata" and not name.startswith("thumbnail"))
    return {name: next(kind for kind in kinds[name] if kind is not NoneType) for name in own}


def image_titles() -> dict[str, str]:
    """{name: title} of the fields of an ImageRecord that pages show by themselves."""
    return {each.name: each.metadata["title"] for each in fields(ImageRecord) if "title" in each.metadata}


class StoredImage(NamedTuple):
    """What a collection holds of a picture: length and time stamp of the file as it was read, what is said of it, and
    whether the pages of its file have been counted, as older versions did not. A tuple, since collections are read
    whole at each start."""

    image_id: int
    sha256: str
    bytes: int
    modified: float
    metadata: dict[str, Any]
    counted: bool = True


class TableRows(NamedTuple):
    """What tables have said of a picture: `rows` {table: cells by column}, in the order in which they were read, and
    what was known otherwise under the names of their columns, `hidden` by them."""

    hidden: dict[str, Any]
    rows: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """One backbone with fixed settings, before it has a number. `size` is the side of the network's input in pixels."""

    backbone: str
    weights_sha256: str
    layers: int
    heads: int
    dim: int
    patch: int
    prefix_tokens: int
    fit: str
    size: int
    settings: dict[str, Any]
    versions: dict[str, str]

    @property
    def title(self) -> str:
        """What the network is called."""
        return self.settings.get("title") or self.backbone

    @property
    def measured(self) -> dict[str, Any] | None:
        """What was measured of the network (`ingest.vision.backbones.measure`); None of runs from before it was."""
        return self.settings.get("measured")


@dataclass(frozen=True)
class RunRecord(Run):
    """A run over one collection as the database holds it: a row of the view `runs`, and how many images have a
    feature."""

    run_id: int
    collection: str
    created_at: datetime
    images: int

    @property
    def is_probe(self) -> bool:
        """Whether it shows what a training had come to after some epoch, of few pictures: nothing goes on with it."""
        return self.backbone.startswith("trained:") and "@" in self.backbone


@dataclass(frozen=True)
class FrameRecord:
    """The part of the upright original that the network saw, in its pixels, and the grid of patches over it."""

    image_id: int
    x0: float
    y0: float
    x1: float
    y1: float
    rows: int
    cols: int


@dataclass(frozen=True)
class HeadStats:
    """Numbers about m heads; `values` maps a column of the `head_stats` view to (m,) float32."""

    image_ids: np.ndarray
    layers: np.ndarray
    heads: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class HeadImportance:
    """How important m heads are for what `targets` (m,) say of these images."""

    image_ids: np.ndarray
    targets: list[str]
    layers: np.ndarray
    heads: np.ndarray
    importance: np.ndarray


@dataclass(frozen=True)
class PredictionRecord:
    """The class that a classifier thinks likeliest for one image. `kind` says what its number is: a probability by
    softmax (`single_label`) or sigmoid (`multi_label`), or the `value` that a network estimates (`regression`)."""

    image_id: int
    number: int
    name: str
    probability: float | None
    value: float | None = None
    kind: str = "single_label"


@dataclass(frozen=True)
class Results:
    """A run's findings on n images: `vectors` (n, dim) float32, L2-normalised, or None, and `norms` (n,), their lengths
    before that, where they are known; `token_stats` maps a column of that view to (n,) float32; the rest may be
    empty."""

    image_ids: np.ndarray
    vectors: np.ndarray | None = None
    frames: list[FrameRecord] = field(default_factory=list)
    maps: Sequence[AttentionMaps | CodedMaps] = ()
    head_stats: list[HeadStats] = field(default_factory=list)
    token_stats: dict[str, np.ndarray] = field(default_factory=dict)
    importance: list[HeadImportance] = field(default_factory=list)
    predictions: list[PredictionRecord] = field(default_factory=list)
    norms: np.ndarray | None = None
