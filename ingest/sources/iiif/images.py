"""Which picture to ask an image server for: one of the sizes it offers, large enough for a network, never enlarged.

Image API 1, 2 and 3. A server of level 0 only has the sizes it lists, higher levels make any size, within limits that
they may state.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SIDE = 768  # pixels that the shorter side should have: more than networks look at
MOST_ASKED = 16_000_000  # pixels of a picture that is made for us: for scrolls, whose shorter side says little
MOST_WHOLE = 60_000_000  # pixels of a picture that can only be had whole
LONGEST = 1_000_000  # pixels of a side that is believed

# What each level can do with sizes, by version: version 1 and 2 mean the same.
_LEVELS = {1: frozenset({"sizeByW", "sizeByH"}), 2: frozenset({"sizeByW", "sizeByH", "sizeByWh"})}

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_REGION = re.compile(rf"(?:pct:)?{_NUMBER}(?:,{_NUMBER}){{3}}")


class BadInfo(Exception):
    """A description of an image that cannot be used; the message says why."""


@dataclass(frozen=True)
class Info:
    """What an image server says of one image: its size in pixels, the sizes it lists (smallest first), what else it
    can do, and the largest picture it gives (pixels, None for no limit)."""

    uri: str
    version: int
    level: int
    width: int
    height: int
    sizes: tuple[tuple[int, int], ...] = ()
    features: frozenset[str] = frozenset()
    max_width: int | None = None
    max_height: int | None = None
    max_area: int | None = None


@dataclass(frozen=True)
class Request:
    """An address of the Image API, and the size in pixels of the picture that should come back."""

    address: str
    width: int
    height: int


def parse_info(data: Any, uri: str) -> Info:
    """A parsed info.json of the service at `uri`. BadInfo if it describes no image."""
    if not isinstance(data, Mapping):
        raise BadInfo("the image server's description of the image is no JSON object")
    width, height = _whole(data.get("width")), _whole(data.get("height"))
    if not width or not height:
        raise BadInfo("the image server does not say how large the image is")
    profile = data.get("profile")
    entries = profile if isinstance(profile, list) else [profile]
    named = next((str(entry) for entry in entries if isinstance(entry, str)), "")
    limits = {key: value for entry in [data, *entries] if isinstance(entry, Mapping) for key, value in entry.items()}
    version = _version(data, named)
    level = re.search(r"level([0-2])", named)
    features = [feature for key in ("supports", "extraFeatures") for feature in _strings(limits.get(key))]
    max_width = _whole(limits.get("maxWidth"))
    return Info(
        uri=uri,
        version=version,
        level=int(level[1]) if level else 0,
        width=width,
        height=height,
        sizes=tuple(sorted(set(_sizes(data, width, height)), key=math.prod)),
        features=_LEVELS.get(int(level[1]) if level else 0, frozenset()) | frozenset(features),
        max_width=max_width,
        max_height=_whole(limits.get("maxHeight")) or max_width,
        max_area=_whole(limits.get("maxArea")),
    )


def requests(info: Info, side: int = SIDE, region: str = "full", least: float = 0.75) -> list[Request]:
    """What to ask for, best first; the next where a server does not keep its word.

    The best is the smallest listed size whose shorter side has `least` of `side` pixels, unless it is far too large and
    the server makes any size; then `side` pixels exactly; then the whole picture, the largest listed one.
    """
    part = cut(region, info.width, info.height)
    if part is None:
        return []
    width, height = part[2:]
    region = "full" if (width, height) == (info.width, info.height) else ",".join(map(str, part))
    largest = _largest(info, width, height)
    wanted = _scaled(width, height, min(largest, side / min(width, height), math.sqrt(MOST_ASKED / width / height)))
    listed = [size for size in info.sizes if region == "full" and _fits(size, info, largest)]
    enough = next((size for size in listed if min(size) >= least * min(wanted)), None)
    found: list[Request] = []
    if enough and (not info.features or math.prod(enough) <= 3 * math.prod(wanted)):
        found += _exact(info, region, *enough, listed=True)
    if info.features & {"sizeByW", "sizeByH", "sizeByWh", "sizeByPct"}:
        if wanted == (width, height):
            found.append(_whole_picture(info, region, width, height, largest))
        found += _exact(info, region, *wanted)
    if width * height * largest**2 <= MOST_WHOLE:
        found.append(_whole_picture(info, region, width, height, largest))
    if listed:
        found += _exact(info, region, *listed[-1], listed=True)
    return list({request.address: request for request in found}.values())


def is_region(text: str) -> bool:
    """Whether a text is a region as the Image API writes it: 10,20,300,400 or pct:0,0,50,100, full or square."""
    return text in ("full", "square") or _REGION.fullmatch(text) is not None


def is_rotation(text: str) -> bool:
    """Whether a text is a rotation as the Image API writes it: degrees clockwise, 0 to 360, after ! of the mirrored."""
    return re.fullmatch(rf"!?{_NUMBER}", text) is not None and float(text.lstrip("!")) <= 360


def cut(region: str, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The part (x, y, width, height) of an image of this size that a region means; None if nothing of it is inside."""
    if region == "full":
        return 0, 0, width, height
    if region == "square":
        side = min(width, height)
        return (width - side) // 2, (height - side) // 2, side, side
    x, y, w, h = (float(number) for number in region.removeprefix("pct:").split(","))
    if region.startswith("pct:"):
        x, y, w, h = x * width / 100, y * height / 100, w * width / 100, h * height / 100
    left, top = round(x), round(y)
    right, bottom = min(width, round(x + w)), min(height, round(y + h))
    return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def _exact(info: Info, region: str, width: int, height: int, listed: bool = False) -> Iterator[Request]:
    """One size, in the ways of writing it that the server should know; a listed one in both that are in use."""
    features = info.features
    whole = info.width if region == "full" else int(region.split(",")[2])
    if info.version >= 3 and (listed or "sizeByWh" in features):
        ways = [f"{width},{height}"] + ([f"{width},"] if listed else [])
    elif listed or "sizeByW" in features:
        ways = [f"{width},"] + ([f"{width},{height}"] if listed and info.level == 0 else [])
    elif "sizeByH" in features:
        ways = [f",{height}"]
    elif "sizeByWh" in features:
        ways = [f"{width},{height}"]
    else:
        ways = [f"pct:{max(1, math.floor(100 * width / whole))}"]
    for way in ways:
        yield Request(_address(info, region, way), width, height)


def _whole_picture(info: Info, region: str, width: int, height: int, largest: float) -> Request:
    """The picture as large as the server gives it."""
    limited = info.max_width or info.max_area
    way = "max" if info.version >= 3 or (info.version == 2 and limited) else "full"
    return Request(_address(info, region, way), *_scaled(width, height, largest))


def _address(info: Info, region: str, size: str) -> str:
    quality = "native" if info.version == 1 else "default"
    return f"{info.uri}/{region}/{size}/0/{quality}.jpg"


def _largest(info: Info, width: int, height: int) -> float:
    """The scale, at most 1, of the largest picture that the server's limits allow."""
    scale = 1.0
    if info.max_width:
        scale = min(scale, info.max_width / width, (info.max_height or info.max_width) / height)
    if info.max_area:
        scale = min(scale, math.sqrt(info.max_area / width / height))
    return scale


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    if scale >= 1:
        return width, height
    # Rounded down, so that no limit is passed; the little more keeps 768 from becoming 767.
    return max(1, math.floor(width * scale + 1e-6)), max(1, math.floor(height * scale + 1e-6))


def _fits(size: tuple[int, int], info: Info, largest: float) -> bool:
    """Whether a listed size is what it should be: the whole picture, no larger than it and than the limits."""
    width, height = size
    if width > info.width or height > info.height or width > info.width * largest + 1:
        return False
    return (
        abs(width * info.height - height * info.width) <= 2 * max(info.width, info.height) + 0.02 * info.width * height
    )


def _sizes(data: Mapping, width: int, height: int) -> Iterator[tuple[int, int]]:
    """The listed sizes, and those at which the whole picture is one tile."""
    for entry in _maps(data.get("sizes")):
        w, h = _whole(entry.get("width")), _whole(entry.get("height"))
        if w and h:
            yield w, h
    for tile in _maps(data.get("tiles")):
        side = _whole(tile.get("width"))
        tall = _whole(tile.get("height")) or side
        factors = tile.get("scaleFactors")
        for factor in map(_whole, factors if isinstance(factors, list) else []):
            if side and tall and factor and math.ceil(width / factor) <= side and math.ceil(height / factor) <= tall:
                yield math.ceil(width / factor), math.ceil(height / factor)


def _version(data: Mapping, profile: str) -> int:
    declared = f"{data.get('@context', '')} {data.get('type', '')} {profile}"
    if re.search(r"api/image/3/|ImageService3", declared):
        return 3
    if re.search(r"image-api/1|image-api/compliance|api/image/1", declared):
        return 1
    return 2 if "@id" in data or "api/image/2/" in declared else 3


def _maps(value: Any) -> list[Mapping]:
    return [entry for entry in value[:1000] if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    """A number of pixels; None if it is none, or not to be believed."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if 1 <= number <= LONGEST else None
