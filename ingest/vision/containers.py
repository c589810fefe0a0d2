"""The files that films come in: opened, their stream of pictures found, their packets read to where they break off."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ingest.vision.bad_image import BadImage

_LATE = 0.5  # seconds by which pictures come later than the sound: less is how sound and pictures are packed


class BadFilm(BadImage):
    """A film, or a frame of one, that cannot be read; `reason` says why in a plain sentence."""


def packets(container: Any, stream: Any | None, found: Any = None) -> Iterator[Any]:
    """The packets of a stream, or of all, up to where the file breaks off; `found` is told why it does."""
    import av

    packets = container.demux(*([] if stream is None else [stream]))
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            if found:
                found.broken = error.strerror or type(error).__name__
            return
        if packet is None:
            return
        yield packet


def opened(path: Path, **options: str) -> Any:
    """A film's file, open; `options` are those of its format. BadFilm, with a sentence, where it is none."""
    import av

    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # asked before opening: a pipe would block for ever
            raise BadFilm("This is a folder, not a film." if path.is_dir() else "This is not a file.")
        if not found.st_size:
            raise BadFilm("The file is empty.")
        # Playlists among the formats could name files and addresses elsewhere; old files have tags that are not UTF-8.
        container = av.open(str(path), metadata_errors="replace", options={"protocol_whitelist": "file", **options})
    except FileNotFoundError:
        raise BadFilm("There is no such file.") from None
    except PermissionError:
        raise BadFilm("There is no permission to read this file.") from None
    except (av.FFmpegError, OSError) as error:
        raise BadFilm(_unopened(path)) from error
    if container.format.name.endswith("_pipe") or container.format.name in ("image2", "tty"):
        container.close()
        raise BadFilm("This is a picture or a text, not a film.")
    return container


def _unopened(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "The film is damaged or cut short: the index of its frames is missing."
    return "This is not a film in a format that can be read."


def pictures(container: Any) -> Any:
    """The stream of the film's pictures; a sound file's cover is none."""
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise BadFilm(f"There are no pictures in this file{', only sound' if container.streams.audio else ''}.")
    if streams[0].codec_context is None:
        raise BadFilm("The film's pictures are in a code that cannot be read here.")
    return streams[0]


def is_counted(container: Any, stream: Any, times: Any) -> bool:
    """Whether the frames' times are missing, or stand for the order of decoding, as in AVI, and not of showing."""
    reordered = container.format.name == "avi" and stream.codec_context.has_b_frames
    return bool(reordered or np.isnan(np.asarray(times)).any())


def seconds_of(timed: Any, stream: Any, missing: float = math.nan) -> float:
    """When a packet or frame is shown, on the clock of its stream; `missing` where it does not say."""
    return missing if None in (timed.pts, stream.time_base) else float(timed.pts * stream.time_base)


def start_of(container: Any, stream: Any) -> float:
    """The film's beginning on the clock of its packets: that of its pictures, or of sound that comes well before."""
    pictures, first = float((stream.start_time or 0) * stream.time_base), (container.start_time or 0) / 1e6
    return first if pictures - first > _LATE else pictures


def rate_of(stream: Any, times: Any = None) -> Fraction:
    """Frames a second: as the file says, unless the frames' times (seconds) say something quite different."""
    declared = stream.average_rate or stream.guessed_rate or Fraction(0)
    span = max(times) - min(times) if times else 0
    if span > 0:
        measured = Fraction((len(times) - 1) / span).limit_denominator(1001)
        if not measured / 2 < declared < measured * 2:
            return measured
    return declared or Fraction(25)
