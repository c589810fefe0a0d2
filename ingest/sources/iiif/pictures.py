"""A picture from an image server: asked for in a size that the server offers, and looked at before it is believed."""

from __future__ import annotations

import re
from dataclasses import replace

from PIL import Image

from ingest.sources.iiif.images import MOST_WHOLE, SIDE, BadInfo, Info, Request, cut, parse_info, requests
from ingest.sources.iiif.presentation import Painted, service_address
from ingest.vision.loader import BadImage, Decoded, decode
from ingest.web import Refused, Web, WebError

MOST_PIXELS = 2 * MOST_WHOLE
MOST_INFO = 2**20  # bytes of a description of one image
_ANOTHER_SIZE = frozenset({400, 403, 404, 405, 410, 414, 422, 501})  # answers to a size that a server does not have

_QUARTERS = {  # clockwise; Pillow turns the other way round
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


def fetch(web: Web, painted: Painted, side: int = SIDE, least: float = 0.75) -> Decoded:
    """The picture on a canvas, its shorter side about `side` pixels, at least that share of them, where the server lets
    us choose. With the `side` of a picture that came before and `least` 1 it is the same one again.

    BadImage, with a sentence, for all that cannot be had, is no picture, or has not the shape that was promised.
    """
    return _turned(_fetched(web, painted, side, least), painted.rotation)


def _fetched(web: Web, painted: Painted, side: int, least: float) -> Decoded:
    try:
        if painted.service is None:
            return _part(_picture(web, painted.address), painted.region)
        try:
            info = _info(web, painted.service)
        except (BadInfo, WebError) as error:
            # The manifest names a picture too; a server that is down or forbidden will not have that one either. Where
            # a part of it is meant, nobody knows whether its pixels are those in which that is told.
            gone = isinstance(error, Refused) or not getattr(error, "status", 1)
            if gone or not painted.address or painted.region != "full":
                raise
            return _picture(web, painted.address)
        return _first(web, info, requests(info, side, painted.region, least))
    except BadInfo as error:
        raise BadImage(f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    except WebError as error:
        raise BadImage(f"{error.reason}.") from None


def _info(web: Web, service: str) -> Info:
    data, address = web.json(f"{service}/info.json", MOST_INFO)
    # Where that leads elsewhere, as to a smaller picture that all may see, the picture is there too.
    moved = re.search(r"/info\.json/*([?#].*)?$", address)
    return parse_info(data, service_address(address) if moved else service)


def _first(web: Web, info: Info, asked: list[Request]) -> Decoded:
    """The first of these pictures that the server has."""
    refusal = WebError(
        f"the image server offers no size of the image that could be read ({info.width} × {info.height})"
    )
    for request in asked:
        try:
            return _checked(_picture(web, request.address), request)
        except WebError as error:
            if error.status not in _ANOTHER_SIZE:
                raise
            refusal = error
    raise refusal


def _picture(web: Web, address: str) -> Decoded:
    return decode(web.get(address, accept="image/jpeg, image/*;q=0.8").data, MOST_PIXELS)


def _part(decoded: Decoded, region: str) -> Decoded:
    """The part of a whole picture that is meant."""
    if region == "full":
        return decoded
    found = cut(region, *decoded.pixels.size)
    if found is None:
        raise BadImage(
            f"The part {region} lies outside of the picture ({decoded.pixels.width} × {decoded.pixels.height})."
        )
    x, y, width, height = found
    return replace(decoded, picture=decoded.image.crop((x, y, x + width, y + height)))


def _turned(decoded: Decoded, rotation: str) -> Decoded:
    """The picture turned as its canvas shows it. Turned here, since few servers can."""
    image, angle = decoded.image, float(rotation.lstrip("!")) % 360
    if rotation.startswith("!"):
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if angle in _QUARTERS:
        image = image.transpose(_QUARTERS[angle])
    elif angle:
        image = image.rotate(-angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    return replace(decoded, picture=image)


def _checked(decoded: Decoded, request: Request) -> Decoded:
    """The picture, if it has the shape that was asked for: all that is said of places in it depends on that."""
    width, height = decoded.pixels.size
    # Half a pixel of rounding at either side, and a hundredth for servers that round otherwise.
    if abs(width * request.height - height * request.width) > width + height + 0.01 * width * request.height:
        raise BadImage(
            f"The server sent a picture of {width} × {height} pixels where {request.width} × {request.height} "
            "were asked for."
        )
    return decoded
