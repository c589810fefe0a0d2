"""All that the pages know of the database, and the only file that keeps any of it in memory.

Every answer is remembered under the database's path and change token, so that what a running ingest adds appears at
the next rerun and nothing is asked twice before. Tables come as pandas data frames, cheap copies of what is shared.
Each function raises the StoreErrors of `store`; the router turns them into a page.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st
from PIL import Image

from dashboard import layouts, words
from dashboard.thumbnails import Thumbnails
from ingest.vision import loader, originals
from store import aggregate, atlas, connection, errors, facets, heads, read, sandbox, selections, vectors
from store import clusters as cluster_store
from store import tags as tag_store
from store.records import FrameRecord, MapStack

CONDITION_SECONDS = 10.0  # that a typed condition may take
SIDE = 2048  # of a picture to draw on, in pixels: more than a screen shows, less than a scan weighs
T = TypeVar("T")

# ---- which database, run and image the person looks at ----------------------------------------------------------


def databases() -> list[Path]:
    """The databases one may choose from: the default one and its neighbours. Never empty; the first may be missing."""
    default = connection.default_path()
    others = [path for path in _neighbours(str(default.parent)) if path.name != default.name]
    if default.exists() or "BILDERATLAS_DB" in os.environ or not others:
        return [default, *others]
    return others


def database(name: str | None) -> Path | None:
    """The database of this file name (None: the first), or None if it is not one that may be chosen."""
    return next((path for path in databases() if name is None or path.name == name), None)


def db() -> Path:
    """The database in view."""
    return database(st.session_state.get("db")) or databases()[0]


def current_run() -> dict[str, Any] | None:
    """The run in view as `store.read.run` gives it (settings and versions as dicts), or None."""
    run_id = st.session_state.get("run")
    return None if run_id is None else run(int(run_id))


def current_image() -> int | None:
    """The id of the image in view, or None."""
    image_id = st.session_state.get("image")
    return None if image_id is None else int(image_id)


# ---- tables ---------------------------------------------------------------------------------------------------------


def collections() -> pd.DataFrame:
    """collection_id, name, source, images, failures, created_at."""
    return _ask("collections")


def images(collection: str | None = None) -> pd.DataFrame:
    """image_id, collection, path, width, height, metadata (dict), title, caption, alt, version; indexed by image_id."""
    return _images(str(db()), connection.state(db()), collection).copy(deep=False)


def images_text() -> pd.Series:
    """What of each image can be searched for: its title, caption and path in small letters, by image_id."""
    return _images_text(str(db()), connection.state(db()))


def image(image_id: int) -> dict[str, Any] | None:
    """One row of `images` as a dict."""
    found = images()
    return found.loc[image_id].to_dict() if image_id in found.index else None


def items(image_ids: Iterable[int], captions: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    """What `components.gallery` shows for these images, in their order; unknown ids are left out."""
    known, captions = images(), captions or {}
    ids = [int(i) for i in image_ids if i in known.index]
    rows = known.loc[ids]
    return [
        {
            "image_id": i,
            "title": title,
            "caption": captions.get(i, caption),
            "alt": alt,
            "src": _url(i, version),
        }
        for i, title, caption, alt, version in zip(
            ids, rows["title"], rows["caption"], rows["alt"], rows["version"], strict=True
        )
    ]


def catalogue(collection: str | None = None) -> pd.DataFrame:
    """image_id, collection, path and a typed column for each metadata key."""
    return _ask("catalogue", collection=collection)


def metadata_columns(collection: str | None = None) -> dict[str, str]:
    """{column: 'number', 'date' or 'text'}."""
    return dict(_ask("metadata_columns", collection=collection))


def labels(column: str, image_ids: Sequence[int]) -> list[frozenset[str]]:
    """The values of each image in a column of the catalogue as text, or its tags for the column `tag`."""
    return _ask("labels", column=column, ids=_tuple(image_ids))


def runs(collection: str | None = None) -> pd.DataFrame:
    """The view `runs` and images, how many have a feature."""
    return _ask("runs", collection=collection)


def run(run_id: int) -> dict[str, Any] | None:
    """One run as a dict, settings and versions as dicts; None if there is no such run."""
    found = _ask("run", run_id=run_id)
    return found and {**found, "title": found["settings"].get("title") or found["backbone"]}


def frame(run_id: int, image_id: int) -> FrameRecord | None:
    """What of the image the run's network saw."""
    return _ask("frame", run_id=run_id, image_id=image_id)


def methods(run_id: int) -> pd.DataFrame:
    """method, target, maps (how many are stored)."""
    return _ask("methods", run_id=run_id)


def head_stats(run_id: int, image_id: int | None = None) -> pd.DataFrame:
    """The view `head_stats` of a run, or of one image in it."""
    return _ask("head_stats", run_id=run_id, image_id=image_id)


def outliers(run_id: int, image_id: int) -> float | None:
    """The share of an image's patch tokens with an abnormal norm, where it is known."""
    return _ask("outliers", run_id=run_id, image_id=image_id)


def predicted_class(run_id: int, image_id: int) -> int | None:
    """The class that a run's classifier thinks likeliest for an image, where it has been asked."""
    return _ask("predicted_class", run_id=run_id, image_id=image_id)


def projections(run_id: int | None = None) -> pd.DataFrame:
    """projection_id, run_id, method, settings (JSON text), points, created_at."""
    return _ask("projections", run_id=run_id)


def points(projection_id: int) -> pd.DataFrame:
    """image_id, x, y."""
    return _ask("points", projection_id=projection_id)


def layout(projection_id: int) -> atlas.Layout | None:
    """A projection in the order in which the canvas of the map takes its pictures; None without points. Read-only."""
    return _ask("layout", atlas, projection_id=projection_id)


def clusters(projection_id: int) -> cluster_store.Clusters | None:
    """The clusters of a projection; None if nobody has looked for any. Read-only."""
    return _ask("clusters", cluster_store, projection_id=projection_id)


def failures(collection: str | None = None) -> pd.DataFrame:
    """collection, path, stage, error, at."""
    return _ask("failures", collection=collection)


def nearest(run_id: int, image_id: int, k: int) -> pd.DataFrame:
    """image_id, similarity (cosine, best first, the image itself left out); no rows for an image without a feature."""
    ids, matrix = features(run_id)
    place = int(np.searchsorted(ids, image_id))
    if place == len(ids) or ids[place] != image_id:
        return _scored(ids[:0], np.empty(0, np.float32))
    return _scored(*vectors.nearest(ids, matrix, matrix[place], k, ids != image_id))


# ---- heads over many images: ids (n,) int64, None all of the run -----------------------------------------------


def head_statistics(run_id: int) -> list[str]:
    """The statistics of heads that this run has, `importance` among them."""
    return list(_ask("statistics", heads, run_id=run_id))


def head_targets(run_id: int) -> list[str]:
    """What the importances of this run's heads are importances for."""
    return list(_ask("targets", heads, run_id=run_id))


def head_means(run_id: int, statistic: str, target: str = "", ids: np.ndarray | None = None) -> pd.DataFrame:
    """layer, head, mean, spread (standard deviation over the images), images (how many)."""
    return _ask("means", heads, run_id=run_id, statistic=statistic, target=target, ids=ids)


def head_peaks(run_id: int, layer: int, head: int, k: int, ids: np.ndarray | None = None) -> pd.DataFrame:
    """The k images in which a head gives one patch most: image_id, peak, x0, y0, x1, y1, rows, cols of the frame."""
    return _ask("peaks", heads, run_id=run_id, layer=layer, head=head, k=k, ids=ids)


def head_methods(run_id: int) -> pd.DataFrame:
    """method, target, images: the stored maps that belong to single heads."""
    return _ask("methods", heads, run_id=run_id)


def head_maps(head: heads.Head, ids: Sequence[int]) -> dict[int, np.ndarray]:
    """One head's maps of some images: {image_id: weights (rows, cols)}. Read-only."""
    return _ask("maps", heads, head=head, ids=_tuple(ids))


def head_mean_map(head: heads.Head, ids: np.ndarray | None = None) -> heads.MeanMap | None:
    """The mean of one head's maps. Read-only."""
    return _ask("mean_map", heads, head=head, ids=ids)


def head_likeness(run_id: int, method: str, ids: np.ndarray | None = None) -> heads.Likeness | None:
    """How alike all heads of a run look. Read-only."""
    return _ask("likeness", heads, run_id=run_id, method=method, ids=ids)


def head_names(run_id: int) -> pd.DataFrame:
    """layer, head, name, note, created_at: what people called the heads."""
    return _ask("names", heads, run_id=run_id)


def name_head(run_id: int, layer: int, head: int, name: str, note: str) -> None:
    """Store a head's name and note; forget it if both are empty. Waits some seconds for others to finish."""
    with connection.writing(db(), wait=8.0) as con:
        heads.set_name(con, run_id, layer, head, name, note)


# ---- choosing images by metadata --------------------------------------------------------------------------------


def grouping(collection: str) -> list[str]:
    """The metadata columns that group images: not those in which nearly every image has a text of its own."""
    return list(_ask("grouping", facets, collection=collection))


def facet_columns(collection: str) -> dict[str, str]:
    """{column: 'number', 'date' or 'text'} of all that images can be chosen by: their metadata, and their tags."""
    return dict(_ask("columns", facets, collection=collection))


def categories(collection: str, column: str, search: str = "", also: Sequence[str] = ()) -> facets.Categories:
    """The most frequent values of a column that hold the text `search`, and those of `also`."""
    return _ask("categories", facets, collection=collection, column=column, search=search, also=tuple(also))


def spread(collection: str, column: str) -> facets.Spread | None:
    """How the numbers or dates of a column lie."""
    return _ask("spread", facets, collection=collection, column=column)


def statement(collection: str, conditions: Iterable[facets.Condition], condition: str = "") -> str:
    """SQL for the images that `matching` finds, those among them for which somebody's own condition holds."""
    return _ask("statement", facets, collection=collection, conditions=tuple(conditions), condition=condition)


def matching(collection: str, conditions: Iterable[facets.Condition]) -> np.ndarray:
    """The ids (n,) int64, ascending, of the images for which all these conditions hold. Read-only."""
    return _matching(str(db()), connection.state(db()), collection, tuple(conditions))


def satisfying(condition: str) -> np.ndarray:
    """The ids (n,) int64, ascending, of the images for which a person's own SQL condition on the catalogue holds.
    Read-only. Raises SqlRefused, SqlFailed or SqlTimeout, the second time at once."""
    found = _satisfying(str(db()), connection.state(db()), condition)
    if isinstance(found, errors.StoreError):
        raise type(found)(str(found))
    return found


# ---- groups of images ---------------------------------------------------------------------------------------------


def map_levels(run_id: int, method: str) -> tuple[list[int], list[int]]:
    """The layers and the heads of which this method has maps; no heads where its maps belong to none."""
    return _ask("levels", aggregate, run_id=run_id, method=method)


def group_maps(
    run_id: int, ids: np.ndarray, method: str, target: str | None, layer: int, head: aggregate.Head
) -> aggregate.GroupMaps:
    """One map of each of these images (ids (n,) int64), as `store.aggregate.group_maps` gives them. Read-only."""
    return _group_maps(str(db()), connection.state(db()), run_id, ids.tobytes(), method, target, layer, head)


def frames(run_id: int) -> pd.DataFrame:
    """image_id, x0, y0, x1, y1, rows, cols, width, height (of the original) of each image that the run has seen."""
    return _ask("frames", aggregate, run_id=run_id)


def thumbnails(image_ids: Iterable[int]) -> dict[int, bytes]:
    """The JPEGs of those images that have one. Remembers nothing."""
    with connection.reading(db()) as con:
        return read.thumbnails(con, image_ids)


# ---- tags and selections of people: ids (n,) int64; what writes waits some seconds for others to finish -----------


def tags(collection: str) -> pd.DataFrame:
    """tag, images: every tag in use in a collection, by name."""
    return _ask("known", tag_store, collection=collection)


def tags_among(ids: np.ndarray) -> pd.DataFrame:
    """tag, images, notes (list of texts) of the tags that these images have, the commonest first."""
    return _ask("among", tag_store, ids=ids)


def tags_of(ids: np.ndarray) -> pd.DataFrame:
    """image_id, tags (list of texts), a row for each of the images in their order."""
    return _ask("of", tag_store, ids=ids)


def tagged(tag: str, collection: str) -> np.ndarray:
    """The images of a collection with a tag, ascending. Read-only."""
    return _ask("images", tag_store, tag=tag, collection=collection)


def add_tags(ids: np.ndarray, tags: Sequence[str], note: str) -> int:
    """Give images tags; says how many pairs of image and tag are new."""
    with connection.writing(db(), wait=8.0) as con:
        return tag_store.add(con, ids, tags, note)


def note_tag(ids: np.ndarray, tag: str, note: str) -> None:
    """Change the note that images have with a tag."""
    with connection.writing(db(), wait=8.0) as con:
        tag_store.set_note(con, ids, tag, note)


def remove_tag(ids: np.ndarray, tag: str) -> None:
    """Take a tag from images."""
    with connection.writing(db(), wait=8.0) as con:
        tag_store.remove(con, ids, tag)


def saved_selections(collection: str) -> pd.DataFrame:
    """selection_id, name, note, images, created_at of the selections that are kept, by name."""
    return _ask("saved", selections, collection=collection)


def selection_members(collection: str, name: str) -> np.ndarray | None:
    """The images of a selection that is kept, ascending; None if there is none of this name. Read-only."""
    return _ask("members", selections, collection=collection, name=name)


def save_selection(collection: str, name: str, ids: np.ndarray, note: str, replace: bool = False) -> None:
    """Keep images by a name; StoreError if it is taken and may not be replaced."""
    with connection.writing(db(), wait=8.0) as con:
        selections.save(con, collection, name, ids, note, replace)


def rename_selection(collection: str, name: str, to: str, note: str) -> None:
    """Give a selection that is kept another name and note."""
    with connection.writing(db(), wait=8.0) as con:
        selections.rename(con, collection, name, to, note)


def delete_selection(collection: str, name: str) -> None:
    """Forget a selection that is kept."""
    with connection.writing(db(), wait=8.0) as con:
        selections.delete(con, collection, name)


# ---- arrays and pictures ---------------------------------------------------------------------------------------


def maps(
    run_id: int,
    image_id: int,
    method: str,
    target: str = "",
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
) -> MapStack | None:
    """The stored maps of one image, weights (m, rows, cols) float32; None if there are none. Read-only."""
    chosen = (_tuple(layers), _tuple(heads))
    return _maps(str(db()), connection.state(db()), run_id, image_id, method, target, *chosen)


def features(run_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Image ids (n,) and their L2-normalised vectors (n, dim) float32. Read-only."""
    return _features(str(db()), connection.state(db()), run_id)


def nearest_to(run_id: int, vector: np.ndarray, k: int, among: np.ndarray | None = None) -> pd.DataFrame:
    """The images most like a vector (dim,): image_id, similarity (cosine, best first). `among` (n,) bool leaves only
    some of `features` in question. Remembers nothing."""
    return _scored(*vectors.nearest(*features(run_id), vector, k, among))


def query(sql: str, seconds: float = 10.0, rows: int = 1000) -> sandbox.Answer:
    """A person's own SQL in the sandbox. Remembers nothing. Raises SqlRefused, SqlFailed or SqlTimeout."""
    return sandbox.query(db(), sql, seconds=seconds, rows=rows)


def picture(image_id: int) -> tuple[Image.Image, bool] | None:
    """The upright picture in RGB, and whether it is the original, which is kept at SIDE pixels at most. It is the
    thumbnail where the original is gone or has another size than was ingested; None where there is neither.
    """
    return _picture(str(db()), connection.state(db()), image_id)


def backbone(run: Mapping[str, Any]) -> Any:
    """The network of a run, ready to compute: `ingest.vision.backbones.load_for_run`. Loaded once, shared by all."""
    return _backbone(json.dumps(run["settings"], sort_keys=True))


def remembered(make: Callable[[], T], *key: Any) -> T:
    """What `make` returns, kept for as long as the database and `key` are the same. Shared by all: read-only."""
    return _remembered(str(db()), connection.state(db()), key, make)


def looked(make: Callable[[], T], *key: Any) -> T:
    """What `make` finds by letting a network look, kept while the database and `key` stay. Shared: read-only."""
    return _looked(str(db()), connection.state(db()), key, make)


# ---- thumbnails -------------------------------------------------------------------------------------------------


def thumb_url(image_id: int) -> str:
    """The address of an image's thumbnail, for a browser to keep for ever: another picture has another address."""
    known = images()
    return _url(image_id, known.at[image_id, "version"] if image_id in known.index else "0")


def pictures_version(collection: str) -> str:
    """A short word that changes whenever a picture of the collection does, or what is said of one."""

    def make() -> str:
        known = images(collection)
        parts = (known[name].astype(str) for name in ("image_id", "version", "title", "caption"))
        return hashlib.sha256("\n".join("\n".join(part) for part in parts).encode(errors="replace")).hexdigest()[:12]

    return remembered(make, "pictures", collection)


def version() -> str:
    """A short word that changes whenever the database in view does."""
    return hashlib.sha256(connection.state(db()).encode()).hexdigest()[:12]


def route(path: str, version: str, **query: str) -> str:
    """The address of one of the routes of dashboard/app.py for the database in view."""
    chosen = db()
    which = query if chosen == databases()[0] else query | {"db": chosen.name}
    said = "".join(f"&{name}={quote(text, safe='')}" for name, text in which.items())
    return f"{_base()}{path}?v={version}{said}"


def points_route(projection_id: int, wish: layouts.Wish) -> str | None:
    """The address of the points of a projection laid out as wished; None if there is no such layout of it."""

    def make() -> str | None:
        pictures = layout(projection_id)
        names = cluster_names(projection_id) if wish.by == layouts.CLUSTER else {}
        with connection.reading(db()) as con:
            values = layouts.values_of(con, projection_id, pictures, wish, names)
        return None if values is None else layouts.version(pictures, values[0])

    known = layouts.version(layout(projection_id)) if wish.layout == "projection" else None
    found = known or remembered(make, "points", projection_id, wish)
    return found and route(f"/atlas/points/{projection_id}", found, **wish.query)


def points_of(path: Path, projection_id: int, wish: layouts.Wish) -> bytes | None:
    """The points of a projection laid out as wished, as the canvas reads them. Any thread may ask."""
    names = _names(outlines_of(path, projection_id)) if wish.by == layouts.CLUSTER else {}
    return layouts.points(path, projection_id, wish, names)


def outlines_of(path: Path, projection_id: int) -> bytes | None:
    """The clusters of a projection as `layouts.outlines` says them. Any thread may ask."""
    return _outlines(path, connection.state(path), projection_id)


def cluster_names(projection_id: int) -> dict[int, str]:
    """What the clusters of a projection are called, the largest first."""
    return _names(outlines_of(db(), projection_id))


def _names(outlines: bytes | None) -> dict[int, str]:
    return {group["number"]: group["name"] for group in json.loads(outlines or '{"groups": []}')["groups"]}


@lru_cache(maxsize=16)
def _outlines(path: Path, token: str, projection_id: int) -> bytes | None:
    return layouts.outlines(path, projection_id)


def thumbnail(image_id: int) -> bytes | None:
    """The JPEG of one image in the database in view."""
    return thumbnail_of(db(), image_id)


def thumbnail_of(path: Path, image_id: int) -> bytes | None:
    """The JPEG of one image, or None. Any thread may ask: no Streamlit here."""
    return _thumbnails.get(path, image_id)


_thumbnails = Thumbnails()


# ---- what is kept ---------------------------------------------------------------------------------------------------


def _ask(question: str, room: ModuleType = read, **how: Any) -> Any:
    answer = _answer(str(db()), connection.state(db()), room.__name__, question, tuple(how.items()), room)
    return answer.copy(deep=False) if isinstance(answer, pd.DataFrame) else answer


@st.cache_resource(max_entries=256, show_spinner=False)
def _answer(path: str, token: str, name: str, question: str, how: tuple, _room: ModuleType) -> Any:
    with connection.reading(path) as con:
        answer = getattr(_room, question)(con, **dict(how))
    return _frame(answer) if isinstance(answer, pa.Table) else answer


def _frame(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    for field in table.schema:
        if pa.types.is_integer(field.type) and table[field.name].null_count:
            frame[field.name] = table[field.name].to_pandas(types_mapper=lambda _: pd.Int64Dtype())  # 1830, not 1830.0
    return frame


@st.cache_resource(max_entries=16, show_spinner=False)
def _matching(path: str, token: str, collection: str, conditions: tuple) -> np.ndarray:
    with connection.reading(path) as con:
        return facets.matching(con, collection, conditions)


@st.cache_resource(max_entries=16, show_spinner=False)
def _satisfying(path: str, token: str, condition: str) -> np.ndarray | errors.StoreError:
    try:
        found = np.array(sandbox.matching(path, condition, CONDITION_SECONDS))
    except (errors.SqlRefused, errors.SqlFailed, errors.SqlTimeout) as error:
        return error
    if found.dtype.kind not in "iu" and found.size:  # a condition that closes our bracket and opens one of its own
        return errors.SqlRefused("Type one condition on the columns of the catalogue, such as year > 1500.")
    found = np.unique(found).astype(np.int64)
    found.flags.writeable = False
    return found


@st.cache_resource(max_entries=16, show_spinner=False)
def _images(path: str, token: str, collection: str | None) -> pd.DataFrame:
    with connection.reading(path) as con:
        table = read.images(con, collection).to_pandas()
    table["metadata"] = [json.loads(text) if text else {} for text in table["metadata"]]
    table["caption"] = [
        words.caption(data, title) for data, title in zip(table["metadata"], table["title"], strict=True)
    ]
    table["alt"] = [f"{a}, {b}" if b else a for a, b in zip(table["title"], table["caption"], strict=True)]
    whole = hashlib.sha256(token.encode()).hexdigest()
    table["version"] = [text[:12] for text in table.get("sha256", [whole] * len(table))]
    return table.set_index("image_id", drop=False).rename_axis(None)


@st.cache_resource(max_entries=4, show_spinner=False)
def _images_text(path: str, token: str) -> pd.Series:
    table = _images(path, token, None)
    return (table["title"] + "\n" + table["caption"] + "\n" + table["path"]).str.lower()


@st.cache_resource(max_entries=64, show_spinner=False)
def _maps(
    path: str, token: str, run_id: int, image_id: int, method: str, target: str, layers: Any, heads: Any
) -> MapStack | None:
    with connection.reading(path) as con:
        stack = read.maps(con, run_id, image_id, method, target, layers, heads)
    if stack is not None:
        stack.weights.flags.writeable = False  # shared by every session
    return stack


@st.cache_resource(max_entries=2, show_spinner="Reading the maps …")
def _group_maps(
    path: str, token: str, run_id: int, ids: bytes, method: str, target: str | None, layer: int, head: aggregate.Head
) -> aggregate.GroupMaps:
    with connection.reading(path) as con:
        found = aggregate.group_maps(con, run_id, np.frombuffer(ids, np.int64), method, target, layer, head)
    found.weights.flags.writeable = False
    return found


@st.cache_resource(max_entries=4, show_spinner=False)
def _features(path: str, token: str, run_id: int) -> tuple[np.ndarray, np.ndarray]:
    return vectors.vectors(path, run_id)


@st.cache_resource(max_entries=16, show_spinner=False)
def _picture(path: str, token: str, image_id: int) -> tuple[Image.Image, bool] | None:
    row = image(image_id)
    if row is None:
        return None
    known = collections()
    for source in known.loc[known["name"] == row["collection"], "source"].dropna():
        try:
            found = originals.original(source, row["path"])
        except loader.BadImage:
            continue
        if found.size == (row["width"], row["height"]):
            found.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
            return found, True
    data = thumbnail_of(Path(path), image_id)
    return None if data is None else (Image.open(io.BytesIO(data)).convert("RGB"), False)


@st.cache_resource(max_entries=16, show_spinner=False)
def _remembered(path: str, token: str, key: tuple, _make: Callable[[], T]) -> T:
    return _make()


@st.cache_resource(max_entries=48, show_spinner=False)
def _looked(path: str, token: str, key: tuple, _make: Callable[[], T]) -> T:
    return _make()


@st.cache_resource(max_entries=2, show_spinner="Loading the network …")
def _backbone(settings: str) -> Any:
    from ingest.vision import backbones

    return backbones.load_for_run(json.loads(settings))


@st.cache_resource(ttl=3, max_entries=8, show_spinner=False)
def _neighbours(folder: str) -> list[Path]:
    try:
        return sorted(path for path in Path(folder).glob("*.duckdb") if path.is_file())
    except OSError:
        return []


# ---- small things ---------------------------------------------------------------------------------------------------


def _url(image_id: int, version: str) -> str:
    return route(f"/thumb/{int(image_id)}", version)


def _base() -> str:
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def _scored(ids: np.ndarray, similarity: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"image_id": ids, "similarity": similarity})


def _tuple(values: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)
