"""t-SNE (van der Maaten and Hinton 2008), by scikit-learn or, for many images, by openTSNE."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ingest.vision import progress
from ingest.vision.projections.projection import SEED, SEEDS, Laid, Layout, Projection

if TYPE_CHECKING:  # the command line asks for the names before its first line
    import numpy as np

MANY = 5_000  # images above which openTSNE is quicker than scikit-learn's t-SNE
FEW = 10_000  # images up to which the forces are summed by a tree, which is truer, and then as quick
BARNES_HUT = {"negative_gradient_method": "bh"}
# Above, they are interpolated. The library's intervals of 1 take half as long again, for 0.0003 of trustworthiness.
INTERPOLATED = {"negative_gradient_method": "fft", "ints_in_interval": 1.5}


def settings(distinct: int) -> dict[str, Any]:
    engine = "openTSNE" if distinct > MANY else "scikit-learn"
    perplexity = round(min(30.0, max(1.0, (distinct - 1) / 3)), 2)
    return {"perplexity": perplexity, "metric": "cosine", "init": "pca", "random_state": SEED, "engine": engine}


def lay_out(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    import numpy as np

    same = {name: settings[name] for name in ("perplexity", "metric", "random_state")}
    if settings["engine"] == "openTSNE":
        from openTSNE import TSNE
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.initialization import pca
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

        from ingest.vision.neighbours import among_themselves

        seed, perplexity = settings["random_state"], settings["perplexity"]
        places, distances = among_themselves(vectors, min(len(vectors) - 1, int(3 * perplexity)) + 1)
        # Itself is no neighbour here.
        near = PrecomputedNeighbors(places[:, 1:], distances[:, 1:])
        affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=near, random_state=seed, n_jobs=-1)
        start = pca(vectors, random_state=seed)
        forces = BARNES_HUT if len(vectors) <= FEW else INTERPOLATED
        model = TSNE(random_state=seed, n_jobs=-1, callbacks_every_iters=10, **forces)
        model.callbacks = _iterations(model.early_exaggeration_iter + model.n_iter, model.callbacks_every_iters)
        embedding = model.fit(affinities=affinities, initialization=start)
        notes = {"kl_divergence": _digits(embedding.kl_divergence), "neighbours_by": "faiss", **forces}
        return Laid(np.asarray(embedding), notes)
    from sklearn.manifold import TSNE

    model = TSNE(init=settings["init"], **same)
    points = model.fit_transform(vectors)
    return Laid(points, {"kl_divergence": _digits(model.kl_divergence_)})


def _iterations(number: int, each: int) -> Callable[[int, float, np.ndarray], None]:
    """What openTSNE is to call after `each` so many of a number of iterations: it counts anew in each of its phases."""
    done = 0

    def advance(iteration: int, error: float, embedding: np.ndarray) -> None:
        nonlocal done
        done += each
        progress.report(done / number)

    return advance


def _digits(number: float) -> float:
    return float(f"{number:.4g}")


def place(layout: Layout, vectors: np.ndarray) -> np.ndarray:
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN

    most = (len(layout.points) - 1) / 3
    perplexity = min(layout.settings.get("perplexity", 30.0), most)
    near = PerplexityBasedNN(layout.vectors, perplexity, metric="cosine", random_state=SEED, n_jobs=-1)
    model = TSNEEmbedding(layout.points, near, random_state=SEED, n_jobs=-1)
    few = min(5.0, most)
    return model.transform(vectors, perplexity=few, k=min(25, len(layout.points) - 1))


PROJECTION = Projection(
    key="tsne",
    title="t-SNE",
    meaning="t-SNE keeps neighbours together: near is alike, but distances between groups and the size of a group mean "
    "little.",
    settings=settings,
    lay_out=lay_out,
    place=place,
    placed_by="openTSNE's transform",
    least=4,
    least_to_place=12,
    libraries=("scikit-learn",),
    usual=True,
    adjustable={"perplexity": (1.0, 200.0), "random_state": SEEDS},
    order=2,
)
