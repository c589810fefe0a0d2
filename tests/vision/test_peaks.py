"""Peaks: where the largest weights of a map lie in the picture."""

import numpy as np
import pytest

from ingest.vision.geometry import Frame
from ingest.vision.peaks import peaks

SEEN, SIZE = (80.0, 0.0, 560.0, 480.0), (640, 480)  # the square in the middle of a picture


def spots(*cells, rows=6, cols=4):
    weights = np.full((rows, cols), 0.001, np.float32)
    for row, col, weight in cells:
        weights[row, col] = weight
    return weights


def test_the_largest_comes_first_and_neighbours_are_passed_over():
    found = peaks(spots((1, 2, 0.3), (2, 2, 0.2), (2, 3, 0.25), (5, 0, 0.1)), SEEN, SIZE, 2, "attention")
    assert [peak.box for peak in found] == [(320.0, 80.0, 440.0, 160.0), (80.0, 400.0, 200.0, 480.0)]
    assert [peak.times for peak in found] == pytest.approx([0.3 * 24, 0.1 * 24])


def test_there_are_no_more_than_there_is_room_for():
    found = peaks(np.full((3, 3), 1 / 9, np.float32), SEEN, SIZE, 99, "attention")
    assert len(found) == 4 and all(peak.times == pytest.approx(1) for peak in found)
    assert peaks(np.zeros((3, 3), np.float32), SEEN, SIZE, 3, "attention") == []


def test_evidence_is_measured_by_its_mean_and_may_be_small():
    (found,) = peaks(spots((0, 0, 9.0)), SEEN, SIZE, 1, "attribution")
    assert found.times == pytest.approx(9 / ((9 + 23 * 0.001) / 24))


def test_padding_is_no_peak():
    seen = (0.0, -80.0, 640.0, 560.0)  # fit pad: the frame reaches beyond the picture
    weights = spots((0, 1, 0.9), (3, 1, 0.2), rows=8, cols=8)
    (found,) = peaks(weights, seen, SIZE, 1, "attribution")
    assert found.box == Frame(*seen, 8, 8).cell_box(3, 1)
    assert found.times == pytest.approx(0.2 / ((0.2 + 47 * 0.001) / 48), rel=1e-5)
