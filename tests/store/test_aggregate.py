"""One map for each of many images: the same as reading them one by one."""

import numpy as np
import pytest

from ingest.vision.attention import methods
from store import aggregate, grids, read, write
from store.connection import reading, writing
from store.maps import AttentionMaps
from store.records import Results
from tests.store.conftest import COLS, HEADS, LAYERS, ROWS
from tests.support.maps import stored_maps


def one_by_one(con, run: int, ids, method: str, layer: int, head) -> np.ndarray:
    """What `group_maps` should give, from the maps of each image."""
    found = []
    for image_id in ids:
        chosen = None if head in (None, "mean", "max") else [head]
        weights = read.maps(con, run, image_id, method, layers=[layer], heads=chosen).weights
        found.append(weights.max(axis=0) if head == "max" else weights.mean(axis=0))
    return np.stack(found)


@pytest.mark.parametrize(
    ("method", "layer", "head"),
    [("cls", 0, 1), ("cls", 2, 0), ("cls", 1, "mean"), ("cls", 1, "max"), ("rollout", 2, None)],
)
def test_gives_each_image_its_map(filled, method, layer, head):
    ids = sorted(filled.ids.values())
    with reading(filled.path) as con:
        found = aggregate.group_maps(con, filled.run, ids[::-1], method, "", layer, head)
        wanted = one_by_one(con, filled.run, ids, method, layer, head)
    assert found.image_ids.tolist() == ids and found.weights.dtype == np.float32
    assert found.weights.shape == (5, ROWS, COLS)
    np.testing.assert_allclose(found.weights, wanted, rtol=1e-6)
    assert found.grids == 1


def test_is_true_to_what_was_written(filled):
    block = filled.results.maps[0]
    chosen = (block.layers == 1) & (block.heads == 0)
    with reading(filled.path) as con:
        found = aggregate.group_maps(con, filled.run, block.image_ids[chosen], "cls", "", 1, 0)
    order = np.argsort(block.image_ids[chosen])
    bound = 0.004 * block.weights.max()  # of the code in which maps are stored
    np.testing.assert_allclose(found.weights, block.weights[chosen][order], atol=bound)


def test_many_batches_give_the_same(filled, monkeypatch):
    with reading(filled.path) as con:
        whole = aggregate.group_maps(con, filled.run, filled.ids.values(), "cls", "", 1, "mean")
        monkeypatch.setattr(aggregate, "BATCH", 3)
        pieces = aggregate.group_maps(con, filled.run, filled.ids.values(), "cls", "", 1, "mean")
    np.testing.assert_allclose(pieces.weights, whole.weights, rtol=1e-6)


def test_reads_only_the_images_that_were_asked_for(filled):
    some = sorted(filled.ids.values())[1:3]
    with reading(filled.path) as con:
        found = aggregate.group_maps(con, filled.run, np.array([*some, some[0]]), "cls", "", 0, 0)
    assert found.image_ids.tolist() == some


def test_tells_images_without_maps_and_brings_grids_onto_one(filled, make):
    ids = sorted(filled.ids.values())
    with writing(filled.path) as con:
        more = list(write.add_images(con, filled.collection, [make.image("x.jpg"), make.image("y.jpg")]).values())
        write.add_results(con, filled.run, make.results(more[:1], rows=COLS, cols=ROWS))  # as many patches, turned
    with reading(filled.path) as con:
        found = aggregate.group_maps(con, filled.run, [*ids, *more], "cls", "", 0, "mean")
        turned = aggregate.group_maps(con, filled.run, more[:1], "cls", "", 0, "mean")
        own = aggregate.group_maps(con, filled.run, ids, "cls", "", 0, "mean")
    assert found.image_ids.tolist() == [*ids, more[0]]
    assert (found.grids, own.grids, turned.grids) == (2, 1, 1)
    assert turned.weights.shape == (1, COLS, ROWS) and own.weights.shape[1:] == (ROWS, COLS)
    side = found.weights.shape[1]
    assert found.weights.shape[2] == side
    np.testing.assert_allclose(found.weights[:-1], grids.onto(own.weights, side, side), rtol=1e-6)
    np.testing.assert_allclose(found.weights[-1:], grids.onto(turned.weights, side, side), rtol=1e-6)


@pytest.mark.parametrize("asked", [("none such", 0, 0), ("cls", 99, 0), ("cls", 0, None), ("rollout", 0, 0)])
def test_no_such_maps_are_no_maps(filled, asked):
    method, layer, head = asked
    with reading(filled.path) as con:
        found = aggregate.group_maps(con, filled.run, filled.ids.values(), method, "", layer, head)
    assert len(found.image_ids) == len(found.weights) == 0


def test_a_target_chooses_maps_and_none_takes_each_images_own(filled):
    one, other = sorted(filled.ids.values())[:2]
    weights = np.eye(3, ROWS * COLS, dtype=np.float32)

    def block(target: str, ids: list[int], rows: np.ndarray) -> AttentionMaps:
        return stored_maps("daam", target, ROWS, COLS, np.array(ids), np.zeros(len(ids), int), None, rows)

    with writing(filled.path) as con:
        blocks = [block("class:1", [one], weights[:1]), block("class:2", [one, other], weights[1:])]
        write.add_results(con, filled.run, Results(np.array([one, other]), maps=blocks))
    with reading(filled.path) as con:
        first = aggregate.group_maps(con, filled.run, [one, other], "daam", "class:1", 0)
        own = aggregate.group_maps(con, filled.run, [one, other], "daam", None, 0)
    assert first.image_ids.tolist() == [one]
    np.testing.assert_allclose(own.weights.reshape(2, -1), [weights[:2].mean(axis=0), weights[2]])


def test_levels_are_the_layers_and_heads_that_are_stored(filled):
    with reading(filled.path) as con:
        assert aggregate.levels(con, filled.run, "cls") == (list(range(LAYERS)), list(range(HEADS)))
        assert aggregate.levels(con, filled.run, "rollout") == (list(range(LAYERS)), [])
        assert aggregate.levels(con, filled.run, "none such") == ([], [])


def test_frames_come_with_the_size_of_the_originals(filled):
    with reading(filled.path) as con:
        table = aggregate.frames(con, filled.run).to_pylist()
        first = read.frame(con, filled.run, table[0]["image_id"])
    assert [row["image_id"] for row in table] == sorted(filled.ids.values())
    assert (table[0]["x0"], table[0]["y1"], table[0]["rows"]) == (first.x0, first.y1, first.rows)
    assert (table[0]["width"], table[0]["height"]) == (640, 480)


def test_maps_that_accumulate_are_added_up_to_a_layer_and_the_view_says_the_same(filled):
    """Of two targets the mean of the sums; an image without a map of the layer itself is left out."""
    one, other, third = sorted(filled.ids.values())[:3]
    rng = np.random.default_rng(3)
    weights = {key: rng.random((4, ROWS * COLS)).astype(np.float32) for key in ("class:1", "class:2", "class:3")}
    ids = {"class:1": [one] * 4, "class:2": [one] * 4, "class:3": [other] * 4}
    blocks = [
        stored_maps("daam", target, ROWS, COLS, np.array(ids[target]), np.arange(4), None, weights[target])
        for target in weights
    ]
    short = stored_maps("daam", "class:1", ROWS, COLS, np.array([third]), np.array([0]), None, weights["class:1"][:1])
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results(np.array([one, other, third]), maps=[*blocks, short]))
    with reading(filled.path) as con:
        asked = (con, filled.run, [one, other, third], "daam")
        single = aggregate.group_maps(*asked, "class:1", 2)
        sums = aggregate.group_maps(*asked, "class:1", 2, accumulate=True)
        own = aggregate.group_maps(*asked, None, 2, accumulate=True)
        stored = {target: read.maps(con, filled.run, ids[target][0], "daam", target).weights for target in weights}
        rows = con.execute("SELECT image_id, target, layer, weights FROM attention_accumulated ORDER BY ALL").fetchall()
        plain = con.execute("SELECT image_id, target, layer FROM attention WHERE method = 'daam' ORDER BY ALL")
        assert [row[:3] for row in rows] == plain.fetchall()
    np.testing.assert_array_equal(single.weights[0], stored["class:1"][2])
    np.testing.assert_allclose(sums.weights[0], stored["class:1"][:3].sum(axis=0), rtol=1e-6)
    assert sums.image_ids.tolist() == [one]
    both = (stored["class:1"][:3] + stored["class:2"][:3]).sum(axis=0) / 2
    np.testing.assert_allclose(own.weights, [both, stored["class:3"][:3].sum(axis=0)], rtol=1e-6)
    for image_id, target, layer, found in rows:
        if image_id != third:
            exact = stored[target][: layer + 1].astype(np.float64).sum(axis=0).ravel()
            np.testing.assert_allclose(found, exact, rtol=5e-7)


def test_the_view_of_sums_has_the_methods_that_accumulate_and_no_others(filled):
    (image, *_), found = sorted(filled.ids.values()), methods()
    names = [*found, *(f"{key}(option=1)" for key in found)]
    weights = np.ones((1, ROWS * COLS), np.float32)
    maps = [stored_maps(name, "", ROWS, COLS, np.array([image]), np.array([0]), None, weights) for name in names]
    with writing(filled.path) as con:
        write.add_results(con, filled.run, Results(np.array([image]), maps=maps))
    with reading(filled.path) as con:
        there = {name for (name,) in con.execute("SELECT method FROM attention_accumulated").fetchall()}
    assert there == {name for name in names if found[name.partition("(")[0]].accumulates} != set()
