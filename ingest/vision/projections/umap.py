"""UMAP (McInnes, Healy and Melville 2018)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ingest.vision import progress
from ingest.vision.projections.projection import SEED, SEEDS, Laid, Layout, Projection

if TYPE_CHECKING:  # the command line asks for the names before its first line
    import numpy as np

MANY = 4_096  # vectors below which umap-learn compares each with each, whatever neighbours it is given


def settings(distinct: int) -> dict[str, Any]:
    neighbours = min(15, max(2, distinct - 1))
    # The spectral start needs more images than its eigenproblem has dimensions.
    start = "spectral" if distinct > 10 else "random"
    return {"n_neighbors": neighbours, "min_dist": 0.1, "metric": "cosine", "init": start, "random_state": SEED}


def lay_out(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    import numpy as np

    from ingest.vision.compiled import umap_class
    from ingest.vision.neighbours import among_themselves

    more: dict[str, Any] = {}
    if len(vectors) >= MANY and settings["metric"] == "cosine":
        more["precomputed_knn"] = (*among_themselves(vectors, settings["n_neighbors"]), None)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        # By its own distance it would leave out two vectors that point in opposite directions, and give them no place.
        fixed = {"n_components": 2, "n_jobs": 1, "disconnection_distance": np.inf, "tqdm_kwds": dict(_BAR)}
        model = umap_class()(**fixed, **more, **settings)
        points = model.fit_transform(vectors)
    # It warns of much that was asked for, such as one thread because of the seed; of this it does not tell otherwise.
    failed = any("falling back to random" in str(each.message).lower() for each in warned)
    notes = {"neighbours_by": "faiss"} if more else {}
    return Laid(points, notes | ({"init": "random", "init_reason": "the spectral start failed"} if failed else {}))


class _Epochs:
    """A file for umap-learn's progress bar, which writes how many epochs are done, and of how many."""

    def write(self, text: str) -> None:
        numbers = text.split()
        if len(numbers) == 2 and all(number.isdecimal() for number in numbers) and int(numbers[1]):
            progress.report(int(numbers[0]) / int(numbers[1]))

    def flush(self) -> None:
        pass


_BAR = {"disable": False, "file": _Epochs(), "bar_format": "{n} {total}", "mininterval": 1.0}


def place(layout: Layout, vectors: np.ndarray) -> np.ndarray:
    import numpy as np

    from ingest.vision.compiled import umap_class

    given = {key: layout.settings[key] for key in ("n_neighbors", "min_dist", "metric") if key in layout.settings}
    given["n_neighbors"] = min(given.get("n_neighbors", 15), len(layout.points) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # No epochs: it only learns who is near to whom, and is then given the points that it would have moved.
        model = umap_class()(n_components=2, n_jobs=1, random_state=SEED, init="random", n_epochs=0, **given)
        model.fit(layout.vectors)
        model.embedding_, model.n_epochs = layout.points.astype(np.float32), None
        return model.transform(vectors)


PROJECTION = Projection(
    key="umap",
    title="UMAP",
    meaning="UMAP keeps neighbours together: near is alike, but distances between groups and the size of a group mean "
    "little.",
    settings=settings,
    lay_out=lay_out,
    place=place,
    placed_by="umap-learn's transform",
    least=4,
    least_to_place=12,
    libraries=("umap-learn", "scikit-learn", "numba"),
    usual=True,
    adjustable={"n_neighbors": (2, 200), "min_dist": (0.0, 0.99), "random_state": SEEDS},
    order=1,
)
