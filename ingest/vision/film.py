"""Films: how long they last, the picture on screen at a moment, and the names that single frames go by.

Times are seconds from the film's beginning, as a player counts them: what a film's edit list leaves out is not there,
and pictures that come later than the sound begin later. The frame at a moment is the one that a player shows then: the
last that begins at it or before. Only a few frames are in memory at once, however long the film.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ingest.vision.containers import BadFilm, is_counted, opened, packets, pictures, rate_of, seconds_of, start_of
from ingest.vision.encode import encode_gif, encode_mp4

__all__ = [
    "BadFilm", "Film", "FrameReader", "encode_gif", "encode_mp4", "frame_at", "frame_name", "named_frame", "scan_film",
    "timecode",
]  # fmt: skip

_NAME = re.compile(r"(.+)#t=([0-9]+\.[0-9]{3})", re.DOTALL)
_EARLY = 0.0006  # names hold milliseconds: a frame may begin up to half of one after its name says
_REACH = 10.0  # seconds that are rather decoded than jumped over: about the distance of key frames
_PATIENCE = 3000  # frames to decode for a single picture, where one cannot jump
_PEEK = 64  # packets that tell whether there are time stamps
_SLACK = 1.0  # seconds by which headers and pictures may disagree
_HD = 720  # from so many rows on, players take colours without a tag for those of HD television
_NO_TAG = 2
_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


@dataclass(frozen=True)
class Film:
    """What a look through the whole file tells.

    `width` and `height` are those of the upright picture in pixels; `fps` frames a second, on average where they
    vary; `times` float64 (frames,) when each frame begins, ascending; `seconds` when the last one ends. `complaint`
    says what is damaged or missing, and is empty for a sound film. The frames of a `counted` film carry no reliable
    times: they are counted from the beginning, and one cannot jump.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    times: np.ndarray
    seconds: float
    complaint: str = ""
    counted: bool = False

    def moments(self, every: float) -> list[float]:
        """The moments of a look every so many seconds, from 0 on, to the millisecond, those before the first frame left
        out; for 0 those of every frame."""
        if every <= 0:
            return [max(0.0, round(float(time), 3)) for time in self.times]
        count = math.ceil(round(self.seconds / every, 6))
        moments = (round(number * every, 3) for number in range(max(1, count)))
        first = float(self.times[0])
        return [moment for moment in moments if moment + _EARLY >= first] or [round(first, 3)]

    def begins(self, seconds: float) -> float:
        """When the frame began that is on screen at this moment."""
        return float(self.times[max(0, int(np.searchsorted(self.times, seconds + _EARLY, side="right")) - 1)])


def scan_film(path: str | Path) -> Film:
    """Look through a film from end to end; only its first frame is decoded.

    Damage is told in the `complaint`. BadFilm if there is nothing to see: no such file, no film, sound alone, no frame
    or none that can be decoded.
    """
    path = Path(path)
    with opened(path) as container:
        stream = pictures(container)
        found = _scan(path, container, stream)
        if not found.times:
            raise BadFilm("The film has no frames.")
        counted = is_counted(container, stream, found.times)
        fps = rate_of(stream, None if counted else found.times)
        if counted:
            times = np.arange(len(found.times)) / float(fps)
        else:
            times = found.in_order(_is_cut(container, found, fps), fps) - start_of(container, stream)
        end = float(times[-1]) + (float(1 / fps) if counted else found.last or float(1 / rate_of(stream)))
        complaint = _complaint(container, stream, found, fps, end)
    width, height = frame_at(path, 0).size
    return Film(path, width, height, fps, times, end, complaint, counted)


def frame_at(path: str | Path, seconds: float) -> Image.Image:
    """The upright RGB picture on screen at a moment. BadFilm if it cannot be had, or not without decoding thousands."""
    with FrameReader(path) as reader:
        if reader.counted and seconds * reader.fps > _PATIENCE:
            raise BadFilm("The film has no time stamps to jump to, and this frame is too far from its beginning.")
        return reader.at(seconds)


def timecode(seconds: float) -> str:
    """12.5 is 00:00:12.500."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def frame_name(film: str, seconds: float) -> str:
    """What the frame of a film at a moment is called: film.mp4#t=12.500."""
    return f"{film}#t={seconds:.3f}"


def named_frame(name: str) -> tuple[str, float] | None:
    """The film and the moment behind the result of `frame_name`; None for other names."""
    match = _NAME.fullmatch(name)
    return (match[1], float(match[2])) if match else None


class FrameReader:
    """A film that is being read.

    Asked for moments in ascending order it decodes each frame once at most, and jumps where the next moment is far.
    With the `film` that `scan_film` found, a damaged frame is told from one that stays on screen for long. One thread
    at a time.
    """

    def __init__(self, path: str | Path, film: Film | None = None) -> None:
        self.path, self.film = Path(path), film
        self.counted = film.counted if film else self._counts()
        self._reach = _REACH
        self._rewind()
        self.fps = film.fps if film else rate_of(self._stream)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def at(self, seconds: float) -> Image.Image:
        """The upright RGB picture on screen at a moment; BadFilm if it is damaged or the film is over."""
        if self.film and seconds > self.film.seconds + _EARLY:
            raise BadFilm(f"The film ends at {timecode(self.film.seconds)}, before {timecode(seconds)}.")
        self._wind(seconds)
        if self._shown is None:
            raise BadFilm("None of the film's frames can be decoded.")
        begins, frame = self._shown
        if self.film and abs(begins - self.film.begins(seconds)) > (0.5 if self.counted else 0.5 / self.fps):
            raise BadFilm(f"The frame at {timecode(seconds)} is damaged.")
        return self._upright(frame)

    def _wind(self, seconds: float) -> None:
        """Make the frame of this moment the one that is shown."""
        back = self._shown is not None and seconds + _EARLY < self._shown[0]
        coming = self._peek()
        if back or (coming and seconds - coming[0] > self._reach and not self.counted):
            self._jump(seconds, coming[0] if coming and not back else None)
        while (coming := self._peek()) and (self._shown is None or coming[0] <= seconds + _EARLY):
            self._shown, self._coming = coming, None

    def _jump(self, seconds: float, position: float | None) -> None:
        """Go to a key frame at this moment or before it; `position` is where a jump forward starts."""
        import av

        for earlier in () if self.counted else (0.0, 1.0, 10.0):  # some files lead to the key frame behind
            try:
                target = max(0.0, seconds - earlier) + self._start
                self._container.seek(int(target / self._stream.time_base), stream=self._stream)
            except av.FFmpegError:
                break
            self._begin()
            if (landed := self._peek()) and landed[0] <= seconds + _EARLY:
                if position is not None and landed[0] <= position:
                    self._reach *= 2  # key frames are rare here: jumping back for each picture would take for ever
                return
        self.close()
        self._rewind()
        self._reach = math.inf

    def _rewind(self) -> None:
        self._container = opened(self.path)
        self._stream = pictures(self._container)
        self._start = start_of(self._container, self._stream)
        # Threads that decode whole frames ahead lose some sound ones along with a damaged one.
        self._stream.thread_type = "SLICE" if self.film and self.film.complaint else "AUTO"
        ratio = self._stream.sample_aspect_ratio or 1
        context = self._stream.codec_context
        self._size = (max(1, round(context.width * ratio)), context.height)
        self._begin()

    def _begin(self) -> None:
        self._frames = self._decoded()
        self._shown: tuple[float, Any] | None = None
        self._coming: tuple[float, Any] | None = None

    def _peek(self) -> tuple[float, Any] | None:
        if self._coming is None:
            self._coming = next(self._frames, None)
        return self._coming

    def _decoded(self) -> Iterator[tuple[float, Any]]:
        """(when it begins, frame), ascending; what cannot be decoded is passed over."""
        import av

        start, length = self._start, float(1 / rate_of(self._stream))
        last, number = -math.inf, 0
        for packet in packets(self._container, self._stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                begins = number * length if self.counted else seconds_of(frame, self._stream, last + length) - start
                number += 1
                if begins > last and not frame.is_corrupt:
                    last = begins
                    yield begins, frame

    def _counts(self) -> bool:
        with opened(self.path) as container:
            stream = pictures(container)
            first = islice(packets(container, stream), _PEEK)
            return is_counted(container, stream, [seconds_of(packet, stream) for packet in first if packet.size])

    def _upright(self, frame: Any) -> Image.Image:
        width, height = self._size
        colours = {}
        if frame.colorspace == _NO_TAG and frame.height >= _HD and frame.format.name.startswith("yuv"):
            colours = {"src_colorspace": "ITU709"}
        image = frame.to_image(width=width, height=height, **colours)
        turn = _TURNS.get(round(frame.rotation / 90) * 90 % 360)
        return image if turn is None else image.transpose(turn)


@dataclass
class _Found:
    """What the packets of a film tell: when its frames begin (NaN: not told) and how long the last one stays."""

    times: array = field(default_factory=lambda: array("d"))
    last: float = 0.0
    reached: float = -math.inf  # what begins before has arrived: packets come in the order of decoding
    end: float = 0.0  # of the pictures or the sound, whichever is later
    missing: int = 0  # frames that the header counts and that are not there
    damaged: int = 0
    broken: str = ""

    def in_order(self, is_cut: bool, fps: Fraction) -> np.ndarray:
        """The times, ascending. Where the file `is_cut`, a frame may have come whose forerunners were cut off: the
        film ends before the first such gap."""
        times = np.sort(np.array(self.times))
        if is_cut:
            gaps = np.flatnonzero((times[1:] > self.reached) & (np.diff(times) > 1.5 / float(fps)))
            times = times[: gaps[0] + 1] if len(gaps) else times
        return times


def _is_cut(container: Any, found: _Found, fps: Fraction) -> bool:
    return bool(found.broken) or _declared(container) - found.end > _SLACK or found.missing > _SLACK * fps


def _complaint(container: Any, stream: Any, found: _Found, fps: Fraction, end: float) -> str:
    declared = _declared(container)
    if declared - found.end > _SLACK:
        return f"The film is cut short: it should last {timecode(declared)}, and its pictures end at {timecode(end)}."
    if found.missing > _SLACK * fps:
        return f"The film is cut short: {found.missing} of its {stream.frames} frames are missing."
    if found.damaged:
        return f"The film is damaged: {found.damaged} of its {len(found.times)} frames are incomplete."
    return f"The film is damaged: {found.broken}." if found.broken else ""


def _declared(container: Any) -> float:
    """When the film ends, as its header says; 0 if it says nothing."""
    return ((container.duration or 0) + (container.start_time or 0)) / 1e6


def _missing(path: Path, container: Any, stream: Any, found: _Found) -> int:
    """How many of the frames that the header counts are not in the file. Those that an edit list leaves out are; AVI
    counts empty places too, at which the frame before stays."""
    missing = stream.frames - len(found.times)
    if missing <= 0 or container.format.name == "avi":
        return 0
    if "mp4" not in container.format.name.split(","):
        return missing
    with opened(path, ignore_editlist="1") as whole:
        return stream.frames - sum(1 for packet in packets(whole, pictures(whole)) if packet.size)


def _scan(path: Path, container: Any, stream: Any) -> _Found:
    found, latest = _Found(), -math.inf
    in_order_of_decoding = "mp4" in container.format.name.split(",")
    for packet in packets(container, None, found):
        begins = seconds_of(packet, packet.stream)
        length = float((packet.duration or 0) * (packet.time_base or 0))
        if not math.isnan(begins):
            found.end = max(found.end, begins + length)
        if packet.stream.index != stream.index or packet.is_discard or (packet.dts is None and not packet.size):
            continue
        found.times.append(begins)
        found.reached = max(found.reached, float((packet.dts or 0) * stream.time_base))
        found.damaged += packet.is_corrupt
        # MP4 tells how long a frame takes to come, not how long it stays: of the last in the file it is both.
        if begins > latest or in_order_of_decoding:
            latest, found.last = max(latest, begins), length
    found.missing = _missing(path, container, stream, found)
    return found
