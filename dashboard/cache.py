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
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st
from PIL import Image

from dashboard import words
from dashboard.thumbnails import Thumbnails
from ingest.vision import film, loader
from store import aggregate, atlas, connection, heads, read, sandbox, vectors
from store.records import FrameRecord, MapStack

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


def version() -> str:
    """A short word that changes whenever the database in view does."""
    return hashlib.sha256(connection.state(db()).encode()).hexdigest()[:12]


def route(path: str, version: str) -> str:
    """The address of one of the routes of dashboard/app.py for the database in view."""
    chosen = db()
    which = "" if chosen == databases()[0] else f"&db={quote(chosen.name)}"
    return f"{_base()}{path}?v={version}{which}"


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
            found = _original(Path(source) / row["path"])
        except loader.BadImage:
            continue
        if found.size == (row["width"], row["height"]):
            found.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
            return found, True
    data = thumbnail_of(Path(path), image_id)
    return None if data is None else (Image.open(io.BytesIO(data)).convert("RGB"), False)


def _original(path: Path) -> Image.Image:
    reel = film.named_frame(str(path))
    return loader.decode(path).image if reel is None or path.exists() else film.frame_at(*reel)


@st.cache_resource(max_entries=8, show_spinner=False)
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
