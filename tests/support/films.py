"""Films that tests write themselves: what is on each frame is known."""

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

STEP = 5  # grey levels from one frame to the next


def grey(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A frame whose grey level tells its number, 0 to 40."""
    return np.full((size[1], size[0], 3), 20 + STEP * number, np.uint8)


def number_of(picture) -> int:
    """The number of a frame that `grey` made, from its decoded picture."""
    return round((float(np.asarray(picture).mean()) - 20) / STEP)


def write_film(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float = 10,
    codec: str = "libx264",
    times: list[float] | None = None,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    mux: dict | None = None,
    **options: str,
) -> Path:
    """The frames as a film; `times` in seconds say when each begins, `aspect` is that of a pixel."""
    form = "h264" if path.suffix == ".h264" else None
    with av.open(str(path), "w", format=form, options=mux or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        for number, pixels in enumerate(frames):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                if rotation is not None:
                    stream.set_display_rotation(rotation)
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                if times is not None:
                    stream.codec_context.time_base = Fraction(1, 1000)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[number]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def edited(path: Path, *edits: tuple[float, float | None]) -> Path:
    """An MP4 of `write_film` with an edit list of (seconds, of which frame on), as lossless cutters and phones write
    them; None instead of a frame is a time without a picture. The film has ten frames a second."""
    data = bytearray(path.read_bytes())
    place, end = _box(data, b"moov", b"trak", b"edts", b"elst")
    scale_at, _ = _box(data, b"moov", b"trak", b"mdia", b"mdhd")
    (scale,) = struct.unpack_from(">I", data, scale_at + 20)
    (first,) = struct.unpack_from(">i", data, place + 20)
    body = b"\0\0\0\0" + struct.pack(">I", len(edits))
    for seconds, frame in edits:
        at = -1 if frame is None else round(first + frame * scale / 10)
        body += struct.pack(">IihH", round(1000 * seconds), at, 1, 0)
    data[place:end] = struct.pack(">I4s", len(body) + 8, b"elst") + body
    for way in ((b"moov",), (b"moov", b"trak"), (b"moov", b"trak", b"edts")):
        start, _ = _box(data, *way)
        (length,) = struct.unpack_from(">I", data, start)
        struct.pack_into(">I", data, start, length + len(body) + 8 - (end - place))
    path.write_bytes(data)  # the index lies behind the pictures: their places stay
    return path


def _box(data: bytes, *way: bytes) -> tuple[int, int]:
    place, end = 0, len(data)
    for kind in way:
        while data[place + 4 : place + 8] != kind:
            place += struct.unpack_from(">I", data, place)[0]
        start, end = place, place + struct.unpack_from(">I", data, place)[0]
        place += 8
    return start, end


def write_sound(path: Path) -> Path:
    """A second of silence."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        for number in range(8):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 8000, 1024 * number
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    """The film with only the first part of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
