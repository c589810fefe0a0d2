"""What the canvas of the map asks the server for, besides thumbnails. No Streamlit: any thread may ask."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dashboard.compute import arrangements, clusters, words
from dashboard.compute.arrangements import ARRANGEMENTS, Arrangement, Dated
from dashboard.compute.arrangements.years import range_column
from dashboard.compute.typical import TypicalTerm, typical_terms
from store import atlas, connection, labelled, read, tags, vectors, vocabularies
from store import clusters as stored
from store.atlas import Layout
from store.facets import TAG
from store.keywords import divided, parts_of

FORMAT = 4  # of what is sent: a browser keeps what it has for ever, so another format needs another address
UNDATED = "without a date"
CLUSTER = "map cluster"  # among the names of columns, what is no column: the clusters of the projection itself


@dataclass(frozen=True)
class LayoutOptions:
    """How to lay pictures out: 'projection' as they are, 'grid', or by a column 'time', 'scale' or
    'groups'; by clusters at a `level`."""

    layout: str = "projection"
    by: str = ""
    level: int | None = None

    @property
    def query(self) -> dict[str, str]:
        """What the address of the points says of it."""
        level = "" if self.level is None or self.by != CLUSTER else str(self.level)
        document = {"layout": self.layout, "by": self.by, "level": level}
        return {} if self.layout == "projection" else {name: value for name, value in document.items() if value}


def points(
    path: Path, projection_id: int, layout_options: LayoutOptions | None = None, names: Mapping[int, str] | None = None
) -> bytes | None:
    """A projection, or what is made of it, as the canvas reads it; None if there is no such projection or column.
    `names` are those of the clusters, for blocks of them."""
    found = placed(path, projection_id, layout_options, names)
    return None if found is None else packed(*found)


def placed(
    path: Path, projection_id: int, layout_options: LayoutOptions | None = None, names: Mapping[int, str] | None = None
) -> tuple[Layout, Arrangement | None] | None:
    """The same as it is before it is packed: the projection, and what is made of it, None for itself."""
    with connection.reading(path, wait=2.0) as con:
        layout = atlas.layout(con, projection_id)
        if layout is None or layout_options is None or layout_options.layout == "projection":
            return (layout, None) if layout else None
        values = values_of(con, projection_id, layout, layout_options, names or {})
    return None if values is None else (layout, arranged(layout, layout_options, *values))


def values_of(
    con, projection_id: int, layout: Layout, layout_options: LayoutOptions, names: Mapping[int, str]
) -> tuple[Sequence[Any], str] | None:
    """What a layout by a column goes by, for each picture, and its kind; None if there is no such column or layout."""
    if layout_options.layout not in ARRANGEMENTS or (layout_options.layout == "grid") == bool(layout_options.by):
        return None
    if layout_options.layout == "grid":
        return (), ""
    if layout_options.by == CLUSTER:
        found = stored.clusters(con, projection_id, layout_options.level)
        if found is None or layout_options.layout != "groups":
            return None
        return [names.get(number) for number in found.among(layout.ids).tolist()], "text"
    if layout_options.layout == "time" and (dated := ranges_of(con, layout.ids, layout_options.by)) is not None:
        return dated, "number"
    found = atlas.values(con, layout.ids, layout_options.by)
    if found is None and layout_options.layout == "groups" and layout_options.by == TAG:
        return [tuple(each) or None for each in tags.of(con, layout.ids)["tags"].to_pylist()], "text"
    if found is None and layout_options.layout == "groups":
        return labels_of(con, projection_id, layout.ids, layout_options.by)
    separator = read.list_columns(con).get(layout_options.by)
    if found is None or separator is None:
        return found
    return [parts_of(text, separator) or None for text in found[0]], "text"


def labels_of(con, projection_id: int, ids: np.ndarray, by: str) -> tuple[Sequence[Any], str] | None:
    """The terms that pictures are labelled with of a vocabulary of the projection's run, a tuple each and None where
    there is none; None if the run has no such column."""
    run_id = labelled.run_of_projection(con, projection_id)
    vocabulary = None if run_id is None else labelled.columns(con, run_id).get(by)
    if run_id is None or vocabulary is None:
        return None
    terms = labelled.terms(con, run_id, vocabulary)
    return [terms.get(image) or None for image in ids.tolist()], "text"


def ranges_of(con, ids: np.ndarray, by: str) -> list[Dated] | None:
    """Where pictures lie on a time line by a column of dates that has years beside it, `date` (the middle of each
    range), or by one of these, `date_from` and `date_to`; by the other one where only that is known, as of "before
    1750". None for other columns."""
    kinds = read.metadata_columns(con)
    name = range_column(by, kinds)
    if name is None:
        return None
    lows, highs = (atlas.values(con, ids, f"{name}{end}") for end in ("_from", "_to"))
    if lows is None or highs is None:
        return None
    return [_dated(low, high, by.removeprefix(name)) for low, high in zip(lows[0], highs[0], strict=True)]


def _dated(low: float | None, high: float | None, end: str) -> Dated:
    if low is None or high is None:
        return Dated(high if low is None else low, (0 if high is None else -1) if low is None else 1)
    at = {"_from": low, "_to": high}.get(end, (low + high) / 2)
    return Dated(at, 0, *sorted((low, high)))  # some tables have them the other way round


def arranged(layout: Layout, layout_options: LayoutOptions, values: Sequence[Any], kind: str) -> Arrangement:
    """The pictures of a layout in other places."""
    if layout_options.layout == "grid":
        return arrangements.grid(layout.xy)
    if layout_options.layout == "time":
        return arrangements.timeline(layout.xy, values, kind, UNDATED)
    none = "in no cluster" if layout_options.by == CLUSTER else f"no {layout_options.by}"
    if layout_options.layout == "scale":
        return arrangements.timeline(layout.xy, values, kind, none)
    return arrangements.groups(layout.xy, values, none)


def version(layout: Layout, values: Sequence[Any] = ()) -> str:
    """A word that changes with the layout, with the values that it is arranged by, and with the format."""
    document = json.dumps([FORMAT, layout.version, list(map(str, values))], ensure_ascii=False)
    return hashlib.sha256(document.encode(errors="replace")).hexdigest()[:12]


def packed(layout: Layout, arrangement: Arrangement | None = None) -> bytes:
    """n and whether there are places, int32 each; then n of each, little-endian: ids float64, x, y and the logarithm to
    base 2 of width by height, float32, places int32. After an arrangement its blocks and its axis as JSON."""
    ratio = np.log2(np.maximum(layout.sizes[:, 0], 1) / np.maximum(layout.sizes[:, 1], 1))
    xy = layout.xy if arrangement is None else arrangement.xy
    head = np.array([len(layout.ids), layout.places is not None], dtype="<i4")
    parts = [head, layout.ids.astype("<f8"), xy[:, 0].astype("<f4"), xy[:, 1].astype("<f4")]
    parts += [ratio.astype("<f4")] + ([] if layout.places is None else [layout.places.astype("<i4")])
    data = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return data if arrangement is None else data + _notes(arrangement)


def _notes(arrangement: Arrangement) -> bytes:
    """The side of the square cell that each picture has, the blocks, the axis, the open ends [number,
    side], and from where to where on x each picture may lie, float32, in base64."""
    axis = arrangement.axis and vars(arrangement.axis)
    document: dict[str, Any] = {"cell": 1, "blocks": [vars(block) for block in arrangement.blocks], "axis": axis}
    if arrangement.open is not None:
        document["open"] = [[int(place), int(arrangement.open[place])] for place in np.flatnonzero(arrangement.open)]
    if arrangement.spans is not None:
        document["spans"] = base64.b64encode(arrangement.spans.astype("<f4").tobytes()).decode()
    return json.dumps(document, ensure_ascii=False, default=float).encode(errors="replace")


@dataclass(frozen=True)
class Outlines:
    """The clusters of a projection: `of` (n,) int16, the cluster of each picture of its layout, 0 for none, and the
    groups, largest first. Read-only."""

    of: np.ndarray
    groups: Sequence[clusters.Group]

    def document(self) -> bytes:
        """JSON as the canvas takes it: `of` in base64, and `groups` as `dashboard.compute.clusters.Group` has them."""
        of = base64.b64encode(self.of.astype("<i2").tobytes()).decode()
        groups = [vars(group) for group in self.groups]
        return json.dumps({"of": of, "groups": groups}, ensure_ascii=False, default=float).encode(errors="replace")


def outlines(path: Path, projection_id: int, level: int | None = None) -> bytes | None:
    """The clusters of a projection at a level, the chosen one for None, as `Outlines.document` says them; None if
    none have been computed."""
    with connection.reading(path, wait=2.0) as con:
        found = stored.clusters(con, projection_id, level)
    outlined = None if found is None else find_outlines(path, projection_id, found)
    return None if outlined is None or found is None else labelled_outlines(outlined, found).document()


def find_outlines(path: Path, projection_id: int, found: stored.Clusters) -> Outlines | None:
    """The outlines and names of these clusters, whatever people call them."""
    with connection.reading(path, wait=2.0) as con:
        layout, run_id = atlas.layout(con, projection_id), read.projection_run(con, projection_id)
        if layout is None or run_id is None:
            return None
        table = divided(read.catalogue(con, ids=layout.ids.tolist()).to_pandas(), read.list_columns(con))
        kinds = read.metadata_columns(con)
        centres = read.images(con, ids=sorted(found.centres.values())).to_pylist() if found.centres else []
    of = found.among(layout.ids)
    table = table.set_index("image_id").reindex(layout.ids)
    titles = {each["image_id"]: each["title"] for each in centres}
    terms = partial(_terms, path, run_id, found, layout.ids)
    return Outlines(of, clusters.groups(layout.xy, of, found.centres, table, kinds, terms, titles))


def labelled_outlines(outlined: Outlines, found: stored.Clusters) -> Outlines:
    """The same with the names and colours that people gave."""

    def labelled(group: clusters.Group) -> clusters.Group:
        own, colour = found.names.get(group.number), found.colours.get(group.number, "")
        if own:
            return replace(group, name=own, vocabulary="", colour=colour)
        return replace(group, colour=colour)

    return Outlines(outlined.of, [labelled(group) for group in outlined.groups])


def _terms(path: Path, run_id: int, found: stored.Clusters, ids: np.ndarray) -> dict[int, TypicalTerm]:
    """The terms of the run's vocabularies that are typical of the clusters of these images."""
    with connection.reading(path, wait=2.0) as con:
        names = [each.name for each in vocabularies.vocabularies(con, run_id)]
        scored = {name: vocabularies.term_vectors(con, run_id, name) for name in names}
    if not scored:
        return {}
    of_run, matrix = vectors.vectors(path, run_id)
    laid_out = np.isin(of_run, ids)
    matrix = matrix if laid_out.all() else matrix[laid_out]
    return typical_terms(matrix, found.among(of_run[laid_out]), scored)


def page(path: Path, collection_id: int, version: str, cell: int, number: int) -> bytes | None:
    """The JPEG of an atlas page; None if there is none of this version."""
    with connection.reading(path, wait=2.0) as con:
        return atlas.page(con, collection_id, version, cell, number)


def about(path: Path, image_id: int) -> bytes | None:
    """Title and caption of a picture as JSON; None if there is no such picture."""
    if image_id >= 2**63:
        return None  # no BIGINT
    with connection.reading(path, wait=2.0) as con:
        found = read.images(con, ids=[image_id]).to_pylist()
    if not found:
        return None
    title = found[0]["title"]
    document = {"title": title, "caption": words.caption(json.loads(found[0]["metadata"] or "{}"), title)}
    return json.dumps(document, ensure_ascii=False).encode()
