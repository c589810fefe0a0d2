"""Measures of maps against a truth: each against a plain float64 loop, and scikit-learn where it has it."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from ingest.vision.evaluation import measures
from ingest.vision.evaluation.statistics import RESAMPLES, better, halves, holm, interval, summarise
from ingest.vision.evaluation.truth import NoTruth, of_boxes, of_mask, on_grid
from ingest.vision.geometry import Frame

ROWS, COLS, PATCH = 5, 8, 10
WIDTH, HEIGHT = COLS * PATCH, ROWS * PATCH
WHOLE = Frame(0, 0, WIDTH, HEIGHT, ROWS, COLS)


def random_maps(count=6, seed=0, rows=ROWS, cols=COLS):
    """Of them some with many equal weights, one the same everywhere and one of zeros."""
    rng = np.random.default_rng(seed)
    maps = rng.random((count, rows, cols)).astype(np.float32)
    maps[1] = np.round(maps[1] * 4) / 4
    maps[2] = 0.25
    maps[3] = 0
    return maps


def covered(truth, frame, width, height, parts=10):
    """The share of each patch that a truth covers, by looking at parts × parts points of each."""
    found = np.zeros((frame.rows, frame.cols))
    for row in range(frame.rows):
        for col in range(frame.cols):
            x0, y0, x1, y1 = frame.cell_box(row, col)
            for i in range(parts):
                for j in range(parts):
                    x, y = x0 + (i + 0.5) / parts * (x1 - x0), y0 + (j + 0.5) / parts * (y1 - y0)
                    if 0 <= x < width and 0 <= y < height:
                        at = np.searchsorted(truth.ys, y, "right") - 1, np.searchsorted(truth.xs, x, "right") - 1
                        found[row, col] += truth.filled[at]
    return found / parts**2


# ---- truth on the grid ------------------------------------------------------------------------------------------


FRAMES = {
    "whole": WHOLE,
    "crop": Frame(15, 5, 65, 45, 4, 5),
    "padding": Frame(0, -15, 80, 65, 8, 8),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_coverage_is_the_share_of_each_patch(frame):
    """Boxes that overlap each other, and a mask of half the picture's resolution."""
    boxes = of_boxes([(22, 8, 47, 31), (40, 20, 58, 38)], WIDTH, HEIGHT)
    mask = np.zeros((HEIGHT // 2, WIDTH // 2), bool)
    mask[7:15, 12:27] = np.random.default_rng(1).random((8, 15)) < 0.6
    for truth in (boxes, of_mask(mask, WIDTH, HEIGHT)):
        found = on_grid(truth, frame, WIDTH, HEIGHT)
        np.testing.assert_allclose(found.coverage, covered(truth, frame, WIDTH, HEIGHT), atol=1e-9)
        assert np.array_equal(found.visible, frame.picture_cells(WIDTH, HEIGHT))
        assert np.array_equal(found.cells, found.coverage >= 0.5 - 1e-9)


def test_overlapping_boxes_count_once_and_what_lies_beyond_the_picture_not_at_all():
    truth = of_boxes([(0, 0, 20, 20), (10, 10, 30, 30), (70, 40, 200, 200)], WIDTH, HEIGHT)
    assert truth.area == 400 + 400 - 100 + 100
    assert truth.boxes[2] == (70, 40, 80, 50)


def test_a_thing_smaller_than_a_patch_has_the_patch_that_it_covers_most():
    found = on_grid(of_boxes([(28, 13, 33, 16)], WIDTH, HEIGHT), WHOLE, WIDTH, HEIGHT)
    assert found.cells.sum() == 1 and found.cells[1, 3]
    assert found.coverage[1, 2] == pytest.approx(0.06) and found.coverage[1, 3] == pytest.approx(0.09)


def test_what_the_network_has_not_seen_is_no_truth():
    crop = FRAMES["crop"]
    for boxes, sentence in (
        ([], "its truth is empty"),
        ([(0, 0, 10, 50)], "the network saw 0% of its truth"),
        ([(0, 10, 25, 20)], "the network saw 40% of its truth"),
    ):
        with pytest.raises(NoTruth, match=sentence):
            on_grid(of_boxes(boxes, WIDTH, HEIGHT), crop, WIDTH, HEIGHT)
    seen = on_grid(of_boxes([(20, 10, 40, 30), (0, 10, 18, 20)], WIDTH, HEIGHT), crop, WIDTH, HEIGHT)
    np.testing.assert_array_equal(seen.boxes, [[20, 10, 40, 30]])
    assert seen.sizes == pytest.approx([400 / 4000])
    with pytest.raises(ValueError, match="another shape"):
        of_mask(np.ones((50, 50), bool), WIDTH, HEIGHT)


# ---- measures by patch --------------------------------------------------------------------------------------------


def naive(weights, truth):
    """All measures of one map, in loops over patches and thresholds."""
    cells = [tuple(each) for each in np.argwhere(truth.visible)]
    w = {cell: float(weights[cell]) for cell in cells}
    c = {cell: float(truth.coverage[cell]) for cell in cells}
    t = {cell: bool(truth.cells[cell]) for cell in cells}
    total, size = sum(w.values()), sum(t.values())
    peak = [cell for cell in cells if w[cell] == max(w.values())]
    edge = sorted(w.values(), reverse=True)[size - 1]
    above, tied = [x for x in cells if w[x] > edge], [x for x in cells if w[x] == edge]
    rank = sum(t[x] for x in above) + (size - len(above)) * sum(t[x] for x in tied) / len(tied)
    precision, ious, before = 0.0, [], 0
    for level in sorted(set(w.values()), reverse=True):
        chosen = [x for x in cells if w[x] >= level]
        hits, inside = sum(t[x] for x in chosen), sum(c[x] for x in chosen)
        precision += (hits - before) / size * hits / len(chosen)
        before = hits
        ious.append(inside / (len(chosen) + sum(c.values()) - inside))
    gaps = sum(abs(a - b) for a in w.values() for b in w.values())
    return {
        "relevance_mass": sum(w[x] * c[x] for x in cells) / total if total else np.mean(list(c.values())),
        "pointing_game": sum(t[x] for x in peak) / len(peak),
        "relevance_rank": rank / size,
        "auprc": precision,
        "best_iou": max(ious),
        "sparseness": gaps / (2 * len(cells) * total) if total else 0,
    }


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("boxes", [[(22, 8, 47, 31), (55, 30, 62, 38)], [(31, 21, 34, 24)], [(0, 0, 80, 50)]])
def test_measures_equal_a_loop_over_patches(frame, boxes):
    if boxes[0][2] == 80 and frame is FRAMES["crop"]:
        boxes = [(15, 5, 65, 45)]
    truth = on_grid(of_boxes(boxes, WIDTH, HEIGHT), frame, WIDTH, HEIGHT)
    maps = random_maps(rows=frame.rows, cols=frame.cols)
    found = measures.by_patch(maps, truth)
    assert set(found) == set(measures.BY_PATCH) == set(measures.chance(truth))
    for place, weights in enumerate(maps):
        for metric, value in naive(weights, truth).items():
            assert found[metric][place] == pytest.approx(value, abs=1e-9), (metric, place)
        expected = average_precision_score(truth.cells[truth.visible], weights[truth.visible])
        assert found["auprc"][place] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("place", [2, 3])
def test_a_map_that_is_the_same_everywhere_is_worth_chance(place):
    truth = on_grid(of_boxes([(22, 8, 47, 31)], WIDTH, HEIGHT), WHOLE, WIDTH, HEIGHT)
    found, chance = measures.by_patch(random_maps(), truth), measures.chance(truth)
    assert {name: pytest.approx(values[place]) for name, values in found.items()} == chance


def test_padding_is_no_part_of_a_map():
    truth = on_grid(of_boxes([(22, 8, 47, 31)], WIDTH, HEIGHT), FRAMES["padding"], WIDTH, HEIGHT)
    maps = random_maps(rows=8, cols=8)
    loud = np.where(truth.visible, maps, 9).astype(np.float32)
    for metric, values in measures.by_patch(maps, truth).items():
        np.testing.assert_allclose(measures.by_patch(loud, truth)[metric], values)
    np.testing.assert_array_equal(measures.box_overlaps(loud, truth), measures.box_overlaps(maps, truth))


def test_truth_everywhere_says_nothing():
    truth = on_grid(of_boxes([(0, 0, WIDTH, HEIGHT)], WIDTH, HEIGHT), WHOLE, WIDTH, HEIGHT)
    found = measures.by_patch(random_maps(), truth)
    for metric in set(measures.BY_PATCH) - {"sparseness"}:
        np.testing.assert_allclose(found[metric], 1)
        assert measures.chance(truth)[metric] == 1


# ---- boxes ----------------------------------------------------------------------------------------------------------


def naive_boxes(weights, truth, threshold):
    """The best IoU of each object with boxes around connected patches, found by filling from each patch."""
    high = max(float(weights[tuple(cell)]) for cell in np.argwhere(truth.visible))
    open_ = {tuple(c) for c in np.argwhere(truth.visible).tolist() if weights[tuple(c)] >= np.float64(threshold) * high}
    best = np.zeros(len(truth.boxes))
    while open_:
        stack, part = [open_.pop()], []
        while stack:
            row, col = stack.pop()
            part.append((row, col))
            near = {(row + i, col + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & open_
            open_ -= near
            stack += near
        rows, cols = [row for row, _ in part], [col for _, col in part]
        box = truth.xs[min(cols)], truth.ys[min(rows)], truth.xs[max(cols) + 1], truth.ys[max(rows) + 1]
        for place, other in enumerate(truth.boxes):
            width = max(0, min(box[2], other[2]) - max(box[0], other[0]))
            height = max(0, min(box[3], other[3]) - max(box[1], other[1]))
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
            best[place] = max(best[place], width * height / (sum(areas) - width * height))
    return best


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_boxes_equal_those_filled_patch_by_patch(frame):
    truth = on_grid(of_boxes([(22, 8, 47, 31), (55, 30, 62, 38)], WIDTH, HEIGHT), frame, WIDTH, HEIGHT)
    maps = random_maps(5, 3, frame.rows, frame.cols) ** 3
    found = measures.box_overlaps(maps, truth)
    assert found.shape == (5, len(measures.THRESHOLDS), 2)
    for place, weights in enumerate(maps):
        for at, threshold in enumerate(measures.THRESHOLDS):
            np.testing.assert_allclose(found[place, at], naive_boxes(weights, truth, threshold), atol=1e-9)


def test_objects_are_found_by_size():
    sizes = np.array([0.01, 0.1, 0.1, 0.5])
    overlaps = np.array([[0.35, 0.6, 0.2, 0.7], [0.3, 0.3, 0.3, 0.3]])
    found = measures.objects_found(overlaps, sizes)
    np.testing.assert_allclose(found[0, 0], [0.75, 1, 0.5, 1])
    np.testing.assert_allclose(found[0, 1], [0.5, 0, 0.5, 1])
    np.testing.assert_allclose(found[0, 2], [0.25, 0, 0, 1])
    np.testing.assert_allclose(found[1], [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    none = measures.objects_found(np.zeros((1, 0)), np.zeros(0))
    assert np.isnan(none).all() and none.shape == (1, 3, 4)


# ---- what many pictures say -----------------------------------------------------------------------------------------


def test_the_interval_is_that_of_scipys_bootstrap():
    values = np.random.default_rng(0).random((3, 40))
    low, high = interval(values, seed=5)
    for place, own in enumerate(values):
        found = stats.bootstrap(
            (own,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(5)
        ).confidence_interval
        assert (low[place], high[place]) == pytest.approx((found.low, found.high))
    assert np.isnan(interval(values[:, :1])[0]).all()


def test_holm_is_that_of_the_definition():
    rng = np.random.default_rng(2)
    for count in (1, 2, 9):
        p = rng.random(count) ** 3
        p[-1] = p[0]
        by_hand = [max(min(1, (p >= other).sum() * other) for other in p if other <= own) for own in p]
        np.testing.assert_allclose(holm(p), by_hand)


def test_the_test_is_one_sided_and_paired():
    differences = np.random.default_rng(3).normal(0.2, 1, (4, 30))
    expected = [stats.ttest_1samp(own, 0, alternative="greater").pvalue for own in differences]
    np.testing.assert_allclose(better(differences), expected)
    np.testing.assert_allclose(better(np.array([[0.5] * 4, [0.0] * 4, [-0.5] * 4])), [0.5**4, 1, 1])


def test_pictures_without_a_measure_are_left_out():
    values = np.array([[0.2, np.nan, 0.4], [0.6, np.nan, 1.0]])
    found = summarise(values, np.array([0.1, 0.9, 0.3]))
    np.testing.assert_allclose(found.value, [0.3, 0.8])
    assert found.images.tolist() == [2, 2] and np.all(found.p_value < 0.5)
    assert np.isnan(summarise(values, np.zeros(3), None).p_value).all()
    assert summarise(values[:, 1:2], np.zeros(1)).images.tolist() == [0, 0]


def test_halves_are_halves():
    for count in (1, 2, 7, 100):
        chosen = halves(count, 4)
        assert chosen.sum() == (count + 1) // 2 and np.array_equal(chosen, halves(count, 4))
    assert not np.array_equal(halves(100, 1), halves(100, 2))
