"""The matrix of a run in the cache folder, and searching it."""

import os
import threading
import time

import numpy as np
import pytest

from store import search, vectors, write
from store.connection import reading, writing
from store.errors import DatabaseMissing, StoreError
from tests.support.search import nearest_to


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, and files for the smallest matrix."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vectors, "SMALL", 0)
    return tmp_path / "cache" / "bilderatlas" / "vectors"


@pytest.fixture
def counted(monkeypatch):
    """How often the database was asked for features."""
    calls, features = [], search.features

    def ask(con, run_id):
        calls.append(run_id)
        return features(con, run_id)

    monkeypatch.setattr(search, "features", ask)
    return calls


def is_mapped(array: np.ndarray) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def same(found, path, run) -> None:
    with reading(path) as con:
        ids, matrix = search.features(con, run)
    np.testing.assert_array_equal(found[0], ids)
    np.testing.assert_array_equal(found[1], matrix)
    assert found[1].dtype == np.float32 and found[1].flags.c_contiguous and found[0].dtype == np.int64


def test_the_vectors_are_mapped_and_read_once(filled, cache, counted):
    first = vectors.vectors(filled.path, filled.run)
    again = vectors.vectors(filled.path, filled.run)
    assert len(counted) == 1 and len(list(cache.iterdir())) == 1
    for found in (first, again):
        same(found, filled.path, filled.run)
        assert is_mapped(found[1])
        for array in found:
            with pytest.raises(ValueError):
                array[0] = 0


def test_a_changed_database_makes_a_new_file_and_removes_the_old(filled, cache, make):
    before = vectors.vectors(filled.path, filled.run)
    kept = before[1].copy()
    (old,) = cache.iterdir()
    with writing(filled.path) as con:
        write.add_results(con, filled.run, make.results([2], seed=5))
    after = vectors.vectors(filled.path, filled.run)
    same(after, filled.path, filled.run)
    assert not old.exists() and len(list(cache.iterdir())) == 1
    np.testing.assert_array_equal(before[1], kept)  # whoever has it open keeps what he had
    assert not np.array_equal(before[1], after[1])


def test_runs_and_databases_have_files_of_their_own(filled, cache, make, tmp_path):
    with writing(filled.path) as con:
        other = write.add_run(con, filled.collection, make.run(size=84))
        write.add_results(con, other, make.results([1, 2, 3], seed=7))
    twin = tmp_path / "twin.duckdb"
    twin.write_bytes(filled.path.read_bytes())
    for path, run in ((filled.path, filled.run), (filled.path, other), (twin, other)):
        same(vectors.vectors(path, run), path, run)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"no array at all", "short"])
def test_a_damaged_file_is_made_anew(filled, cache, counted, damage):
    vectors.vectors(filled.path, filled.run)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-9] if damage == "short" else damage)
    same(vectors.vectors(filled.path, filled.run), filled.path, filled.run)
    vectors.vectors(filled.path, filled.run)
    assert counted[:2] == [filled.run, filled.run] and len(list(cache.iterdir())) == 1


def test_without_a_cache_folder_they_stay_in_memory(filled, tmp_path, monkeypatch):
    (tmp_path / "a file").write_text("where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    found = vectors.vectors(filled.path, filled.run)
    same(found, filled.path, filled.run)
    assert not is_mapped(found[1]) and not found[1].flags.writeable


def test_a_full_disk_leaves_no_rest(filled, cache, monkeypatch):
    def full(stream, array, *more, **options):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors.npy, "write_array", full)
    same(vectors.vectors(filled.path, filled.run), filled.path, filled.run)
    assert list(cache.iterdir()) == []


def test_small_runs_need_no_file(filled, cache, monkeypatch):
    monkeypatch.setattr(vectors, "SMALL", 2**20)
    same(vectors.vectors(filled.path, filled.run), filled.path, filled.run)
    assert not cache.exists()


def test_what_nobody_used_for_long_goes(filled, cache, tmp_path):
    vectors.vectors(filled.path, filled.run)
    (file,) = cache.iterdir()
    old = time.time() - vectors.FORGOTTEN - 60
    os.utime(file, (old, old))
    twin = tmp_path / "twin.duckdb"
    twin.write_bytes(filled.path.read_bytes())
    vectors.vectors(twin, filled.run)
    assert not file.exists() and len(list(cache.iterdir())) == 1


def test_many_ask_at_once(filled, cache):
    found = [None] * 8

    def ask(place):
        found[place] = vectors.vectors(filled.path, filled.run)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        same(each, filled.path, filled.run)
    assert len(list(cache.iterdir())) == 1


def test_a_run_without_features_and_no_database(filled, tmp_path):
    ids, matrix = vectors.vectors(filled.path, 99)
    assert len(ids) == len(matrix) == 0
    with pytest.raises(DatabaseMissing):
        vectors.vectors(tmp_path / "none.duckdb", 1)


# ---- searching --------------------------------------------------------------------------------------------------


def normed(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def naive(ids, matrix, vector, k, among=None):
    """One image after the other, in Python."""
    scored = []
    for place, image_id in enumerate(ids):
        if among is None or among[place]:
            row = matrix[place].astype(float)
            scored.append((-float(row @ vector / np.linalg.norm(row) / np.linalg.norm(vector)), int(image_id)))
    scored.sort()
    return [image_id for _, image_id in scored[:k]], [-score for score, _ in scored[:k]]


@pytest.mark.parametrize("k", [1, 2, 50, 299, 300, 1000])
@pytest.mark.parametrize("some", [False, True])
def test_nearest_is_what_a_loop_finds(k, some):
    random = np.random.default_rng(4)
    matrix, ids = normed(random.normal(size=(300, 24))), np.arange(300) * 7 + 3
    vector = 3 * random.normal(size=24)
    among = random.random(300) < 0.4 if some else None
    found, similarity = vectors.nearest(ids, matrix, vector, k, among)
    expected, scores = naive(ids, matrix, vector, k, among)
    assert found.tolist() == expected
    np.testing.assert_allclose(similarity, scores, atol=1e-6)


def test_equals_come_in_the_order_of_ids_wherever_they_lie():
    matrix = normed(np.random.default_rng(1).normal(size=(1003, 384)))
    twins = [1002, 3, 500, 17, 998]
    matrix[twins] = matrix[3]
    found, similarity = vectors.nearest(np.arange(1003), matrix, matrix[3], 3)
    assert found.tolist() == [3, 17, 500] and len(set(similarity.tolist())) == 1


def test_nearest_says_what_the_macro_says(filled, make):
    with writing(filled.path) as con:
        write.add_images(con, filled.collection, [make.image(f"{i:03}.jpg") for i in range(400)])
        found = make.results(np.arange(1, 406), seed=2)
        twins = found.vectors.copy()
        twins[[9, 99, 199]] = twins[4]
        write.add_results(con, filled.run, type(found)(found.image_ids, twins))
    ids, matrix = vectors.vectors(filled.path, filled.run)
    with reading(filled.path) as con:
        for image_id in (1, 5, 100, 405):
            table = nearest_to(con, filled.run, matrix[image_id - 1], 50)
            mine, similarity = vectors.nearest(ids, matrix, matrix[image_id - 1], 50)
            assert mine.tolist() == table["image_id"].to_pylist()
            np.testing.assert_allclose(similarity, table["similarity"].to_numpy(), atol=2e-7)


def test_nothing_to_find_and_a_vector_that_does_not_fit():
    matrix, ids = normed(np.eye(4)), np.arange(4)
    for k, among in ((0, None), (3, np.zeros(4, bool))):
        found, similarity = vectors.nearest(ids, matrix, np.ones(4), k, among)
        assert len(found) == len(similarity) == 0
    assert len(vectors.nearest(ids[:0], matrix[:0], np.ones(4), 3)[0]) == 0
    with pytest.raises(StoreError, match="4 numbers each; the one to search with has 2"):
        vectors.nearest(ids, matrix, np.ones(2), 3)
