import numpy as np
import pytest

from store import read, search, write
from store.connection import reading, writing
from store.records import Results
from tests.support.search import nearest, nearest_to


@pytest.fixture
def many(filled, make):
    """Forty images; the results of the last twenty are stored first."""
    with writing(filled.path) as con:
        paths = [f"{i:02}.jpg" for i in range(35)]
        write.add_images(con, filled.collection, [make.image(path) for path in paths])
        for ids in (np.arange(21, 41), np.arange(1, 21)):
            found = make.results(ids, seed=int(ids[0]))
            write.add_results(con, filled.run, Results(found.image_ids, found.vectors))
    return filled


def expected_order(ids, matrix, vector, k, without=None):
    similarity = matrix @ (vector / np.linalg.norm(vector))
    order = [i for i in np.argsort(-similarity) if ids[i] != without][:k]
    return ids[order].tolist(), similarity[order]


def test_features_come_in_the_order_of_ids(many):
    with reading(many.path) as con:
        ids, matrix = search.features(con, many.run)
        no_ids, nothing = search.features(con, 99)
    assert ids.tolist() == list(range(1, 41))
    assert (matrix.shape, matrix.dtype, matrix.flags.c_contiguous) == ((40, 8), np.float32, True)
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)
    assert len(no_ids) == len(nothing) == 0


@pytest.mark.parametrize("k", [1, 7, 39, 1000])
def test_nearest_is_numpys_order_without_the_image_itself(many, k):
    with reading(many.path) as con:
        ids, matrix = search.features(con, many.run)
        found = nearest(con, many.run, 17, k)
        by_macro = con.execute(f"SELECT image_id, similarity FROM nearest({many.run}, 17, {k})").fetchall()
    order, similarity = expected_order(ids, matrix, matrix[16], k, without=17)
    assert found["image_id"].to_pylist() == order and 17 not in order
    np.testing.assert_allclose(found["similarity"].to_numpy(), similarity, atol=1e-6)
    assert [image_id for image_id, _ in by_macro] == order


def test_nearest_to_a_vector_of_any_length(many):
    vector = 5 * np.random.default_rng(3).standard_normal(8)
    with reading(many.path) as con:
        ids, matrix = search.features(con, many.run)
        found = nearest_to(con, many.run, vector, 6)
        itself = nearest_to(con, many.run, matrix[16], 1)
    order, similarity = expected_order(ids, matrix, vector, 6)
    assert found["image_id"].to_pylist() == order
    np.testing.assert_allclose(found["similarity"].to_numpy(), similarity, atol=1e-6)
    assert itself["image_id"].to_pylist() == [17]


def test_equals_come_in_the_order_of_ids(filled):
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results([1, 2, 3, 4, 5], np.tile(np.eye(8)[0], (5, 1))))
        assert nearest(con, filled.run, 3, 5)["image_id"].to_pylist() == [1, 2, 4, 5]


def test_nearest_of_runs_and_images_that_are_not_there(many):
    with reading(many.path) as con:
        assert nearest(con, 99, 1, 5).num_rows == nearest(con, many.run, 99, 5).num_rows == 0


def test_nearest_stays_in_its_run(many, make):
    with writing(many.path) as con:
        other = write.add_run(con, many.collection, make.run(size=84))
        write.add_results(con, other, make.results([1, 2, 3], seed=7))
        assert set(nearest(con, other, 1, 50)["image_id"].to_pylist()) == {2, 3}


def test_the_attention_map_macro(filled):
    with reading(filled.path) as con:
        stack = read.maps(con, filled.run, 2, "cls", layers=[1], heads=[1])
        (row,) = con.sql(f"SELECT * FROM attention_map({filled.run}, 2, 'cls', 1, 1)").to_arrow_table().to_pylist()
        rollout = con.execute(f"SELECT layer, head FROM attention_map({filled.run}, 2, 'rollout', 2, NULL)").fetchall()
        assert con.execute(f"SELECT * FROM attention_map({filled.run}, 2, 'cls', 1, NULL)").fetchall() == []
        view = con.sql(
            "SELECT * FROM attention WHERE image_id = 2 AND method = 'cls' AND layer = 1 AND head = 1"
        ).to_arrow_table()
    assert [row] == view.to_pylist()
    np.testing.assert_allclose(row["weights"], stack.weights.ravel(), rtol=1e-6)
    assert rollout == [(2, None)]
