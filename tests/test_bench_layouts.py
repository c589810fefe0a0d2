"""The measure of layouts in the benchmark, against scikit-learn's."""

import numpy as np
from sklearn.manifold import trustworthiness

from tests.bench.layouts import faithfulness


def test_faithfulness_of_all_points_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(120, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = vectors[:, :2] + 0.2 * random.normal(size=(120, 2))
    trust, continuity = faithfulness(vectors, points, k=7, asked=120)
    assert np.isclose(trust, trustworthiness(vectors, points, n_neighbors=7, metric="cosine"))
    # Of unit vectors the cosine distance is half the squared Euclidean one: the same order.
    assert np.isclose(continuity, trustworthiness(points, vectors, n_neighbors=7))
    assert 0.5 < trust < 0.99
