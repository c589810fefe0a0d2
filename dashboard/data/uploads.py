"""A picture that somebody brings along: checked before it is decoded, and never kept."""

from __future__ import annotations

import base64
import binascii

from PIL import Image

from ingest.vision import loader

MEGABYTES = 20
MEGAPIXELS = 60
TYPES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "jp2", "j2k", "jxl", "avif", "heic")


class BadPicture(Exception):
    """A picture that cannot be used; the message is a sentence to show."""


def decode(data: bytes) -> Image.Image:
    """The upright picture in RGB, read as an ingested one is. Raises BadPicture."""
    if len(data) > MEGABYTES * 2**20:
        raise BadPicture(f"This file has {len(data) / 2**20:.0f} MB; at most {MEGABYTES} MB can be searched with.")
    try:
        return loader.decode(data, MEGAPIXELS * 10**6).image
    except loader.BadImage as error:
        raise BadPicture(error.reason) from error


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
