"""A film drawn over with what a network attends to, frame by frame.

It is gone through twice: the first time for the maps, which wait on the disk until the scale of all of them is known,
the second time to draw. Neither frames nor maps pile up in memory.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import Image

from ingest.explain import target_for
from ingest.film_notes import describe, facts, signature
from ingest.frame_folder import FrameFolder
from ingest.models import choose_batch_size
from ingest.report import Report
from ingest.runs import Settings, chosen_fit, newest_run, open_backbone
from ingest.vision.colour_maps import colour_table
from ingest.vision.encode import KINDS, Encoder
from ingest.vision.film import BadFilm, Film, FrameReader
from ingest.vision.geometry import Frame, fit_image
from ingest.vision.overlay import overlay, scale_values
from store.counts import counted

VIEWS = {
    "overlay": "the map over the picture",
    "side": "the picture, and beside it the map over the picture",
    "map": "the map alone",
    "original": "the picture alone",
}
SIDES = {"mp4": 1280, "gif": 640}  # the longest side of a picture, in pixels
DIM = 0.55  # what the network did not see stands back, as on the pages
GROUND = (24, 24, 24)  # under a map alone
AHEAD = 8  # frames by which reading may be ahead of looking, and drawing of encoding
T = TypeVar("T")


@dataclass(frozen=True)
class Drawing:
    """How a film is drawn: which map of which method, and how it looks.

    `layer` None is the last; `head` a number, "mean" or "max"; `view` a key of VIEWS; `scale` "shared" (one for the
    whole film), "absolute" or "map" (each frame its own); `every` seconds, 0 for every frame; `side` the longest side
    of a picture in pixels, None as in SIDES. Of a method that accumulates, the layers up to `layer` are added up if
    `accumulate`, else it is drawn alone. ValueError for a head that is none of these.
    """

    method: str = "cls"
    layer: int | None = None
    head: str = "mean"
    view: str = "overlay"
    scale: str = "shared"
    colours: str = "inferno"
    opacity: float = 0.6
    smooth: bool = True
    every: float = 0.0
    side: int | None = None
    accumulate: bool = True

    def __post_init__(self) -> None:
        if self.head not in ("mean", "max") and not self.head.isdecimal():
            raise ValueError(f"--head is mean, max or the number of a head, not {self.head!r}")


@dataclass(frozen=True)
class MapView:
    """What the network saw: which map of it is drawn (None for `accumulated`: the method does not), over which part of
    pictures of `size` (width, height), and the least and greatest weight of the whole film on patches that show
    picture."""

    layer: int
    heads: str
    accumulated: bool | None
    frame: Frame
    size: tuple[int, int]
    low: float
    high: float

    def cells(self) -> np.ndarray:
        """bool (rows, cols): patches that show some of the picture, not padding."""
        return self.frame.picture_cells(*self.size)


@dataclass(frozen=True)
class FilmModel:
    """A backbone, how pictures are fitted to it, and the target that its maps explain, if they explain one."""

    backbone: Any
    fit: str = "crop"
    size: int | None = None
    batch_size: int = 8
    target: Any = None


def check_output(out: Path, source: Path) -> None:
    """ValueError unless a film can be written under the name `out`."""
    if out.suffix.lower().removeprefix(".") not in KINDS:
        raise ValueError(f"{out} should end in {' or '.join(f'.{kind}' for kind in KINDS)}")
    if not out.parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} for {out.name}")
    if out.is_dir():
        raise ValueError(f"{out} is a folder")
    if out.exists() and out.samefile(source):
        raise ValueError(f"{out} is the film itself; name another file with --out")


def open_film_model(
    db: Path, settings: Settings, drawing: Drawing, report: Report, run_id: int | None = None
) -> tuple[FilmModel, Drawing]:
    """The network that the settings mean, and the drawing with its method as that network can show it.

    A target that asks for neighbours, images or labels finds them in the run `run_id` of the database, the newest
    unless given; classes and words are those of the network itself. ValueError for a method that the network cannot
    show, or a target that does not suit.
    """
    from ingest.vision.explaining import Asked, refuse_unsuited
    from ingest.vision.targets import make_target

    backbone, (method,), size = open_backbone(db, replace(settings, methods=(drawing.method,)), report)
    asked = Asked.parse(method).method
    refuse_unsuited(asked, backbone, settings.target is not None)
    if settings.target is not None and not asked.needs_target:
        raise ValueError(
            f"{asked.key} explains no target: leave --target out, or take a method that does, such as --method daam "
            "(python -m ingest methods lists them)"
        )
    if settings.target is not None and drawing.scale == "absolute":
        raise ValueError("--scale absolute is for attention: an attribution has no uniform share; take shared or map")
    target = None
    if settings.target is not None and settings.target.startswith(("class:", "words:")):
        target = make_target(settings.target, backbone)
    elif settings.target is not None:
        target = target_for(db, newest_run(db, run_id).run_id, backbone, settings.target)
    batch_size = settings.batch_size or choose_batch_size(backbone, size)
    fit = chosen_fit(db, backbone, settings.fit)
    return FilmModel(backbone, fit, size, batch_size, target), replace(drawing, method=method)


def draw_film(
    film: Film,
    out: Path | None,
    drawing: Drawing,
    film_model: FilmModel | None,
    report: Report,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Writes the film `out`, and its frames as PNG into `folder`, or one of the two, and returns what they show; no
    `film_model` is needed for the view "original".

    BadFilm if no frame can be decoded, ValueError for a map that the network does not have, and for a folder that holds
    frames of something else: nothing is written then.
    """
    kind = out.suffix.lower().removeprefix(".") if out else "mp4"
    drawing = replace(drawing, side=drawing.side or SIDES[kind])
    moments = film.moments(drawing.every)
    fps = Fraction(1 / drawing.every).limit_denominator(1000) if drawing.every else film.fps
    with tempfile.TemporaryFile() as maps:
        map_view = None
        if drawing.view != "original":
            if film_model is None:
                raise ValueError(f"the view {drawing.view} needs a network")
            with report.progress(len(moments), "processing") as advance:
                map_view = _process(_frames(film, moments), drawing, film_model, maps, advance)
        shown = facts(drawing, map_view, film_model)
        single = FrameFolder(folder, describe(shown), signature(film, drawing, shown, film_model)) if folder else None
        written, size = 0, (0, 0)
        with (
            report.progress(len(moments), "drawing") as advance,
            _encoder(out, kind, fps, describe(shown)) as encoder,
        ):
            number = {at: number for number, at in enumerate(moments, 1)}
            for at, picture in _ahead(_drawn(_ahead(_frames(film, moments)), drawing, map_view, maps)):
                if encoder:
                    encoder.write(picture, at)
                if single:
                    single.write(number[at], picture)
                written, size = written + 1, (encoder.size if encoder else None) or picture.size
                advance(1)
    return {
        "film": str(film.path),
        "file": str(out) if out else None,
        **(single.counts() if single else {}),
        "frames": written,
        "damaged": len(moments) - written,
        "seconds": round(film.seconds, 3),
        "fps": float(fps),
        "width": size[0],
        "height": size[1],
        **shown,
    }


# ---- the first time: looking ------------------------------------------------------------------------------------


def _process(
    frames: Iterable[tuple[float, Image.Image]],
    drawing: Drawing,
    film_model: FilmModel,
    maps: BinaryIO,
    advance: Callable[[int], object],
) -> MapView:
    """Writes the map of each frame, float32 (rows, cols), into the file `maps`."""
    map_view: MapView | None = None
    chosen: list[int] = []
    accumulated = None
    fitted = (
        (fit_image(picture, film_model.backbone.rule, film_model.fit, film_model.size), picture.size)
        for _, picture in frames
    )
    fitted = _ahead(fitted)
    while batch := list(islice(fitted, film_model.batch_size)):
        (_, frame), size = batch[0]
        found = _observe(film_model, np.stack([pixels for (pixels, _), _ in batch]), drawing.method, frame, size)
        if map_view is None:
            layer, heads, chosen, accumulated = _choose(found, drawing)
            map_view = MapView(layer, heads, accumulated, frame, size, np.inf, -np.inf)
        cells = map_view.cells()
        weights = found.weights[:, chosen].numpy()
        join = np.sum if accumulated else np.max if drawing.head == "max" else np.mean
        weights = join(weights, axis=1).reshape(-1, *cells.shape)
        maps.write(weights.astype(np.float32).tobytes())
        on_picture = weights[:, cells]
        map_view = replace(
            map_view, low=min(map_view.low, float(on_picture.min())), high=max(map_view.high, float(on_picture.max()))
        )
        advance(len(batch))
    if map_view is None:
        raise BadFilm("None of the frames that were asked for can be decoded.")
    return map_view


def _observe(film_model: FilmModel, pixels: np.ndarray, method: str, frame: Frame, size: tuple[int, int]) -> Any:
    """The Maps of a method for uint8 pictures (batch, side, side, 3), all of the same frame and size."""
    import torch

    from ingest.vision.embedding import cells_of
    from ingest.vision.explaining import Asked, explain_pictures

    cells = cells_of([frame] * len(pixels), [size] * len(pixels))
    asked = [Asked.parse(method)]
    (maps,) = explain_pictures(film_model.backbone, torch.from_numpy(pixels), asked, film_model.target, cells).maps
    return maps


def _choose(found: Any, drawing: Drawing) -> tuple[int, str, list[int], bool | None]:
    """The layer, its heads in words, which of the maps that is, and whether they are to be added up (None: the method
    does not accumulate). ValueError if there is no such layer or head."""
    from ingest.vision.explaining import Asked

    layers = sorted(set(found.layers))
    layer = layers[-1] if drawing.layer is None else drawing.layer
    if layer not in layers:
        raise ValueError(f"there is no layer {layer}: {drawing.method} has maps of the layers {_span(layers)}")
    accumulated = drawing.accumulate if Asked.parse(drawing.method).method.accumulates else None
    chosen = [number for number, each in enumerate(found.layers) if each == layer or (accumulated and each < layer)]
    if found.heads is None:
        if drawing.head.isdecimal():
            raise ValueError(f"{drawing.method} has joined its heads: leave --head out")
        return layer, "heads joined", chosen, accumulated
    heads = [found.heads[number] for number in chosen]
    if not drawing.head.isdecimal():
        word = "mean" if drawing.head == "mean" else "greatest"
        return layer, f"{word} of {counted(len(heads), 'head')}", chosen, accumulated
    head = int(drawing.head)
    if head not in heads:
        raise ValueError(f"there is no head {head}: layer {layer} has the heads {_span(heads)}")
    return layer, f"head {head}", [chosen[heads.index(head)]], accumulated


def _span(numbers: list[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]} alone"


# ---- the second time: drawing -----------------------------------------------------------------------------------


def _drawn(
    frames: Iterable[tuple[float, Image.Image]], drawing: Drawing, map_view: MapView | None, maps: BinaryIO
) -> Iterator[tuple[float, Image.Image]]:
    """(moment, picture) as it goes into the film; the maps are read in the order in which they were written."""
    maps.seek(0)
    lut = colour_table(drawing.colours)
    for at, picture in frames:
        small = _fitted(picture, drawing.side)
        if map_view is not None:
            rows, cols = map_view.frame.rows, map_view.frame.cols
            weights = np.frombuffer(maps.read(4 * rows * cols), np.float32).reshape(rows, cols)
            small = _draw(small, _values(weights, drawing.scale, map_view), drawing, map_view, lut)
        yield at, small


def _draw(
    picture: Image.Image, values: np.ndarray, drawing: Drawing, map_view: MapView, lut: np.ndarray
) -> Image.Image:
    alone = drawing.view == "map"
    ground = Image.new("RGB", picture.size, GROUND) if alone else picture
    opacity = 1.0 if alone else drawing.opacity
    drawn = overlay(
        ground, values, map_view.frame, map_view.size, lut, opacity, drawing.smooth, dim=0 if alone else DIM
    )
    if drawing.view != "side":
        return drawn
    both = Image.new("RGB", (2 * picture.width, picture.height))
    both.paste(picture, (0, 0))
    both.paste(drawn, (picture.width, 0))
    return both


def _values(weights: np.ndarray, scale: str, map_view: MapView) -> np.ndarray:
    """A map (rows, cols) as values in 0..1; "shared" as `scale_values` would do with all maps of the film in one."""
    if scale != "shared":
        return scale_values(weights[None], scale, map_view.cells())[0][0]
    spread = map_view.high - map_view.low
    if spread <= 1e-6 * max(abs(map_view.low), abs(map_view.high)):
        return np.zeros_like(weights)
    return np.clip((weights - map_view.low) / spread, 0, 1)


def _fitted(picture: Image.Image, side: int | None) -> Image.Image:
    factor = 1.0 if side is None else side / max(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(edge * factor)) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2)


# ---- both times ---------------------------------------------------------------------------------------------------


def _frames(film: Film, moments: list[float]) -> Iterator[tuple[float, Image.Image]]:
    """(moment, upright picture) of those frames that can be decoded: both times the same."""
    with FrameReader(film.path, film) as reader:
        for at in moments:
            try:
                yield at, reader.at(at)
            except BadFilm:
                continue


def _ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, made in a thread, AHEAD of them at most waiting."""
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="film") as pool:
        waiting = deque(pool.submit(_next, source) for _ in range(AHEAD))
        while (found := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(_next, source))
            yield found[0]


def _next(items: Iterator[T]) -> tuple[T] | None:
    """The next item, alone in a tuple; None at the end."""
    for item in items:
        return (item,)
    return None


@contextmanager
def _encoder(out: Path | None, kind: str, fps: Fraction, note: str) -> Iterator[Encoder | None]:
    """The encoder of the film `out`; None without one."""
    if out is None:
        yield None
        return
    with _unfinished(out) as file, Encoder(file, kind, fps, note=note) as encoder:
        yield encoder


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A name to write under until all is well: `out` is there whole or not at all."""
    file = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        yield file
        file.replace(out)
    finally:
        file.unlink(missing_ok=True)
