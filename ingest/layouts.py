"""The layouts themselves: vectors in, points in two dimensions out, with seeds fixed. No database.

What is laid out are distinct vectors (`ingest.copies`): copies are put where the first of them is.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SEED = 20
# Above this many images openTSNE is quicker than scikit-learn's t-SNE.
MANY = 5_000
# Distinct vectors that UMAP and t-SNE need: fewer have no neighbourhoods to keep.
LEAST = 4
TITLES = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
MADE_WITH = {
    "umap": ("umap-learn", "scikit-learn", "numba"),
    "scikit-learn": ("scikit-learn",),
    "openTSNE": ("openTSNE", "scikit-learn"),
    "pca": ("scikit-learn",),
}


@dataclass(frozen=True)
class Laid:
    """Points (n, 2) float64, and what is known of them only afterwards: it is stored with the settings."""

    points: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)


def check_layouts(methods: Iterable[str]) -> None:
    """Raises ValueError with the known names if one of `methods` is no layout."""
    for method in methods:
        if method not in LAYOUTS:
            raise ValueError(f"there is no layout {method!r}; there are {', '.join(LAYOUTS)}")


def settings_of(method: str, distinct: int) -> dict[str, Any]:
    """The settings that so many distinct vectors are laid out with: stored beside the layout, so that it can be made
    again. `made_by` is another method where there are too few for this one, and `reason` says so."""
    if method != "pca" and distinct < LEAST:
        reason = f"{TITLES[method]} needs at least {LEAST} different pictures; there {_are(distinct)}"
        return {"made_by": "pca", "reason": reason, **settings_of("pca", distinct)}
    if method == "umap":
        neighbours = min(15, max(2, distinct - 1))
        # The spectral start needs more images than its eigenproblem has dimensions.
        start = "spectral" if distinct > 10 else "random"
        return {"n_neighbors": neighbours, "min_dist": 0.1, "metric": "cosine", "init": start, "random_state": SEED}
    if method == "tsne":
        engine = "openTSNE" if distinct > MANY else "scikit-learn"
        perplexity = round(min(30.0, max(1.0, (distinct - 1) / 3)), 2)
        return {
            "perplexity": perplexity,
            "metric": "cosine",
            "init": "pca",
            "random_state": SEED,
            "engine": engine,
        }
    # To all of them, 400 placeholders would draw the centre and the first direction towards themselves.
    return {"centred": True, "components": 2, "fitted_to": "distinct vectors"}


def maker(method: str, settings: dict[str, Any]) -> Callable[[np.ndarray, dict[str, Any]], Laid]:
    """The function that lays out with these settings."""
    return LAYOUTS[settings.get("made_by", method)]


def lay_out(make: Callable[[np.ndarray, dict[str, Any]], Laid], vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    """Lays distinct vectors (n, dim) out by a `maker`; raises what the library raises, and ValueError if a point is not
    finite."""
    laid = make(vectors, settings)
    points = np.asarray(laid.points, dtype=np.float64)
    lost = int((~np.isfinite(points)).any(axis=1).sum())
    if lost:
        raise ValueError(f"{lost} of {len(vectors)} points came out as no finite numbers")
    return Laid(points, laid.notes)


def versions(method: str, settings: dict[str, Any]) -> dict[str, str]:
    """The versions of the libraries that lay out with these settings."""
    libraries = MADE_WITH.get(settings.get("engine", settings.get("made_by", method)), ())
    return {name: importlib.metadata.version(name) for name in ("numpy", *libraries)}


def _pca(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    from sklearn.decomposition import PCA

    components = min(2, *vectors.shape)
    if len(vectors) < 2:
        return Laid(np.zeros((len(vectors), 2)), {"explained_variance": [0.0] * components})
    pca = PCA(components, svd_solver="full" if len(vectors) <= 2_000 else "covariance_eigh")
    points = pca.fit_transform(vectors)
    shares = np.nan_to_num(pca.explained_variance_ratio_)
    notes = {"explained_variance": [round(float(share), 4) for share in shares]}
    return Laid(np.pad(points, ((0, 0), (0, 2 - components))), notes)


def _umap(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    from ingest.vision.compiled import umap_class

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        # It would leave out two vectors that point in opposite directions, and give them no place.
        points = umap_class()(n_components=2, n_jobs=1, disconnection_distance=np.inf, **settings).fit_transform(
            vectors
        )
    # It warns of much that was asked for, such as one thread because of the seed; of this it does not tell otherwise.
    failed = any("falling back to random" in str(each.message).lower() for each in told)
    return Laid(points, {"init": "random", "init_reason": "the spectral start failed"} if failed else {})


def _tsne(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    same = {name: settings[name] for name in ("perplexity", "metric", "random_state")}
    if settings["engine"] == "openTSNE":
        from openTSNE import TSNE

        embedding = TSNE(initialization=settings["init"], n_jobs=-1, **same).fit(vectors)
        return Laid(np.asarray(embedding), {"kl_divergence": _digits(embedding.kl_divergence)})
    from sklearn.manifold import TSNE

    model = TSNE(init=settings["init"], **same)
    points = model.fit_transform(vectors)
    return Laid(points, {"kl_divergence": _digits(model.kl_divergence_)})


def _digits(number: float) -> float:
    return float(f"{number:.4g}")


def _are(count: int) -> str:
    return {0: "is none", 1: "is 1"}.get(count, f"are {count}")


LAYOUTS: dict[str, Callable[[np.ndarray, dict[str, Any]], Laid]] = {"umap": _umap, "tsne": _tsne, "pca": _pca}
