"""Pictures out again as IIIF, from the command line: a manifest of a selection, or a table of links to places."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.errors import SourceError
from ingest.explain import image_ids
from ingest.vision.peaks import peaks as find_peaks
from store import aggregate, marks, read, sandbox, selections
from store.connection import reading
from store.counts import counted
from store.errors import SqlFailed, SqlRefused
from store.manifest import MOST, Place, csv_of, is_web, made_up, manifest, pictures_of, text_of
from store.records import RunRecord

Regions = Mapping[int, list[Place]]


def export_iiif(
    db: Path,
    file: Path,
    ids: list[int],
    uri: str | None = None,
    label: str | None = None,
    folder: str | None = None,
    peaks: marks.Peaks | None = None,
    regions: Regions | None = None,
    kept: bool = True,
    services: str | None = None,
) -> dict[str, Any]:
    """Writes the pictures with their peaks and regions: to .json a manifest, to .csv a link for each place. `uri` is
    where the manifest will lie, `folder` where the pictures of a folder lie on the web; `kept` says whether the regions
    that the database holds go out beside those of `regions`. `services` is the address of a dashboard's image service,
    https://…/iiif, for the pictures that have no other address.

    Returns counts and the paths that were left out. ValueError for another ending or address, SourceError where no
    picture is left.
    """
    if file.suffix not in (".json", ".csv"):
        raise ValueError(f"{file} should end in .json (a manifest) or .csv (links to places)")
    uri = uri or made_up(file.name)
    for address in (uri, folder, services):
        if address is not None and not is_web(address):
            raise ValueError(f"{address} is not a valid web address: it should begin with https://")
    with reading(db) as con:
        rows = {row["image_id"]: row for row in read.images(con, ids=ids).to_pylist()}
    for row in rows.values():
        row["metadata"] = json.loads(row["metadata"])
    pictures, left_out = pictures_of((rows[image_id] for image_id in ids), uri, folder, services)
    if not pictures:
        raise SourceError(
            "none of these pictures has an address on the web: say with --pictures https://… where their folder lies, "
            "or with --service https://…/iiif where a dashboard on this database answers"
        )
    places = marks.marked(db, pictures, peaks, find_peaks, kept, regions)
    if file.suffix == ".json":
        file.write_text(text_of(manifest(uri, label or file.stem, places)), encoding="utf-8")
    else:
        file.write_text(csv_of(places), encoding="utf-8-sig", newline="")
    count = sum(each.on_canvas(place) is not None for each, those in places for place in those)
    strange = sorted(set(regions or {}) - {each.image_id for each in pictures})
    counts = {"file": str(file), "uri": uri, "pictures": len(pictures), "places": count}
    return {**counts, "left_out": left_out, "regions_elsewhere": strange}


def peaks_for(
    db: Path,
    run: RunRecord,
    count: int,
    method: str | None,
    target: str,
    layer: int | None,
    head: int | None,
    accumulate: bool = True,
) -> marks.Peaks:
    """The stored maps of a run that somebody means: without a method the first that it has, without a
    layer the last, without a head the mean; of a method that accumulates, the sums if `accumulate`.

    SourceError where the run has no such maps.
    """
    from ingest.vision.attention import methods

    with reading(db) as con:
        stored = read.methods(con, run.run_id).to_pylist()
        found = next((row for row in stored if method in (None, row["method"]) and row["target"] == target), None)
        if found is None:
            has = "; ".join(f"{row['method']} of {row['target']}" if row["target"] else row["method"] for row in stored)
            wanted = " ".join(["maps", *filter(None, [method, target and f"of {target}"])])
            raise SourceError(f"run {run.run_id} has no {wanted}; it has {has or 'none'}")
        layers, heads = aggregate.levels(con, run.run_id, found["method"])
    for number, known, what in ((layer, layers, "layer"), (head, heads, "head")):
        if number is not None and number not in known:
            has = f"{known[0]} to {known[-1]}" if known else f"no {what}s"
            raise SourceError(
                f"the maps {found['method']} of run {run.run_id} have no {what} {number}; they have {has}"
            )
    entry = methods()[found["method"].partition("(")[0]]
    mean = "mean" if heads else None
    return marks.Peaks(
        count,
        run.run_id,
        found["method"],
        entry.kind,
        target,
        layers[-1] if layer is None else layer,
        mean if head is None else head,
        accumulate and entry.accumulates,
    )


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
        raise SourceError(f"{counted(len(ids), 'picture')} are more than a viewer can show: choose {MOST:,} at most")
    return ids


def read_regions(file: Path) -> dict[int, list[Place]]:
    """{image_id: places} of a CSV with the columns image_id, x0, y0, x1, y1 (pixels of the picture as the view `images`
    has it) and, if you like, note. SourceError for anything else."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
        found: dict[int, list[Place]] = {}
        for row in rows:
            x0, y0, x1, y1 = (float(row[key]) for key in ("x0", "y0", "x1", "y1"))
            found.setdefault(int(row["image_id"]), []).append(Place((x0, y0, x1, y1), (row.get("note") or "").strip()))
    except OSError as error:
        raise SourceError(f"{file} could not be read: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, csv.Error):
        raise SourceError(f"{file} must be a CSV with the columns image_id, x0, y0, x1, y1 (and note)") from None
    return found
