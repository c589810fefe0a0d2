"""The two directions in which the vectors differ most (Pearson 1901)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingest.vision.projections.projection import Laid, Layout, Projection

if TYPE_CHECKING:  # the command line asks for the names before its first line
    import numpy as np


def settings(distinct: int) -> dict[str, Any]:
    # To all of them, 400 placeholders would draw the centre and the first direction towards themselves.
    return {"centred": True, "components": 2, "fitted_to": "distinct vectors"}


def lay_out(vectors: np.ndarray, settings: dict[str, Any]) -> Laid:
    import numpy as np
    from sklearn.decomposition import PCA

    components = min(2, *vectors.shape)
    if len(vectors) < 2:
        return Laid(np.zeros((len(vectors), 2)), {"explained_variance": [0.0] * components})
    solver: Any = "full" if len(vectors) <= 2_000 else "covariance_eigh"  # which scikit-learn's stubs do not know
    pca = PCA(components, svd_solver=solver)
    points = pca.fit_transform(vectors)
    shares = np.nan_to_num(pca.explained_variance_ratio_)
    notes = {"explained_variance": [round(float(share), 4) for share in shares]}
    return Laid(np.pad(points, ((0, 0), (0, 2 - components))), notes)


def place(layout: Layout, vectors: np.ndarray) -> np.ndarray:
    """PCA is an affine map, which its own vectors and points determine wherever they reach."""
    import numpy as np

    middle, centre = layout.vectors.mean(0, dtype=np.float64), layout.points.mean(0)
    axes, *_ = np.linalg.lstsq(layout.vectors - middle, layout.points - centre, rcond=1e-5)
    return (vectors - middle) @ axes + centre


PROJECTION = Projection(
    key="pca",
    title="PCA",
    meaning="PCA is a flat shadow of the features: the two directions in which they differ most. Distances are true as "
    "far as two directions show them.",
    settings=settings,
    lay_out=lay_out,
    place=place,
    placed_by="the axes of the layout",
    libraries=("scikit-learn",),
    usual=True,
    order=3,
)
