"""t-SNE (van der Maaten and Hinton 2008), by scikit-learn or, for many images, by openTSNE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.vision.projections.projection import SEED, SEEDS, Laid, Layout, Projection

if TYPE_CHECKING:  # the command line asks for the names before its first line
    import numpy as np

MANY = 5_000  # images above which openTSNE is quicker than scikit-learn's t-SNE


def settings(distinct: int) -> dict[str, Any]:
    engine = "openTSNE" if distinct > MANY else "scikit-learn"
    perplexity = round(min(30.0, max(1.0, (distinct - 1) / 3)), 2)
    return {"perplexity": perplexity, "metric": "cosine", "init": "pca", "random_state": SEED, "engine": engine}


def lay_out(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    import numpy as np

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
