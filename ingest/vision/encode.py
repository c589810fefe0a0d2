"""Pictures made into a film: MP4 (H.264) or a GIF that loops, one picture at a time."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

KINDS = ("mp4", "gif")

_TICKS = 100  # of MP4's clock for each picture, so that uneven distances keep their length
_HUNDREDTH = Fraction(1, 100)  # GIF's clock
_FASTEST = 2  # hundredths of a second that a GIF's picture stays: browsers slow down what is faster
_BT709 = 1


class Encoder:
    """Encodes pictures of one size, as they come, into a file or a binary stream that can seek.

    `kind` is one of KINDS, `fps` the pictures a second. MP4 needs even sides: odd ones get their last row or column
    twice, and `note` is kept in the file as its comment. GIF has a palette of its own for every picture, and shows
    fifty a second at most.
    """

    def __init__(self, file: str | Path | BinaryIO, kind: str, fps: float | Fraction, note: str = "") -> None:
        import av

        if kind not in KINDS:
            raise ValueError(f"a film is written as {' or '.join(KINDS)}, not {kind!r}")
        if not fps > 0:
            raise ValueError(f"a film needs more than {fps} pictures a second")
        self.kind, self.fps = kind, Fraction(fps).limit_denominator(100_000)
        self.size: tuple[int, int] | None = None
        self.written = 0
        on_disk = isinstance(file, str | Path)
        # The index at the beginning lets browsers start at once; it takes a second pass, over a file by its name.
        options = {"movflags": "+faststart"} if kind == "mp4" and on_disk else {}
        self._container = av.open(str(file) if on_disk else file, "w", format=kind, options=options)
        self._container.metadata["comment"] = note
        self._clock = _HUNDREDTH if kind == "gif" else 1 / (self.fps * _TICKS)
        self._last = -1
        self._palette: Any = None

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self._container.close()

    def write(self, image: Image.Image, seconds: float | None = None) -> None:
        """Add a picture, shown from `seconds` on, or one step after the last. ValueError for one of another size."""
        import av

        if self.size is None:
            self._start(image.size)
        if image.size != self.size:
            raise ValueError(f"the film's pictures have {self.size} pixels; this one has {image.size}")
        pixels = np.asarray(image.convert("RGB"))
        if self.kind == "mp4":
            pixels = np.pad(pixels, ((0, image.height % 2), (0, image.width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
        at = self.written / self.fps if seconds is None else Fraction(seconds)
        least = self._last + (_FASTEST if self.kind == "gif" and self.written else 1)
        frame.pts = self._last = max(least, round(at / self._clock))
        frame.time_base = self._clock
        self._encode(frame)
        self.written += 1

    def close(self) -> None:
        """Finish the film. ValueError if it has no pictures."""
        try:
            if not self.written:
                raise ValueError("a film needs at least one picture")
            self._encode(None)
            self._send(None)
        finally:
            self._container.close()

    def _start(self, size: tuple[int, int]) -> None:
        self.size = size
        if self.kind == "gif":
            fastest = 1 / (_FASTEST * _HUNDREDTH)
            self._stream = self._container.add_stream("gif", rate=min(self.fps, fastest))
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = "pal8"
            self._palette = _own_palettes(*size)
        else:
            self._stream = self._container.add_stream("libx264", rate=self.fps, options={"crf": "18"})
            self._stream.width, self._stream.height = (side + side % 2 for side in size)
            self._stream.pix_fmt = "yuv420p"
            context = self._stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = context.color_range = _BT709
        self._stream.codec_context.time_base = self._clock

    def _encode(self, frame: Any) -> None:
        import av

        if self.kind == "mp4":
            if frame is not None:
                self._send(frame.reformat(format="yuv420p", dst_colorspace="ITU709"))
            return
        self._palette.push(frame)
        while True:
            try:
                self._send(self._palette.pull())
            except (av.BlockingIOError, av.EOFError):
                return

    def _send(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


def encode_mp4(images: Iterable[Image.Image], fps: float) -> bytes:
    """The pictures, all of one size, as an MP4 film. ValueError if there are none."""
    return _encoded(images, "mp4", fps)


def encode_gif(images: Iterable[Image.Image], fps: float) -> bytes:
    """The pictures, all of one size, as a GIF that loops. ValueError if there are none."""
    return _encoded(images, "gif", fps)


def _encoded(images: Iterable[Image.Image], kind: str, fps: float) -> bytes:
    buffer = io.BytesIO()
    with Encoder(buffer, kind, fps) as encoder:
        for image in images:
            encoder.write(image)
    return buffer.getvalue()


def _own_palettes(width: int, height: int) -> Any:
    """A graph that turns each RGB picture into 256 colours chosen for it alone, so that none need be held back."""
    from av.filter import Graph

    graph = Graph()
    source = graph.add("buffer", f"video_size={width}x{height}:pix_fmt=rgb24:time_base=1/100:pixel_aspect=1/1")
    split = graph.add("split")
    palette = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    mapped = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4")
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(mapped, 1, 0)
    palette.link_to(mapped, 0, 1)
    mapped.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
