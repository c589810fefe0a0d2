"""Pictures behind a IIIF manifest or collection: which there are, what is said of them, and how to read each."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ingest.errors import SourceError
from ingest.sources.iiif import texts
from ingest.sources.iiif.images import SIDE
from ingest.sources.iiif.lists import addresses_in
from ingest.sources.iiif.pictures import fetch
from ingest.sources.iiif.presentation import (
    NO_PICTURE,
    About,
    Canvas,
    Collection,
    Manifest,
    NotIiif,
    Painted,
    is_image_service,
    looks_like_iiif,
    read_document,
    service_address,
)
from ingest.tables.cells import Unread, is_dated, read_cells
from ingest.tables.tabular import Sheet
from ingest.task import Task
from ingest.vision.loader import BadImage, Decoded
from ingest.web import MOST_TEXT, Refused, Web, WebError, parse_json, shown
from store.counts import counted
from store.records import StoredImage

DOCUMENTS = 50_000  # of one source
COLUMNS = 400  # of metadata: labels beyond are left out, and told
_OWN = frozenset({"title", "manifest", "canvas", "summary", "rights", "attribution", "homepage", "nav_date"})


@dataclass(frozen=True)
class IiifOptions:
    """What a user may say about a IIIF source. `side` is the shorter side of the pictures to ask for, in pixels."""

    language: str | None = None
    canvases: str = "all"
    keep: str = "thumbnails"
    side: int = SIDE
    per_second: float = 4.0
    allow_hosts: tuple[str, ...] = ()

    def open(self) -> Web:
        return Web(self.allow_hosts, self.per_second)


@dataclass
class SourceContents:
    """What a source holds: its own label, a task for each picture and one that fails for each thing that is broken,
    canvases left out with the reason, and the addresses of the manifests that were read. `more` counts pictures that
    lie on a canvas beside its first one, `repeated` canvases that several manifests show; `columns` are the columns of
    metadata, `surplus` those beyond COLUMNS, `unread` what of the dates is not understood."""

    source: str
    label: str = ""
    tasks: list[Task] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    more: int = 0
    repeated: int = 0
    columns: set[str] = field(default_factory=set)
    surplus: set[str] = field(default_factory=set)
    unread: list[Unread] = field(default_factory=list)

    def name(self, wanted: str | None) -> str:
        """What the collection is called: as the user wants, else by the label, else after the end of the address."""
        last = re.sub(r"(/manifest)?(\.jsonld|\.json)?/*([?#].*)?$", "", self.source).rpartition("/")[2]
        return wanted or self.label[:100] or last or "pictures"

    def lines(self) -> list[str]:
        """What the user is told of the source."""
        lines = [f"{counted(len(self.manifests), 'manifest')} read, {counted(len(self.tasks), 'picture')} to process"]
        lines += [f"left out {name}: {reason}" for name, reason in self.left_out[:5]]
        if len(self.left_out) > 5:
            lines.append(f"left out {counted(len(self.left_out) - 5, 'other canvas')}")
        if self.more:
            lines.append(
                f"{counted(self.more, 'further picture')} on canvases that have several: only the first is read"
            )
        if self.repeated:
            lines.append(f"{counted(self.repeated, 'picture')} met again in another manifest: each is read once")
        if self.surplus:
            labels = counted(len(self.surplus), "label")
            lines.append(f"{labels} of metadata left out: a collection has {COLUMNS} at most")
        return lines + [column.line() for column in self.unread]


def is_address(source: str) -> bool:
    """Whether a source is an address on the web."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def is_iiif(source: str) -> bool:
    """Whether a source is an address, or a file that holds a IIIF document or the addresses of some."""
    if is_address(source):
        return True
    path = Path(source).expanduser()
    if not path.is_file():
        return False
    if path.suffix.lower() not in (".json", ".jsonld"):
        return addresses_in(source) is not None
    try:
        return looks_like_iiif(_local(path))
    except (WebError, OSError):
        return False


def iiif_tasks(
    web: Web, source: str, options: IiifOptions, limit: int | None = None, log=lambda line: None
) -> SourceContents:
    """Reads a manifest, or a collection with all that it holds, and lists the pictures; none is fetched yet.

    SourceError if the source itself cannot be read. A manifest further down that cannot be read, and a canvas that
    cannot be understood, become tasks that fail and say why.
    """
    found = SourceContents(shown(source) if is_address(source) else str(Path(source).expanduser().resolve()))
    names: dict[str, Painted | None] = {}
    if listed := addresses_in(source):
        found.label = listed.name.rpartition(".")[0] or listed.name
    for number, (address, document) in enumerate(_documents(web, source), start=1):
        if number % 200 == 0:
            read = counted(number, "manifest and collection", "manifests and collections")
            log(f"{read} read, {counted(len(found.tasks), 'picture')} so far")
        if isinstance(document, Manifest | Collection) and not found.label:
            found.label = texts.chosen(document.about.label, options.language)
        if isinstance(document, Manifest):
            found.manifests.append(address)
            _add_manifest(found, names, web, address, document, options)
        elif isinstance(document, str):
            found.tasks.append(_failing(address, document))
        if limit is not None and len(found.tasks) >= limit:
            del found.tasks[limit:]
            break
        if number == DOCUMENTS:
            log(f"stopped after {DOCUMENTS:,} manifests and collections: there are more")
            break
    if not found.tasks:
        raise SourceError(f"there are no pictures in {shown(source)}{_instead(found.left_out)}")
    found.tasks, found.unread = _with_years(found.tasks)
    return found


def resumed(
    task: Task, present: StoredImage | None, metadata: Callable[[str, Mapping, Mapping], dict[str, Any]]
) -> Task:
    """The task beside what the collection holds under its name (a row of `read.known`): with all metadata, as the
    function `metadata` makes it of the name, what is stored and what the manifest says, and, where the stored picture
    is still the same one, with its length, so that it counts as unchanged."""
    same = present is not None and all(present.metadata.get(key) == task.metadata.get(key) for key in _PICTURE_KEYS)
    size, modified = (present.bytes, present.modified) if same else (task.bytes, task.modified)
    stored = {key: value for key, value in present.metadata.items() if not key.startswith("iiif_")} if present else {}
    return replace(task, bytes=size, modified=modified, metadata=metadata(task.name, stored, task.metadata))


def with_pictures(
    tasks: Iterable[Task], known: Mapping[str, tuple], sizes: Mapping[str, tuple], web: Web
) -> list[Task]:
    """Those of the stored pictures that came from the web, made to be asked for again in the size that was looked at.
    `known` and `sizes` are what `store.read` says of their collection."""
    return [
        replace(
            task,
            read=partial(fetch, web, _painted_of(known[task.name][4]), min(sizes[task.name][:2]), 1.0),
            keep=sizes[task.name][2],
        )
        for task in tasks
        if task.name in sizes
    ]


_PICTURE_KEYS = ("iiif_service", "iiif_image", "iiif_region", "iiif_rotation")


def _painted_of(metadata: Mapping[str, Any]) -> Painted:
    service, address, region, rotation = (metadata.get(key) for key in _PICTURE_KEYS)
    return Painted(address or "", service, region or "full", rotation=rotation or "0")


def _documents(web: Web, source: str) -> Iterator[tuple[str, Manifest | Collection | str]]:
    """(address, document) of everything that the source leads to, each once, in the order of the lists; in place of
    what could not be read the reason."""
    listed = addresses_in(source)
    if listed is not None:
        for number, line in listed.bad:
            yield listed.name_of(number), f"Line {number} of {listed.name} is not a valid web address: {line}."
    waiting, seen = deque(listed.good if listed else [source]), set()
    read: dict[str, Manifest | Collection] = {}
    while waiting:
        address = waiting.popleft()
        if address.partition("#")[0] in seen:
            continue
        seen.add(address.partition("#")[0])
        try:
            document = _document(web, address)
        except (WebError, NotIiif, OSError) as error:
            if address == source:
                if inside := _viewed(source):
                    raise SourceError(f"{shown(source)} shows a manifest; give its own address: {inside}") from None
                problem = WebError if isinstance(error, WebError) and not isinstance(error, Refused) else SourceError
                raise problem(f"{shown(source)} could not be read: {error}") from None
            yield address, f"The manifest could not be read: {error}{listed.line_of(address) if listed else ''}."
            continue
        known = read.get(document.uri)
        if known == document or (known and isinstance(document, Collection)):
            continue  # the same under another address; a manifest may only have borrowed its name
        read[document.uri] = document
        yield address, document
        if isinstance(document, Collection):
            waiting.extendleft(reversed(document.members))


def _document(web: Web, address: str) -> Manifest | Collection:
    if is_address(address):
        data, address = web.json(address)
    else:
        path = Path(address).expanduser().resolve()
        data, address = _local(path), path.as_uri()
    if is_image_service(data):
        service = service_address(address)
        canvas = Canvas(service, About(), painted=Painted("", service))
        return Manifest(service, About(), (canvas,))
    return read_document(data, shown(address))


def _viewed(address: str) -> str | None:
    """The address of the manifest that a viewer shows, where it stands in the viewer's own."""
    parts = urlsplit(address)
    asked = parse_qs(parts.query) | parse_qs(parts.fragment.lstrip("?!/"))
    found = (asked[key][0] for key in ("iiif-content", "manifest", "iiifManifestId") if key in asked)
    return next((shown(each) for each in found if re.match(r"https?://", each)), None)


def _local(path: Path) -> Any:
    with open(path, "rb") as file:
        data = file.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise WebError(f"{path.name} has more than the {MOST_TEXT / 2**20:.0f} MB that are read of a manifest")
    return parse_json(data, path.name)


def _add_manifest(
    found: SourceContents,
    names: dict[str, Painted | None],
    web: Web,
    address: str,
    manifest: Manifest,
    options: IiifOptions,
) -> None:
    canvases = manifest.canvases
    if options.canvases == "first":
        canvases = next(((canvas,) for canvas in canvases if canvas.fault != NO_PICTURE), canvases[:1])
    for number, canvas in enumerate(canvases, start=1):
        name = _own_name(names, canvas, (manifest.uri, address), number)
        if name is None:
            found.repeated += 1
            continue
        names[name] = canvas.painted
        if canvas.fault == NO_PICTURE or canvas.fault.startswith("it shows "):
            found.left_out.append((name, canvas.fault))
        elif canvas.painted is None:
            found.tasks.append(_failing(name, f"{canvas.fault[0].upper()}{canvas.fault[1:]}."))
        else:
            found.more += canvas.more
            metadata = _with_given(found, _metadata(manifest, canvas, canvas.painted, options.language))
            read = partial(fetch, web, canvas.painted, options.side)
            keep = options.keep == "thumbnails"
            found.tasks.append(Task(Path(name), name, -1, 0.0, metadata, read, keep=keep))


def _own_name(names: Mapping[str, Painted | None], canvas: Canvas, manifests: Iterable[str], number: int) -> str | None:
    """What a canvas's picture is called: as its canvas, or, where another picture has that name, since manifests use
    the same ones, by its manifest and its place there. None for a picture that is there already."""
    others = (f"{uri.partition('#')[0]}#canvas={number}" for uri in manifests)
    for name in (canvas.uri, *others):
        if name not in names:
            return name
        if names[name] == canvas.painted:
            return None
    return None


def _metadata(manifest: Manifest, canvas: Canvas, painted: Painted, language: str | None) -> dict[str, Any]:
    """The columns of one picture: what manifest and canvas say, and where it came from."""
    about, page, place = manifest.about, canvas.about, canvas.place
    whole, part = texts.chosen(about.label, language), texts.chosen(page.label, language)
    alone = len(manifest.canvases) == 1
    columns: dict[str, Any] = {
        "title": whole or part if alone else ", ".join(filter(None, (whole, part))),
        **texts.columns("manifest", about.label, language),
        **texts.columns("canvas", page.label, language),
    }
    columns |= texts.columns_of_pairs((*about.pairs, *page.pairs), language, _is_taken)
    columns |= texts.columns("summary", page.summary or about.summary, language)
    columns |= texts.columns("attribution", page.attribution or about.attribution, language)
    columns |= {
        "rights": page.rights or about.rights,
        "homepage": page.homepage or about.homepage,
        "nav_date": page.date or about.date,
        "iiif_manifest": manifest.uri,
        "iiif_canvas": canvas.uri,
        "iiif_service": painted.service,
        "iiif_service_type": painted.service_type,
        "iiif_image": painted.address,
        "iiif_region": painted.region if painted.region != "full" else None,
        "iiif_rotation": painted.rotation if painted.rotation.strip("!0.") or "!" in painted.rotation else None,
        "iiif_canvas_width": canvas.width,
        "iiif_canvas_height": canvas.height,
        "iiif_place": ",".join(f"{number:g}" for number in place) if place else None,
    }
    return {name: value for name, value in columns.items() if value}


def _is_taken(name: str) -> bool:
    return name.casefold() in _OWN or name.casefold().startswith("iiif_")


def _with_given(found: SourceContents, metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata without columns beyond COLUMNS of the whole source; our own always stay."""
    for name in metadata:
        ours = name in _OWN or name.startswith("iiif_")
        if name not in found.columns:
            (found.columns if ours or len(found.columns) < COLUMNS else found.surplus).add(name)
    return {name: value for name, value in metadata.items() if name in found.columns}


def _with_years(tasks: list[Task]) -> tuple[list[Task], list[Unread]]:
    """The tasks with their dates as years beside them, as the tables of folders have them: Date, Date_from, Date_to;
    and what of the dates is not understood."""
    columns = {name for task in tasks for name in task.metadata if is_dated(name)} - _OWN
    names = sorted(name for name in columns if not name.startswith("iiif_"))
    if not names:
        return tasks, []
    cells, unread = read_cells(Sheet(names, [[str(task.metadata.get(name, "")) for name in names] for task in tasks]))
    years = ({name: cell for name, cell in row.items() if cell and name not in columns} for row in cells)
    return [replace(task, metadata=task.metadata | found) for task, found in zip(tasks, years, strict=True)], unread


def _failing(name: str, reason: str) -> Task:
    return Task(Path(name), name, -1, 0.0, read=partial(_complain, reason))


def _complain(reason: str) -> Decoded:
    raise BadImage(reason)


def _instead(left_out: list[tuple[str, str]]) -> str:
    return f": {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
