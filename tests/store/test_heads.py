"""Heads over many images: every number against NumPy or pandas on what was put in."""

import numpy as np
import pandas as pd
import pytest

from store import grids, heads, read, write
from store.connection import reading, writing
from store.errors import StoreError
from store.heads import Head
from store.records import FrameRecord, HeadStats, Results
from tests.store.conftest import COLS, HEADS, LAYERS, ROWS
from tests.support.maps import stored_maps

CELLS = ROWS * COLS


def ask(path, question, *args, **how):
    with reading(path) as con:
        return getattr(heads, question)(con, *args, **how)


def stats(**values) -> HeadStats:
    """Head statistics of the five images, (5, layers, heads) each."""
    image, layer, head = np.meshgrid(np.arange(1, 6), range(LAYERS), range(HEADS), indexing="ij")
    flat = {name: np.asarray(value, dtype=np.float32).ravel() for name, value in values.items()}
    return HeadStats(image.ravel(), layer.ravel(), head.ravel(), flat)


def store(filled, **values) -> None:
    with writing(filled.path) as con:
        found = Results(filled.results.image_ids, head_stats=[stats(**values)])
        write.add_results(con, filled.run, found)


def importances(filled, target: str, ids, values) -> None:
    """Write the importances (n, layers, heads) of these images."""
    with writing(filled.path) as con:
        rows = [
            (filled.run, int(image), target, layer, head, float(values[place, layer, head]))
            for place, image in enumerate(ids)
            for layer in range(LAYERS)
            for head in range(HEADS)
        ]
        con.executemany("INSERT INTO head_importance VALUES (?, ?, ?, ?, ?, ?)", rows)


def expected(filled, column: str, ids=None) -> pd.DataFrame:
    """Mean, standard deviation and count by layer and head, by pandas."""
    found = filled.results.head_stats[0]
    table = pd.DataFrame(
        {"image_id": found.image_ids, "layer": found.layers, "head": found.heads, "v": found.values[column]}
    ).astype({"v": float})
    table = table if ids is None else table[table["image_id"].isin(ids)]
    return table.groupby(["layer", "head"])["v"].agg(["mean", "std", "count"]).reset_index()


# ---- statistics -------------------------------------------------------------------------------------------------


def test_a_run_has_the_statistics_that_say_something(filled):
    assert ask(filled.path, "statistics", filled.run) == ["entropy", "peak"]
    shape = (5, LAYERS, HEADS)
    lone = np.full(shape, np.nan)
    lone[3, 1, 0] = 2.0
    store(filled, distance=np.full(shape, np.nan), mass_registers=np.zeros(shape), mass_cls=lone, peak=np.ones(shape))
    assert ask(filled.path, "statistics", filled.run) == ["mass_cls", "peak"]
    assert ask(filled.path, "statistics", 99) == []


@pytest.mark.parametrize("ids", [None, [1, 2, 3, 4, 5], [5, 2], np.array([3, 1, 99])])
@pytest.mark.parametrize("column", ["entropy", "peak"])
def test_means_are_those_of_pandas(filled, column, ids):
    found = ask(filled.path, "means", filled.run, column, ids=ids).to_pandas()
    wanted = expected(filled, column, ids)
    assert found[["layer", "head", "images"]].values.tolist() == wanted[["layer", "head", "count"]].values.tolist()
    np.testing.assert_allclose(found["mean"], wanted["mean"], rtol=1e-6)
    np.testing.assert_allclose(found["spread"], wanted["std"], rtol=1e-5)


def test_a_single_image_has_no_spread_and_no_image_no_rows(filled):
    one = ask(filled.path, "means", filled.run, "entropy", ids=[2])
    assert one["spread"].null_count == one.num_rows == LAYERS * HEADS
    assert ask(filled.path, "means", filled.run, "entropy", ids=[]).num_rows == 0


def test_numbers_that_are_missing_do_not_count(filled):
    values = np.arange(5 * LAYERS * HEADS, dtype=float).reshape(5, LAYERS, HEADS)
    values[:, 0] = np.nan  # a layer of class attention
    values[4, 1, 1] = np.inf
    store(filled, distance=values)
    found = ask(filled.path, "means", filled.run, "distance").to_pandas()
    assert sorted(set(found["layer"])) == [1, 2]
    row = found[(found["layer"] == 1) & (found["head"] == 1)].iloc[0]
    assert (row["mean"], row["images"]) == (values[:4, 1, 1].mean(), 4)


def test_a_statistic_that_there_is_not_is_refused(filled):
    with pytest.raises(StoreError, match="there is no statistic 'layer; DROP TABLE run'"):
        ask(filled.path, "means", filled.run, "layer; DROP TABLE run")


def test_importances_are_told_apart_by_their_targets(filled):
    values = np.random.default_rng(3).random((5, LAYERS, HEADS))
    importances(filled, "neighbours:20", range(1, 6), values)
    importances(filled, "image:2", [1, 3], 10 + values)
    assert ask(filled.path, "targets", filled.run) == ["image:2", "neighbours:20"]
    assert ask(filled.path, "statistics", filled.run) == ["entropy", "peak", "importance"]
    found = ask(filled.path, "means", filled.run, "importance", "neighbours:20", [4, 5])
    np.testing.assert_allclose(found["mean"].to_numpy(), values[3:].mean(0).ravel(), rtol=1e-6)
    other = ask(filled.path, "means", filled.run, "importance", "image:2")
    np.testing.assert_allclose(other["mean"].to_numpy(), 10 + values[:2].mean(0).ravel(), rtol=1e-6)


def test_the_predicted_class_is_each_images_own(filled):
    values = np.random.default_rng(4).random((5, LAYERS, HEADS))
    importances(filled, "class:7", [1, 2, 3], values[:3])
    importances(filled, "class:9", [4, 5], values[3:])
    importances(filled, "class:9", [1], 100 + values[:1])  # not what is predicted for image 1
    with writing(filled.path) as con:
        rows = [(filled.run, image, 7 if image < 4 else 9, "cat", 0.5) for image in range(1, 6)]
        columns = "run_id, image_id, class, name, probability"
        con.executemany(f"INSERT INTO prediction ({columns}) VALUES (?, ?, ?, ?, ?)", rows)
    assert ask(filled.path, "targets", filled.run) == ["class:predicted", "class:7", "class:9"]
    found = ask(filled.path, "means", filled.run, "importance", "class:predicted")
    assert found["images"].to_pylist() == [5] * LAYERS * HEADS
    np.testing.assert_allclose(found["mean"].to_numpy(), values.mean(0).ravel(), rtol=1e-6)


@pytest.mark.parametrize("ids", [None, [1, 4, 5]])
def test_peaks_come_highest_first_with_their_frames(filled, ids):
    found = ask(filled.path, "peaks", filled.run, 2, 1, k=2, ids=ids).to_pylist()
    rows = filled.results.head_stats[0]
    here = (rows.layers == 2) & (rows.heads == 1) & np.isin(rows.image_ids, ids or range(1, 6))
    order = np.argsort(-rows.values["peak"][here])[:2]
    assert [row["image_id"] for row in found] == rows.image_ids[here][order].tolist()
    np.testing.assert_allclose([row["peak"] for row in found], rows.values["peak"][here][order])
    frame = filled.results.frames[found[0]["image_id"] - 1]
    assert FrameRecord(*(found[0][key] for key in ("image_id", "x0", "y0", "x1", "y1", "rows", "cols"))) == frame


# ---- maps ----------------------------------------------------------------------------------------------------------


def stack(path, ids, method="cls") -> np.ndarray:
    """What `store.read` says of these images' maps: (images, layers * heads, cells)."""
    with reading(path) as con:
        return np.stack([read.maps(con, 1, int(i), method).weights.reshape(LAYERS * HEADS, -1) for i in ids])


def another_grid(filled, make, ids, rows: int = 2, cols: int = 4) -> None:
    """Give some images maps of another grid."""
    with writing(filled.path) as con:
        write.add_results(con, filled.run, make.results(ids, seed=9, rows=rows, cols=cols))


def test_only_maps_of_single_heads_are_offered(filled):
    found = ask(filled.path, "methods", filled.run).to_pylist()
    assert found == [{"method": "cls", "target": "", "images": 5}]
    assert ask(filled.path, "methods", 99).num_rows == 0


def test_the_maps_of_one_head_are_those_that_read_gives(filled, make):
    another_grid(filled, make, [2])
    found = ask(filled.path, "maps", Head(filled.run, 1, 1, "cls"), [5, 2, 99])
    assert sorted(found) == [2, 5]
    assert found[2].shape == (2, 4) and found[5].shape == (ROWS, COLS)
    with reading(filled.path) as con:
        for image, weights in found.items():
            np.testing.assert_array_equal(weights, read.maps(con, 1, image, "cls", layers=[1], heads=[1]).weights[0])


@pytest.mark.parametrize("ids", [None, [1, 3], [4]])
@pytest.mark.parametrize("batch", [1, 2, 2048])
def test_the_mean_map_is_the_mean_of_the_maps(filled, ids, batch, monkeypatch):
    monkeypatch.setattr(heads, "_BATCH", batch)
    found = ask(filled.path, "mean_map", Head(filled.run, 2, 0, "cls"), ids)
    wanted = stack(filled.path, ids or range(1, 6))[:, 2 * HEADS].mean(0)
    np.testing.assert_allclose(found.weights.ravel(), wanted, rtol=1e-5)
    assert found.weights.shape == (1, ROWS, COLS)
    assert (found.images, found.grids) == (len(ids or range(5)), 1)


def on_one_grid(path, ids) -> np.ndarray:
    """As `stack`, of images with several grids."""
    with reading(path) as con:
        found = [read.maps(con, 1, int(i), "cls").weights for i in ids]
    side = grids.common({each.shape[1:] for each in found})
    return np.stack([grids.onto(each, *side).reshape(LAYERS * HEADS, -1) for each in found])


def test_maps_of_several_grids_are_brought_onto_one(filled, make):
    another_grid(filled, make, [2, 5])
    found = ask(filled.path, "mean_map", Head(filled.run, 0, 1, "cls"))
    np.testing.assert_allclose(found.weights.ravel(), on_one_grid(filled.path, range(1, 6))[:, 1].mean(0), rtol=1e-5)
    assert (found.images, found.grids) == (5, 2)


def test_without_maps_there_is_no_mean(filled):
    assert ask(filled.path, "mean_map", Head(filled.run, 0, 0, "received")) is None
    assert ask(filled.path, "mean_map", Head(filled.run, 0, 0, "cls"), []) is None
    assert ask(filled.path, "similarity", filled.run, "received") is None
    assert ask(filled.path, "similarity", filled.run, "cls", [99]) is None


def test_methods_and_targets_do_not_mix(filled, make):
    weights = make.softmax(np.random.default_rng(5), 1, CELLS)
    one = [np.array([1]), np.array([0]), np.array([0]), weights]
    blocks = [stored_maps("received", "", ROWS, COLS, *one), stored_maps("daam_heads", "class:7", ROWS, COLS, *one)]
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results(np.array([1]), maps=blocks))
    assert ask(filled.path, "mean_map", Head(filled.run, 0, 0, "cls")).images == 5
    assert ask(filled.path, "mean_map", Head(filled.run, 0, 0, "daam_heads")) is None
    found = ask(filled.path, "mean_map", Head(filled.run, 0, 0, "daam_heads", "class:7"))
    np.testing.assert_allclose(found.weights.ravel(), weights[0], atol=0.005 * weights.max())


def cosines(weights: np.ndarray) -> np.ndarray:
    """(heads, heads): the mean over images of the cosines of maps (images, heads, cells)."""
    weights = weights.astype(np.float64)
    unit = weights / np.linalg.norm(weights, axis=2, keepdims=True)
    return (unit @ unit.transpose(0, 2, 1)).mean(0)


@pytest.mark.parametrize("at_a_time", [1, 2, 20])
def test_similarity_is_the_mean_cosine_over_images(filled, at_a_time, monkeypatch):
    monkeypatch.setattr(heads, "_IMAGES", at_a_time)
    found = ask(filled.path, "similarity", filled.run, "cls")
    maps = stack(filled.path, range(1, 6))
    np.testing.assert_allclose(found.cosines, cosines(maps), atol=1e-5)
    np.testing.assert_allclose(found.means.reshape(LAYERS * HEADS, -1), maps.mean(0), rtol=1e-5)
    assert found.layers.tolist() == [0, 0, 1, 1, 2, 2] and found.heads.tolist() == [0, 1] * 3
    assert found.images == 5


def test_similarity_is_read_from_a_sample_spread_over_the_images(filled):
    found = ask(filled.path, "similarity", filled.run, "cls", sample=3)
    assert found.images == 3
    np.testing.assert_allclose(found.cosines, cosines(stack(filled.path, [1, 3, 5])), atol=1e-5)


def test_similarity_takes_each_image_on_its_own_grid(filled, make):
    another_grid(filled, make, [2, 4])
    found = ask(filled.path, "similarity", filled.run, "cls", ids=[2, 3, 4])
    per_image = [cosines(stack(filled.path, [image])) for image in (2, 3, 4)]
    np.testing.assert_allclose(found.cosines, np.mean(per_image, axis=0), atol=1e-5)
    wanted = on_one_grid(filled.path, [2, 3, 4]).mean(0)
    np.testing.assert_allclose(found.means.reshape(LAYERS * HEADS, -1), wanted, rtol=1e-5)


def test_heads_without_a_common_image_have_no_similarity(filled, make):
    weights = make.softmax(np.random.default_rng(6), 3, CELLS)
    weights[2] = 0
    ids, layers, numbers = np.array([1, 2, 2]), np.array([0, 1, 2]), np.zeros(3, int)
    with writing(filled.path) as con:
        block = stored_maps("received", "", ROWS, COLS, ids, layers, numbers, weights)
        write.add_results(con, filled.run, Results(np.array([1, 2]), maps=[block]))
    found = ask(filled.path, "similarity", filled.run, "received")
    assert np.isnan(found.cosines[0, 1]) and np.isnan(found.cosines[0, 2])
    assert found.cosines[0, 0] == pytest.approx(1) and found.cosines[1, 1] == pytest.approx(1)
    assert found.cosines[1, 2] == 0  # a map of zeros points nowhere


# ---- names --------------------------------------------------------------------------------------------------------


def call(path, *args) -> None:
    with writing(path) as con:
        heads.set_name(con, *args)


def names(path, run: int = 1) -> list[tuple]:
    return [tuple(row.values())[:4] for row in ask(path, "names", run).to_pylist()]


def test_a_name_is_kept_replaced_and_forgotten(filled):
    call(filled.path, filled.run, 2, 1, "  faces \n of people ", " see portraits ")
    call(filled.path, filled.run, 0, 1, "edges")
    assert names(filled.path) == [(0, 1, "edges", ""), (2, 1, "faces of people", "see portraits")]
    call(filled.path, filled.run, 2, 1, "hands")
    assert names(filled.path) == [(0, 1, "edges", ""), (2, 1, "hands", "")]
    call(filled.path, filled.run, 2, 1, "", "a note alone")
    assert names(filled.path)[1] == (2, 1, "", "a note alone")
    call(filled.path, filled.run, 2, 1, " ", " ")
    assert names(filled.path) == [(0, 1, "edges", "")]


@pytest.mark.parametrize(("run", "layer", "head"), [(1, LAYERS, 0), (1, 0, HEADS), (1, -1, 0), (2, 0, 0)])
def test_a_head_that_there_is_not_gets_no_name(filled, run, layer, head):
    with pytest.raises(StoreError, match=f"There is no run {run}|layers 0 to {LAYERS - 1}"):
        call(filled.path, run, layer, head, "nobody")
    assert names(filled.path) == []
