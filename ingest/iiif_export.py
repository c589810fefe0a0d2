"""Pictures out again as IIIF: a manifest of a selection, with places in the pictures as annotations.

A picture that came from a manifest keeps its own canvas, so that what is said of a place in it, `canvas#xywh=…`, holds
everywhere. One that lies in a folder gets a canvas under the address of the new manifest, and needs an address itself.
"""

from __future__ import annotations

import csv
import json
import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ingest.explain import image_ids
from ingest.sources.folder import SourceError
from ingest.vision.geometry import Frame
from store import read, sandbox, selections
from store.connection import reading
from store.errors import SqlFailed, SqlRefused
from store.records import FrameRecord, MapStack

MOST = 10_000  # pictures of one manifest: viewers read it whole
_SPECIAL = frozenset({"title", "manifest", "canvas", "summary", "rights", "attribution", "homepage", "nav_date"})

Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True)
class Place:
    """A rectangle (x0, y0, x1, y1) in pixels of a picture as it was read, and the words about it."""

    box: tuple[float, float, float, float]
    words: str


@dataclass(frozen=True)
class Peaks:
    """Which maps the places are taken from: `count` of each picture; `layer` None is the last, `head` None the mean."""

    count: int
    run_id: int
    method: str
    kind: str = "attention"
    target: str = ""
    layer: int | None = None
    head: int | None = None


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

    def on_canvas(self, place: Place) -> Box | None:
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
        return box and f"{self.canvas.partition('#')[0]}#xywh={','.join(str(round(number)) for number in box)}"


def export_iiif(
    db: Path,
    file: Path,
    ids: list[int],
    uri: str | None = None,
    label: str | None = None,
    folder: str | None = None,
    peaks: Peaks | None = None,
    regions: Mapping[int, list[Place]] | None = None,
) -> dict[str, Any]:
    """Writes the pictures with their peaks and regions: to .json a manifest, to .csv a link for each place. `uri` is
    where the manifest will lie, `folder` where the pictures of a folder lie on the web.

    Returns counts and the paths that were left out. ValueError for another ending or address, SourceError where no
    picture is left.
    """
    if file.suffix not in (".json", ".csv"):
        raise ValueError(f"{file} should end in .json (a manifest) or .csv (links to places)")
    uri = uri or f"https://example.org/iiif/{quote(file.name)}"
    for address in (uri, folder):
        if address is not None and not _is_web(address):
            raise ValueError(f"{address} is no address on the web: it should begin with https://")
    pictures, left_out = pictures_of(db, ids, uri, folder)
    if not pictures:
        raise SourceError(
            "none of these pictures has an address on the web: say with --pictures https://… where their folder lies"
        )
    found = peaks_of(db, pictures, peaks) if peaks else ((picture, []) for picture in pictures)
    places = [(picture, [*each, *(regions or {}).get(picture.image_id, [])]) for picture, each in found]
    if file.suffix == ".json":
        text = json.dumps(manifest(uri, label or file.stem, places), ensure_ascii=False, indent=1)
        file.write_text(text, encoding="utf-8")
    else:
        with open(file, "w", newline="", encoding="utf-8-sig") as lines:
            table = csv.DictWriter(lines, ["image_id", "title", "words", "link"])
            table.writeheader()
            table.writerows(links(places))
    count = sum(picture.on_canvas(place) is not None for picture, each in places for place in each)
    strange = sorted(set(regions or {}) - {picture.image_id for picture in pictures})
    counts = {"file": str(file), "uri": uri, "pictures": len(pictures), "places": count}
    return {**counts, "left_out": left_out, "regions_elsewhere": strange}


def peaks_for(
    db: Path, run: Mapping[str, Any], count: int, method: str | None, target: str, layer: int | None, head: int | None
) -> Peaks:
    """The stored maps of a run (a row of `runs`) that somebody means; without a method the first that it has.

    SourceError where the run has no such maps.
    """
    from ingest.vision.attention import methods

    with reading(db) as con:
        stored = read.methods(con, run["run_id"]).to_pylist()
    found = next((row for row in stored if method in (None, row["method"]) and row["target"] == target), None)
    if found is None:
        has = "; ".join(f"{row['method']} of {row['target']}" if row["target"] else row["method"] for row in stored)
        wanted = " ".join(["maps", *filter(None, [method, target and f"of {target}"])])
        raise SourceError(f"run {run['run_id']} has no {wanted}; it has {has or 'none'}")
    kind = methods()[found["method"].partition("(")[0]].kind
    return Peaks(count, run["run_id"], found["method"], kind, target, layer, head)


def choose(
    db: Path, collection: str, images: str | None, where: str | None, tag: str | None, selection: str | None
) -> list[int]:
    """The ids of the collection's pictures that are meant: by id, an SQL condition, a tag or a saved selection, all of
    these together; without any all. SourceError where it names nothing."""
    with reading(db) as con:
        ids = read.images(con, collection)["image_id"].to_pylist()
        if tag is not None:
            ids = [each for each, tags in zip(ids, read.labels(con, "tag", ids), strict=True) if tag in tags]
        if selection is not None:
            members = selections.members(con, collection, selection)
            if members is None:
                raise SourceError(f"there is no selection {selection!r} of the collection {collection!r}")
            ids = sorted(set(ids) & set(members.tolist()))
    if images is not None:
        wanted = image_ids(images)
        strange = [number for number in wanted if number not in ids]
        if strange:
            raise SourceError(f"the collection {collection!r} holds no such image {strange[0]}")
        ids = list(dict.fromkeys(wanted))
    if where is not None:
        try:
            ids = sorted(set(ids) & set(sandbox.matching(db, where)))
        except (SqlFailed, SqlRefused) as error:
            raise SourceError(f"--where {where!r} cannot be asked of the catalogue: {error}") from error
    if not ids:
        raise SourceError(f"no picture of the collection {collection!r} is meant")
    if len(ids) > MOST:
        raise SourceError(f"{len(ids):,} pictures are more than a viewer can show: choose {MOST:,} at most")
    return ids


def pictures_of(db: Path, ids: list[int], uri: str, folder: str | None) -> tuple[list[Picture], list[str]]:
    """The pictures of these ids in their order, and the paths of those that no viewer could fetch: they came from a
    folder, and `folder`, the address at which it lies on the web, is None, or they are parts of files."""
    with reading(db) as con:
        rows = {row["image_id"]: row for row in read.images(con, ids=ids).to_pylist()}
    found, left_out = [], []
    for image_id in ids:
        row = rows[image_id]
        metadata = json.loads(row["metadata"])
        address = _address(row["path"], metadata, folder)
        if address is None:
            left_out.append(row["path"])
            continue
        size = (row["width"], row["height"])
        own = metadata.get("iiif_canvas")
        if own and metadata.get("iiif_canvas_width"):
            size = (round(metadata["iiif_canvas_width"]), round(metadata["iiif_canvas_height"]))
        canvas = own or f"{_base(uri)}/canvas/{image_id}"
        found.append(Picture(image_id, row["title"], row["width"], row["height"], metadata, canvas, size, address))
    return found, left_out


def peaks_of(db: Path, pictures: list[Picture], peaks: Peaks) -> Iterator[tuple[Picture, list[Place]]]:
    """Of each picture the patches with the largest weights, no two of them neighbours, largest first."""
    for picture in pictures:
        layers = None if peaks.layer is None else [peaks.layer]
        heads = None if peaks.head is None else [peaks.head]
        with reading(db) as con:
            frame = read.frame(con, peaks.run_id, picture.image_id)
            stack = read.maps(con, peaks.run_id, picture.image_id, peaks.method, peaks.target, layers, heads)
        yield picture, _peaks(frame, stack, picture, peaks) if frame and stack else []


def read_regions(file: Path) -> dict[int, list[Place]]:
    """{image_id: places} of a CSV with the columns image_id, x0, y0, x1, y1 (pixels of the picture as the view `images`
    has it) and, if you like, note. SourceError for anything else."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
        found: dict[int, list[Place]] = {}
        for row in rows:
            box = tuple(float(row[key]) for key in ("x0", "y0", "x1", "y1"))
            found.setdefault(int(row["image_id"]), []).append(Place(box, (row.get("note") or "").strip()))
    except OSError as error:
        raise SourceError(f"{file} could not be read: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise SourceError(f"{file} must be a CSV with the columns image_id, x0, y0, x1, y1 (and note)") from None
    return found


def manifest(uri: str, label: str, places: Iterable[tuple[Picture, list[Place]]]) -> dict[str, Any]:
    """A manifest of Presentation 3 with the places as annotations of its canvases, checked against the standard."""
    import iiif_prezi3

    canvases = [_canvas(uri, picture, found) for picture, found in places]
    data = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": uri,
        "type": "Manifest",
        "label": {"none": [label]},
        "items": canvases,
    }
    # Only checked, not written by it: it would put addresses into another form, and canvases would be other canvases.
    iiif_prezi3.Manifest(**data)
    return data


def links(places: Iterable[tuple[Picture, list[Place]]]) -> Iterator[dict[str, Any]]:
    """A row for each place: image_id, title, words, link."""
    for picture, found in places:
        for place in found:
            if link := picture.link(place):
                row = {"image_id": picture.image_id, "title": picture.title, "words": place.words, "link": link}
                # A cell that begins like this is a formula to spreadsheets.
                yield {
                    key: f"'{value}" if str(value)[:1] in ("=", "+", "-", "@") else value for key, value in row.items()
                }


def _address(path: str, metadata: Mapping[str, Any], folder: str | None) -> str | None:
    if address := metadata.get("iiif_image"):
        return address
    if service := metadata.get("iiif_service"):
        whole = "full" if str(metadata.get("iiif_service_type", "")).startswith("ImageService2") else "max"
        return f"{service}/full/{whole}/0/default.jpg"
    if folder is None or "#" in path or "://" in path:
        return None
    return f"{folder.rstrip('/')}/{quote(path)}"


def _covered(metadata: Mapping[str, Any]) -> Box | None:
    """The part of the canvas that the picture covers, where it is not the whole."""
    try:
        x, y, width, height = (float(part) for part in str(metadata["iiif_place"]).split(","))
    except (KeyError, ValueError):
        return None
    return x, y, width, height


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
    if _is_web(about.get("rights")):
        canvas["rights"] = about["rights"]
    if _is_web(about.get("homepage")):
        label = {"none": [picture.title]}
        canvas["homepage"] = [{"id": about["homepage"], "type": "Text", "label": label, "format": "text/html"}]
    if _is_web(about.get("iiif_manifest")):
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
    if service := about.get("iiif_service"):
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


def _peaks(frame: FrameRecord, stack: MapStack, picture: Picture, peaks: Peaks) -> list[Place]:
    last = stack.layers == stack.layers.max()
    weights = stack.weights[last].mean(axis=0, dtype=np.float64)
    grid = Frame(frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols)
    seen = grid.picture_cells(picture.width, picture.height)
    uniform = 1 / weights.size if peaks.kind == "attention" else weights[seen].mean()
    left = np.where(seen & (weights > 0), weights, -np.inf)
    found = []
    while len(found) < peaks.count and np.isfinite(left.max()):
        row, col = (int(place) for place in np.unravel_index(left.argmax(), left.shape))
        times = weights[row, col] / uniform
        found.append(Place(grid.cell_box(row, col), _words(peaks, stack, len(found) + 1, times)))
        left[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = -np.inf
    return found


def _words(peaks: Peaks, stack: MapStack, rank: int, times: float) -> str:
    target = f" of {peaks.target}" if peaks.target else ""
    head = "" if stack.heads[-1] < 0 else ", mean of all heads" if peaks.head is None else f", head {peaks.head}"
    measure = "times uniform attention" if peaks.kind == "attention" else "times the mean of the map"
    map_of = f"{peaks.method}{target}, layer {stack.layers.max()}{head}, run {peaks.run_id}"
    return f"Peak {rank} of {peaks.kind}: {times:.1f} {measure} ({map_of})"


def _base(uri: str) -> str:
    return uri.removesuffix(".json").removesuffix("/manifest").rstrip("/")


def _is_web(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"https?://[^/\s]+", value) is not None
