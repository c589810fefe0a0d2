"""Layouts: the features of a run laid out in two dimensions, with seeds fixed and every setting stored."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ingest import atlas, clusters
from store import read, search, write
from store.connection import reading, writing

SEED = 20
# Above this many images openTSNE is quicker than scikit-learn's t-SNE.
MANY = 5_000


def project(db: Path, run_id: int, methods: list[str], tell: Callable[[str], None] = lambda line: None) -> list[str]:
    """Computes the layouts `methods` of a run's features and stores them; returns those that were not there already.

    A layout that holds exactly the run's images with the same settings is left as it is. Clusters are looked for in all
    layouts of the run and the pictures are made small for the map, where that has not been done yet.
    """
    with reading(db) as con:
        ids, vectors = search.features(con, run_id)
        stored = read.projections(con, run_id).to_pylist()
    made = []
    for method in methods:
        settings = settings_of(method, len(ids))
        if len(ids) == 0 or any(_same(row, method, settings, len(ids)) for row in stored):
            continue
        tell(f"laying out {len(ids)} images with {method}")
        points = LAYOUTS[method](vectors, settings)
        with writing(db) as con:
            # One that lacks images which have come since would be taken for the map of the whole run.
            for row in stored:
                if row["method"] == method and row["points"] != len(ids):
                    write.drop_projection(con, row["projection_id"])
            write.add_projection(con, run_id, method, settings, ids, points)
        made.append(method)
    clusters.make(db, run_id, ids, vectors, tell)
    atlas.make(db, run_id, tell)
    return made


def check_layouts(methods: Iterable[str]) -> None:
    """Raises ValueError with the known names if one of `methods` is no layout."""
    for method in methods:
        if method not in LAYOUTS:
            raise ValueError(f"there is no layout {method!r}; there are {', '.join(LAYOUTS)}")


def settings_of(method: str, images: int) -> dict[str, Any]:
    """The settings a layout of so many images is made with: stored beside it, so that it can be made again."""
    if method == "umap":
        neighbours = min(15, max(2, images - 1))
        # The spectral start needs more images than its eigenproblem has dimensions.
        start = "spectral" if images > 10 else "random"
        return {"n_neighbors": neighbours, "min_dist": 0.1, "metric": "cosine", "init": start, "random_state": SEED}
    if method == "tsne":
        engine = "openTSNE" if images > MANY else "scikit-learn"
        perplexity = round(min(30.0, max(1.0, (images - 1) / 3)), 2)
        return {"perplexity": perplexity, "metric": "cosine", "random_state": SEED, "engine": engine}
    return {"centred": True, "components": 2}


def _same(row: dict[str, Any], method: str, settings: dict[str, Any], images: int) -> bool:
    stored = json.loads(row["settings"]) if isinstance(row["settings"], str) else row["settings"]
    if "fitted" in stored:  # and extended since: what it was made with suits the images of then
        settings = settings_of(method, stored["fitted"])
    shared = {key: stored.get(key) for key in settings}
    return row["method"] == method and shared == settings and row.get("points") == images


def _pca(vectors: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    from sklearn.decomposition import PCA

    components = min(2, *vectors.shape)
    pca = PCA(components, svd_solver="full" if len(vectors) <= 2_000 else "covariance_eigh")
    points = pca.fit_transform(vectors) if len(vectors) > 1 else np.zeros((1, components))
    shares = getattr(pca, "explained_variance_ratio_", np.zeros(components))
    settings["explained_variance"] = [round(float(share), 4) for share in np.nan_to_num(shares)]
    return np.pad(points, ((0, 0), (0, 2 - components)))


def _umap(vectors: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    if len(vectors) < 4:
        return _pca(vectors, settings)  # no neighbourhoods to keep
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what was asked for: one thread, because of the seed
        return UMAP(n_components=2, n_jobs=1, **settings).fit_transform(vectors)


def _tsne(vectors: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    if len(vectors) < 4:
        return _pca(vectors, settings)
    if settings["engine"] == "openTSNE":
        from openTSNE import TSNE

        model = TSNE(perplexity=settings["perplexity"], metric="cosine", random_state=SEED, n_jobs=-1)
        return np.asarray(model.fit(vectors))
    from sklearn.manifold import TSNE

    model = TSNE(perplexity=settings["perplexity"], metric="cosine", init="pca", random_state=SEED)
    return model.fit_transform(vectors)


LAYOUTS: dict[str, Callable[[np.ndarray, dict[str, Any]], np.ndarray]] = {"umap": _umap, "tsne": _tsne, "pca": _pca}
