"""From the colours of a file to sRGB: embedded profiles, what a PNG says without one, transparency on white."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile

from ingest.vision import tiff
from ingest.vision.levels import eight_bits

PROFILE = "profile"  # a profile is embedded that cannot be used
CMYK = "cmyk"  # inks without a profile
RANGE = "range"  # nobody knows which number is white

ASSUMED = {
    PROFILE: "a colour profile that cannot be used: the colours are taken as sRGB",
    CMYK: "printing inks (CMYK) without a colour profile: the colours are approximate",
    RANGE: "numbers of which no file says what is white: the least is drawn black, the greatest white",
}

_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}  # Pillow's mode -> the profile's colour space
_NEAR = 1  # levels by which a profile may differ from sRGB to be no other
_TELEVISION = 1 / 2.2  # the gamma that PNGs state when they mean sRGB
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class _Unusable(Exception):
    """A profile that is damaged, or made for other colours than the picture's."""


def to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A decoded picture of any mode in sRGB, on white. `info["assumed"]` names what had to be assumed (keys of
    ASSUMED), where anything was."""
    assumed = [RANGE] if image.info.get("stretched") else []
    if (numbers := tiff.numbers(image)) is not None:
        levels, stretched = eight_bits(*numbers)
        described, image = image.info, Image.fromarray(levels)
        image.info = {key: value for key, value in described.items() if key != "transparency"}
        assumed += [RANGE] * stretched
    if image.mode == "LAB":
        picture = _from_lab().apply(image)
        picture.info = {}
        return picture
    image, alpha = _apart(image)
    if image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    try:
        picture = _with_profile(image, bytes(profile)) if profile else _as_declared(image)
    except _Unusable:
        picture = None
        assumed.append(PROFILE)
    if picture is None:
        assumed += [CMYK] * (image.mode == "CMYK" and not profile)
        # A copy where nothing is converted: a file's picture would keep the file's bytes and its EXIF.
        same = image.mode == "RGB" and not isinstance(image, ImageFile.ImageFile)
        picture = image if same else image.convert("RGB")
    if alpha is not None:
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=alpha)
        picture = ground
    picture.info = {"assumed": tuple(assumed)} if assumed else {}
    return picture


def is_plain_srgb(image: Image.Image, profile: bytes | None) -> bool:
    """Whether `to_rgb` would change nothing of an opened picture of mode RGB, and report nothing."""
    if image.has_transparency_data or image.info.get("stretched"):
        return False
    try:
        if profile:
            return _to_srgb(bytes(profile), image.mode)[0] is None
        return not (image.info.get("gamma") or image.info.get("chromaticity")) or "srgb" in image.info
    except _Unusable:
        return False


def _apart(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture without its transparency, and that: colours are converted before they are mixed with white."""
    if not image.has_transparency_data:
        return image, None
    described = image.info
    image = image.convert("LA" if image.mode in ("LA", "La", "L") else "RGBA")
    *colours, alpha = image.split()
    image = Image.merge("RGB", colours) if len(colours) == 3 else colours[0]
    image.info = {key: value for key, value in described.items() if key != "transparency"}
    return image, alpha


def _with_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture converted; None if it is in sRGB already. _Unusable."""
    transform, mode = _to_srgb(profile, image.mode)
    if transform is None:
        return None
    try:
        return ImageCms.applyTransform(image if image.mode == mode else image.convert(mode), transform)
    except (ImageCms.PyCMSError, ValueError) as error:
        raise _Unusable from error


def _as_declared(image: Image.Image) -> Image.Image | None:
    """The picture by the chunks gAMA and cHRM of its PNG, which browsers follow where there is neither a profile nor a
    chunk sRGB."""
    info = image.info
    gamma, primaries = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or not (gamma or primaries) or image.mode not in ("L", "RGB"):
        return None
    made = _made(float(gamma or 0), tuple(map(float, primaries or ())), image.mode)
    try:
        return _with_profile(image, made) if made else None
    except _Unusable:  # numbers that mean no colours, which nobody follows
        return None


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The way from an embedded profile to sRGB, and the mode that it takes; None where it would change nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space
        if mode == "L" and space == _SPACES["RGB"]:
            mode = "RGB"  # programs that find a picture to be grey save it as such, and keep its profile
        if space != _SPACES[mode]:
            raise _Unusable
        transform = _transform(source, mode)
        before = _ramp(mode)
        after = np.asarray(ImageCms.applyTransform(before, transform)).astype(int)
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError, KeyError) as error:
        raise _Unusable from error
    if np.ptp(after) < 8:
        raise _Unusable  # damaged in such a way that all becomes one colour
    same = mode != "CMYK" and np.abs(after - np.asarray(before.convert("RGB"))).max() <= _NEAR
    return (None if same else transform), mode


def _ramp(mode: str) -> Image.Image:
    """A strip of colours from all over the mode's space, among them all greys."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps, channels = (18, 3) if mode == "RGB" else (5, 4)
    levels = np.linspace(0, 255, steps).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(*[levels] * channels, indexing="ij"), axis=-1).reshape(-1, channels)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], channels, axis=1)
    strip = np.concatenate([lattice, greys])[None]
    return Image.frombytes(mode, (strip.shape[1], 1), np.ascontiguousarray(strip).tobytes())


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return _transform(ImageCms.createProfile("LAB"), "LAB")


def _transform(source: Any, mode: str) -> ImageCms.ImageCmsTransform:
    # Without the cache of the last pixel, since threads share the transform.
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(source, srgb, mode, "RGB", flags=ImageCms.Flags.NOCACHE)


@lru_cache(maxsize=16)
def _made(gamma: float, primaries: tuple[float, ...], mode: str) -> bytes | None:
    """A profile for what a PNG says of its colours: the exponent with which light was encoded (0: not said), and x and
    y of white, red, green, blue (none: not said). None if that is sRGB, or no colours at all."""
    usual = len(primaries) != 8 or np.allclose(primaries, _SRGB_PRIMARIES, atol=0.002)
    as_srgb = gamma <= 0 or (usual and abs(gamma / _TELEVISION - 1) < 0.05)
    if as_srgb and (usual or mode == "L"):
        return None
    if as_srgb:
        curve = struct.pack(
            ">4s4xHH5i", b"para", 3, 0, *map(_fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
        )
    else:
        curve = struct.pack(">4s4xHHi", b"para", 0, 0, _fixed(1 / gamma))
    tags = {b"wtpt": _xyz(_D50)}
    if mode == "L":
        tags[b"kTRC"] = curve
    else:
        try:
            columns = _columns(_SRGB_PRIMARIES if usual else primaries)
        except (ZeroDivisionError, np.linalg.LinAlgError):
            return None
        tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(_SPACES[mode].encode(), tags)


def _columns(primaries: tuple[float, ...]) -> np.ndarray:
    """XYZ of red, green and blue (3, 3), adapted to the white of profiles."""
    white, *colours = (
        np.array([x / y, 1, (1 - x - y) / y]) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    matrix = np.stack(colours, axis=1)
    matrix = matrix * np.linalg.solve(matrix, white)
    adapted = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    return np.linalg.inv(_BRADFORD) @ adapted @ _BRADFORD @ matrix


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    place, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        table += struct.pack(">4sII", name, place + len(data), len(body))
        data += body
    head = struct.pack(">I4xI4s4s4s12x4s", place + len(data), 0x04300000, b"mntr", space, b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + _xyz(_D50)[8:] + bytes(48) + struct.pack(">I", len(tags)) + table + data


def _xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *map(_fixed, values))


def _fixed(value: float) -> int:
    return round(max(-32000.0, min(32000.0, float(value))) * 65536)
