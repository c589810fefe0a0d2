"""What IIIF documents say, read with tolerance: Presentation 2 and 3, collections, manifests and their canvases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urljoin

from ingest.sources.iiif.images import is_region, is_rotation
from ingest.sources.iiif.texts import Words, pairs_of, words_of

Xywh = tuple[float, float, float, float]  # x, y, width, height
LONGEST_TARGET = 4000  # letters of an address with a place in it that are looked at
NO_PICTURE = "no picture is painted on this canvas"


class NotIiif(Exception):
    """A document that is no manifest, collection or image; the message says what it seems to be."""


@dataclass(frozen=True)
class Painted:
    """The picture on a canvas: its own address, that of its image service (None: it has none), which part of the
    picture is meant and how it is turned, as the Image API writes them (!90: mirrored, then clockwise), and what the
    service is said to be: ImageService2 level1."""

    address: str
    service: str | None = None
    region: str = "full"
    service_type: str = ""
    rotation: str = "0"


@dataclass(frozen=True)
class About:
    """What a manifest or a canvas says of itself, in its languages."""

    label: Words = field(default_factory=dict)
    summary: Words = field(default_factory=dict)
    pairs: tuple[tuple[Words, Words], ...] = ()
    rights: str = ""
    attribution: Words = field(default_factory=dict)
    homepage: str = ""
    date: str = ""


@dataclass(frozen=True)
class Canvas:
    """A page or view. `width` and `height` are its own units, 0 if it has none; `place` is the part of it that the
    picture covers, None for all of it; `more` how many further pictures lie on it; `fault` why it has no picture."""

    uri: str
    about: About
    width: float = 0.0
    height: float = 0.0
    painted: Painted | None = None
    place: Xywh | None = None
    more: int = 0
    fault: str = ""


@dataclass(frozen=True)
class Manifest:
    """One object: a painting, a book, an album."""

    uri: str
    about: About
    canvases: tuple[Canvas, ...]


@dataclass(frozen=True)
class Collection:
    """A list of manifests and further collections, or of its own further pages, by address."""

    uri: str
    about: About
    members: tuple[str, ...]


def read_document(data: Any, address: str) -> Manifest | Collection:
    """A parsed JSON document that came from `address`. NotIiif if it is neither of the two."""
    if not isinstance(data, Mapping):
        raise NotIiif("this is JSON, but no IIIF manifest")
    uri, kind = _uri(data, address) or address, _kind(data)
    if kind == "Manifest" or (not kind and "sequences" in data):
        return Manifest(uri, _about(data, address), tuple(_canvases(data, uri)))
    if kind in ("Collection", "CollectionPage", "Layer"):
        return Collection(uri, _about(data, address), tuple(dict.fromkeys(_members(data, address))))
    sentence = f"a IIIF {kind}" if kind else "JSON without a IIIF type"
    raise NotIiif(f"this is {sentence[:60]}, not a manifest or a collection")


def is_image_service(data: Any) -> bool:
    """Whether a document is an image's own info.json."""
    if not isinstance(data, Mapping):
        return False
    context = str(data.get("@context", ""))
    return ("image" in context or "profile" in data) and {"width", "height"} <= data.keys() and "items" not in data


def looks_like_iiif(data: Any) -> bool:
    """Whether a JSON document is meant as one of IIIF's."""
    if not isinstance(data, Mapping):
        return False
    return "iiif.io" in str(data.get("@context", "")) or _kind(data) in ("Manifest", "Collection")


def service_of(body: Mapping) -> tuple[str, str] | tuple[None, str]:
    """The address of a picture's image service, without a slash at its end, and its type and level; None if it has
    none."""
    for service in _list(body.get("service")):
        if not isinstance(service, Mapping):
            continue
        named = f"{_kind(service)} {service.get('@context', '')} {service.get('profile', '')}".casefold()
        uri = _id(service)
        if uri and _is_web(uri) and ("image" in named or "level" in named):
            level = re.search(r"level[0-2]", named)
            version = 3 if "imageservice3" in named or "api/image/3" in named else 2
            return service_address(uri), f"ImageService{version} {level[0] if level else 'level0'}"
    return None, ""


def service_address(uri: str) -> str:
    """The address of an image service, from that of its info.json or its own. Some servers have the image's name behind
    a question mark: what follows that is part of it, unless info.json comes before."""
    found = re.match(r"(.*?)/info\.json/*([?#].*)?$", uri)
    return (found[1] if found else uri.partition("#")[0]).rstrip("/")


def _canvases(data: Mapping, manifest: str) -> Iterator[Canvas]:
    if "sequences" in data:
        first = next((entry for entry in _list(data["sequences"]) if isinstance(entry, Mapping)), {})
        entries = _list(first.get("canvases"))
    else:
        entries = _list(data.get("items"))
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        uri = _id(entry) if isinstance(entry, Mapping) else ""
        if not _is_web(uri) or uri in seen:
            uri = f"{manifest.partition('#')[0]}#canvas={number}"  # nameless, or named as another one is
        seen.add(uri)
        try:
            yield _canvas(entry, uri, manifest)
        except Exception as error:  # one strange canvas never costs a manifest
            yield Canvas(uri, About(), fault=f"the canvas could not be understood: {type(error).__name__}: {error}")


def _canvas(entry: Any, uri: str, manifest: str) -> Canvas:
    if not isinstance(entry, Mapping):
        return Canvas(uri, About(), fault="the canvas is no JSON object")
    about = _about(entry, manifest)
    width, height = _length(entry.get("width")), _length(entry.get("height"))
    annotations = list(_paintings(entry))
    if not annotations:
        return Canvas(uri, about, width, height, fault=NO_PICTURE)
    found = [(painted, target) for body, target in annotations if (painted := _painted(body, manifest))]
    if not found:
        kinds = {_kind(body) for body, _ in annotations if isinstance(body, Mapping)} & {
            "Video",
            "Sound",
            "Text",
            "Model",
        }
        sentence = (
            f"it shows {kinds.pop().lower()}, not a picture" if kinds else "its picture has no address on the web"
        )
        return Canvas(uri, about, width, height, fault=sentence)
    painted, target = found[0]
    place = None if not target or not width else _place(target, width, height)
    return Canvas(uri, about, width, height, painted, place, more=len(found) - 1)


def _paintings(canvas: Mapping) -> Iterator[tuple[Any, Any]]:
    """(body, target) of what is painted on a canvas, in either version."""
    for annotation in _list(canvas.get("images")):
        if isinstance(annotation, Mapping):
            yield annotation.get("resource"), annotation.get("on")
    for page in _list(canvas.get("items")):
        for annotation in _list(page.get("items")) if isinstance(page, Mapping) else ():
            if isinstance(annotation, Mapping) and "painting" in str(annotation.get("motivation", "painting")):
                for body in _list(annotation.get("body")) or [None]:
                    yield body, annotation.get("target")


def _painted(body: Any, manifest: str) -> Painted | None:
    """The picture of an annotation's body; of several to choose from the first."""
    for _ in range(4):  # a choice of parts of pictures: each is a wrapper
        if isinstance(body, str):
            body = {"id": body}
        if not isinstance(body, Mapping):
            return None
        if _kind(body) == "Choice":
            body = body.get("default") or next(iter(_list(body.get("items") or body.get("item"))), None)
        elif _kind(body) == "SpecificResource":
            return _part(body, manifest)
        else:
            break
    if not isinstance(body, Mapping) or _kind(body) in ("Video", "Sound", "Text", "TextualBody", "Model"):
        return None
    address, (service, kind) = _id(body), service_of(body)
    address = _joined(manifest, address) if address else ""
    if not _is_web(address) and service is None:
        return None
    return Painted(address if _is_web(address) else "", service, service_type=kind)


def _part(body: Mapping, manifest: str) -> Painted | None:
    whole = _painted(body.get("full") or body.get("source"), manifest)
    selector = next((entry for entry in _list(body.get("selector")) if isinstance(entry, Mapping)), {})
    if whole is None:
        return None
    written = str(selector.get("region") or str(selector.get("value", "")).removeprefix("xywh="))
    region = written.removeprefix("pixel:").replace("percent:", "pct:")
    rotation = str(selector.get("rotation", "0")).strip()
    return replace(
        whole,
        region=region if is_region(region) else whole.region,
        rotation=rotation if is_rotation(rotation) else whole.rotation,
    )


def _place(target: Any, width: float, height: float) -> Xywh | None:
    """The part of the canvas that a target means, None for the whole."""
    if isinstance(target, list):
        target = target[0] if target else None
    if isinstance(target, Mapping):
        selector = next((entry for entry in _list(target.get("selector")) if isinstance(entry, Mapping)), {})
        target = f"#{selector.get('value', '')}"
    number = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    fragment = str(target)[:LONGEST_TARGET].partition("#")[2]
    match = re.search(rf"(?:^|&)xywh=(pixel:|percent:)?{number},{number},{number},{number}", fragment)
    if not match:
        return None
    x, y, w, h = (float(part) for part in match.groups()[1:])
    if match[1] == "percent:":
        x, y, w, h = x * width / 100, y * height / 100, w * width / 100, h * height / 100
    return None if (x, y, w, h) == (0, 0, width, height) or not w or not h else (x, y, w, h)


def _about(data: Mapping, address: str) -> About:
    statement = data.get("requiredStatement")
    attribution = statement.get("value") if isinstance(statement, Mapping) else data.get("attribution")
    rights = next((text for text in map(_id, _list(data.get("rights") or data.get("license"))) if text), "")
    date = data.get("navDate")
    return About(
        label=words_of(data.get("label")),
        summary=words_of(data.get("summary") or data.get("description")),
        pairs=tuple(pairs_of(data.get("metadata"))),
        rights=rights,
        attribution=words_of(attribution),
        homepage=_homepage(data, address),
        date=date[:10] if isinstance(date, str) and re.match(r"\d{4}-\d\d-\d\d", date) else "",
    )


def _homepage(data: Mapping, address: str) -> str:
    """The page for people to look at; of Presentation 2's related things the first, web pages before others."""
    pages = _list(data.get("homepage")) or sorted(
        _list(data.get("related")),
        key=lambda page: not (isinstance(page, Mapping) and "html" in str(page.get("format", "html"))),
    )
    found = (_joined(address, uri) for uri in map(_id, pages) if uri)
    return next((uri for uri in found if _is_web(uri)), "")


def _members(data: Mapping, address: str) -> Iterator[str]:
    for key in ("collections", "manifests", "members", "items", "first", "next"):
        for entry in _list(data.get(key)):
            named = isinstance(entry, Mapping) and key in ("members", "items")
            if named and _kind(entry) not in ("Manifest", "Collection", ""):
                continue
            if (uri := _id(entry)) and (uri := _joined(address, uri)):
                yield uri


def _joined(address: str, uri: str) -> str:
    """An address that may be relative to that of its document; nothing where it is none."""
    try:
        return urljoin(address, uri)
    except ValueError:
        return ""


def _uri(data: Mapping, address: str) -> str:
    uri = _id(data)
    return uri if _is_web(uri) else ""


def _id(entry: Any) -> str:
    """The address that a thing is, or has."""
    if isinstance(entry, Mapping):
        entry = entry.get("id") or entry.get("@id")
    return entry.strip() if isinstance(entry, str) and len(entry) < 2000 and entry.isprintable() else ""


def _kind(entry: Mapping) -> str:
    """The type without its prefix; dctypes:MovingImage is what version 3 calls Video."""
    kind = entry.get("type") or entry.get("@type") or ""
    kind = str(kind[0] if isinstance(kind, list) and kind else kind)[:200].rpartition(":")[2]
    kind = "".join(letter for letter in kind if letter.isprintable())
    return {"MovingImage": "Video"}.get(kind, kind)


def _list(value: Any) -> list:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _length(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if 0 < number < 1e9 else 0.0


def _is_web(uri: str) -> bool:
    return bool(re.match(r"https?://[^/\s]", uri, re.IGNORECASE))
