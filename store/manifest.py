"""A IIIF manifest of pictures, with places in them as annotations: rows in, a document out.

A picture that came from a manifest keeps its own canvas, so that what is said of a place in it, `canvas#xywh=…`, holds
everywhere. One that lies in a folder gets a canvas under the address of the new manifest, and needs an address itself.
"""

import base64
import json
import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard
from urllib.parse import quote, urlsplit

import numpy as np

from store import spreadsheets

MOST = 10_000  # pictures of one manifest: viewers read it whole
_SPECIAL = frozenset({"title", "manifest", "canvas", "summary", "rights", "attribution", "homepage", "nav_date"})

Xywh = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True)
class Place:
    """A rectangle (x0, y0, x1, y1) in pixels of a picture as it was read, and the words about it."""

    box: tuple[float, float, float, float]
    words: str


@dataclass(frozen=True)
class Picture:
    """A picture to be shown: the row of `store.read.images`, its metadata as a dict, its canvas and its address."""

    image_id: int
    title: str
    width: int
    height: int
    metadata: Mapping[str, Any]
    canvas: str
    size: tuple[int, int]
    address: str
    service: str | None = None  # of this project, where the picture has no other

    def on_canvas(self, place: Place) -> Xywh | None:
        """The place in units of the canvas; None if no part of it lies in the picture."""
        x0, y0, x1, y1 = np.clip(place.box, 0, [self.width, self.height] * 2)
        if x1 <= x0 or y1 <= y0:
            return None
        left, top, width, height = _covered(self.metadata) or (0, 0, *self.size)
        across, down = width / self.width, height / self.height
        return left + x0 * across, top + y0 * down, (x1 - x0) * across, (y1 - y0) * down

    def link(self, place: Place) -> str | None:
        """The address of the place: canvas#xywh=120,80,300,300."""
        box = self.on_canvas(place)
        if box is None:
            return None
        x, y, width, height = (round(number) for number in box)
        return f"{self.canvas}#xywh={x},{y},{max(1, width)},{max(1, height)}"


Marked = tuple[Picture, list[Place]]


def made_up(name: str) -> str:
    """An address for a manifest of which nobody has said where it will lie."""
    return f"https://example.org/iiif/{quote(name)}"


def own_canvas(metadata: Mapping[str, Any]) -> str | None:
    """The address of the canvas that a picture came from; None if it came from a folder, or its canvas has no name."""
    canvas = metadata.get("iiif_canvas")
    return canvas if is_web(canvas) and "#" not in canvas else None


def as_picture(
    row: Mapping[str, Any], uri: str, folder: str | None = None, services: str | None = None
) -> Picture | None:
    """The picture of a row with image_id, path, width, height, title and metadata (a dict), for the manifest at `uri`.

    A picture without an address of its own gets that of the dashboard's image service: `services` and its number.
    None if no viewer could fetch it: it came from a folder, or is a part of a file, and neither `folder`, the address
    at which the folder lies on the web, nor `services` helps.
    """
    metadata, service = row["metadata"], None
    image_id, width, height = (int(row[key]) for key in ("image_id", "width", "height"))
    address = address_of(row["path"], metadata, folder)
    if address is None and services is not None and "://" not in row["path"]:
        service = f"{services.rstrip('/')}/{image_id}"
        address = f"{service}/full/max/0/default.jpg"
    if address is None:
        return None
    canvas = own_canvas(metadata) or f"{_base(uri)}/canvas/{image_id}"
    size = _canvas_size(metadata) or (width, height)
    return Picture(image_id, row["title"], width, height, metadata, canvas, size, address, service)


def pictures_of(
    rows: Iterable[Mapping[str, Any]], uri: str, folder: str | None = None, services: str | None = None
) -> tuple[list[Picture], list[str]]:
    """The pictures of these rows, in their order, as `as_picture` makes them; the paths of those without an address."""
    found, left_out = [], []
    for row in rows:
        made = as_picture(row, uri, folder, services)
        if made is None:
            left_out.append(row["path"])
        else:
            found.append(made)
    return found, left_out


def address_of(path: str, metadata: Mapping[str, Any], folder: str | None) -> str | None:
    """Where a viewer finds a picture; None if that is nowhere. `folder` is where a folder lies on the web."""
    if is_web(address := metadata.get("iiif_image")):
        return address
    if is_web(service := metadata.get("iiif_service")):
        whole = "full" if str(metadata.get("iiif_service_type", "")).startswith("ImageService2") else "max"
        return f"{service}/full/{whole}/0/default.jpg"
    if folder is None or "#" in path or "://" in path:
        return None
    return f"{folder.rstrip('/')}/{quote(path)}"


def manifest(uri: str, label: str, places: Iterable[Marked]) -> dict[str, Any]:
    """A manifest of Presentation 3 with the places as annotations of its canvases, checked against the standard."""
    import iiif_prezi3

    canvases = [_canvas(uri, shown, found) for shown, found in places]
    data = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": uri,
        "type": "Manifest",
        "label": {"none": [label]},
        "items": canvases,
    }
    # Only checked, not written by it: it would put addresses into another form, and canvases would be other canvases.
    iiif_prezi3.Manifest.model_validate(data)
    return data


def text_of(document: Mapping[str, Any]) -> str:
    """A document as the text of a file."""
    return json.dumps(document, ensure_ascii=False, indent=1)


def links(places: Iterable[Marked]) -> Iterator[dict[str, Any]]:
    """A row for each place: image_id, title, words, link."""
    for shown, found in places:
        for place in found:
            if link := shown.link(place):
                yield {"image_id": shown.image_id, "title": shown.title, "words": place.words, "link": link}


def csv_of(places: Iterable[Marked]) -> str:
    """The links as the text of a table."""
    names = ["image_id", "title", "words", "link"]
    return spreadsheets.csv_of_rows(names, ([row[name] for name in names] for row in links(places)))


def content_state(target: str, manifest_uri: str) -> str:
    """A canvas of a manifest, or a place on one, as viewers take it after `?iiif-content=`: Content State API 1.0."""
    part_of = [{"id": manifest_uri, "type": "Manifest"}]
    state = json.dumps({"id": target, "type": "Canvas", "partOf": part_of}, separators=(",", ":"))
    return base64.urlsafe_b64encode(quote(state, safe="!~*'()").encode()).decode().rstrip("=")


def is_web(value: Any) -> TypeGuard[str]:
    """Whether a value is an address on the web, so that it can stand in a manifest."""
    if not isinstance(value, str) or not re.match(r"https?://[^/?#\s<>]+(?:[/?#]|$)", value) or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none, half a numeric address
        return False


def _canvas_size(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    try:
        width, height = (round(float(metadata[f"iiif_canvas_{side}"])) for side in ("width", "height"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _covered(metadata: Mapping[str, Any]) -> Xywh | None:
    """The part of the canvas that the picture covers, where it is not the whole."""
    try:
        x, y, width, height = (float(part) for part in str(metadata["iiif_place"]).split(","))
    except (KeyError, ValueError):
        return None
    return (x, y, width, height) if width > 0 and height > 0 else None


def _canvas(uri: str, picture: Picture, places: list[Place]) -> dict[str, Any]:
    name, about = f"{_base(uri)}/{picture.image_id}", picture.metadata
    covered = _covered(about)
    target = picture.canvas if covered is None else f"{picture.canvas}#xywh={','.join(f'{n:g}' for n in covered)}"
    canvas: dict[str, Any] = {
        "id": picture.canvas,
        "type": "Canvas",
        "label": {"none": [picture.title]},
        "width": picture.size[0],
        "height": picture.size[1],
        "items": [_page(f"{name}/page", [_painting(f"{name}/painting", picture, target)])],
    }
    if pairs := _pairs(about):
        canvas["metadata"] = pairs
    if text := about.get("summary"):
        canvas["summary"] = {"none": [str(text)]}
    if text := about.get("attribution"):
        canvas["requiredStatement"] = {"label": {"en": ["Attribution"]}, "value": {"none": [str(text)]}}
    if is_web(about.get("rights")):
        canvas["rights"] = about["rights"]
    if is_web(about.get("homepage")):
        label = {"none": [picture.title]}
        canvas["homepage"] = [{"id": about["homepage"], "type": "Text", "label": label, "format": "text/html"}]
    if is_web(about.get("iiif_manifest")):
        canvas["partOf"] = [{"id": about["iiif_manifest"], "type": "Manifest"}]
    linked = [(place, link) for place in places if (link := picture.link(place))]
    if linked:
        found = [_annotation(f"{name}/place/{number}", *each) for number, each in enumerate(linked, start=1)]
        canvas["annotations"] = [_page(f"{name}/places", found)]
    return canvas


def _page(uri: str, items: list[dict]) -> dict[str, Any]:
    return {"id": uri, "type": "AnnotationPage", "items": items}


def _painting(uri: str, picture: Picture, target: str) -> dict[str, Any]:
    about = picture.metadata
    body: dict[str, Any] = {"id": picture.address, "type": "Image"}
    if kind := mimetypes.guess_type(picture.address.partition("?")[0])[0]:
        body["format"] = kind
    if picture.service:
        body["service"] = [{"id": picture.service, "type": "ImageService3", "profile": "level2"}]
    elif is_web(service := about.get("iiif_service")):
        kind, _, level = str(about.get("iiif_service_type") or "ImageService2 level0").partition(" ")
        named = ("@id", "@type") if kind == "ImageService2" else ("id", "type")
        body["service"] = [dict(zip(named, (service, kind), strict=True)) | {"profile": _profile(kind, level)}]
    if region := about.get("iiif_region"):
        selector = {"type": "ImageApiSelector", "region": region}
        body = {"type": "SpecificResource", "source": body, "selector": selector}
    return {"id": uri, "type": "Annotation", "motivation": "painting", "body": body, "target": target}


def _profile(kind: str, level: str) -> str:
    return level if kind == "ImageService3" else f"http://iiif.io/api/image/2/{level}.json"


def _annotation(uri: str, place: Place, link: str) -> dict[str, Any]:
    """A W3C Web Annotation of a place: a comment, or where there are no words a highlight."""
    if not place.words:
        return {"id": uri, "type": "Annotation", "motivation": "highlighting", "target": link}
    body = {"type": "TextualBody", "value": place.words, "format": "text/plain"}
    return {"id": uri, "type": "Annotation", "motivation": "commenting", "body": body, "target": link}


def _pairs(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The catalogue's columns as label and value; `Creator [fr]` goes to the other languages of `Creator`."""
    values: dict[str, dict[str, list[str]]] = {}
    for key, value in about.items():
        if value in (None, "") or key.startswith("iiif_"):
            continue
        match = re.fullmatch(r"(.+) \[([A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)\]", key)
        name, language = (match[1], match[2]) if match else (key, "none")
        if name not in _SPECIAL:
            values.setdefault(name.removesuffix(" (metadata)"), {})[language] = [str(value)]
    return [{"label": {"none": [name]}, "value": value} for name, value in values.items()]


def _base(uri: str) -> str:
    return uri.removesuffix(".json").removesuffix("/manifest").rstrip("/")
