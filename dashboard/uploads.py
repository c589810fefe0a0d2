"""A picture that somebody brings along: checked before it is decoded, and never kept."""

from __future__ import annotations

import base64
import binascii
import io
import warnings

from PIL import Image, ImageOps

MEGABYTES = 20
MEGAPIXELS = 60
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # and none of those that start another program
TYPES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")


class BadPicture(Exception):
    """A picture that cannot be used; the message is a sentence to show."""


def decode(data: bytes) -> Image.Image:
    """The upright picture in RGB, on white where it is transparent. Raises BadPicture."""
    if len(data) > MEGABYTES * 2**20:
        raise BadPicture(
            f"This file has {len(data) / 2**20:.0f} MB; at most {MEGABYTES} MB can be searched with."
        )
    try:
        with warnings.catch_warnings():
            # Pillow warns from a limit of its own; the one below is the one that counts.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
            width, height = picture.size
            if width * height > MEGAPIXELS * 10**6:
                raise BadPicture(
                    f"This picture has {width:,} × {height:,} pixels; at most {MEGAPIXELS} million can be "
                    "searched with. Save a smaller copy and use that."
                )
            picture.load()
            return _rgb(ImageOps.exif_transpose(picture))
    except BadPicture:
        raise
    except Image.DecompressionBombError as error:
        raise BadPicture(
            f"This picture is too large: at most {MEGAPIXELS} million pixels can be searched with."
        ) from error
    except Exception as error:  # decoders fail in many ways, and each of them means the same to the person
        raise BadPicture(
            "This file cannot be read as a picture. JPEG, PNG, WebP, GIF, BMP and TIFF files can; it may be damaged."
        ) from error


def from_data_url(text: str) -> bytes:
    """The bytes of a `data:image/…;base64,…` address. Raises BadPicture."""
    head, _, body = text.partition(",")
    if len(body) > MEGABYTES * 2**20 * 4 / 3 + 4:
        raise BadPicture(f"The pasted picture is larger than {MEGABYTES} MB.")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise BadPicture("What was pasted is no picture.")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPicture("The pasted picture did not arrive whole. Paste it again.") from error


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode == "I":
        picture = picture.point(lambda value: value / 257).convert("L")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
