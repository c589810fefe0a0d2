import numpy as np
import pytest

from store import companding
from store.errors import StoreError


def mass_mask(weights, share=0.6):
    """The largest weights of each row that hold this share of it."""
    order = np.argsort(-weights, axis=1)
    before = np.cumsum(np.take_along_axis(weights, order, 1), axis=1) - np.take_along_axis(weights, order, 1)
    mask = np.zeros(weights.shape, bool)
    np.put_along_axis(mask, order, before < share * weights.sum(axis=1, keepdims=True), 1)
    return mask


@pytest.mark.parametrize("peak", [0.5, 2.0, 4.0])
def test_the_error_stays_within_the_bound_of_the_module(make, peak):
    weights = make.softmax(np.random.default_rng(1), 50, 1369, peak)
    codes, scales = companding.encode(weights)
    error = np.abs(companding.decode(codes, scales).astype(np.float64) - weights)
    largest = weights.max(axis=1, keepdims=True).astype(np.float64)
    bound = largest * (np.sqrt(weights / largest) / 255 + 1 / (4 * 255**2))
    assert (error <= bound * (1 + 1e-4) + 1e-12).all()
    assert error.max() > bound.max() / 4  # the bound says something


@pytest.mark.parametrize("peak", [0.5, 2.0, 4.0])
def test_peaked_rows_keep_their_mass_where_a_linear_code_loses_it(make, peak):
    weights = make.softmax(np.random.default_rng(2), 50, 1369, peak)
    decoded = companding.decode(*companding.encode(weights))
    largest = weights.max(axis=1, keepdims=True)
    linear = np.rint(255 * weights / largest) / 255 * largest
    lost, lost_by_linear = (np.abs(other - weights).sum(axis=1).mean() for other in (decoded, linear))
    assert lost < 0.02
    assert lost < lost_by_linear
    kept, drawn = mass_mask(weights), mass_mask(decoded)
    assert ((kept & drawn).sum(axis=1) / (kept | drawn).sum(axis=1)).mean() > 0.97


def test_shapes_types_and_the_largest_weight(make):
    weights = make.softmax(np.random.default_rng(3), 7, 12)
    codes, scales = companding.encode(weights)
    assert (codes.shape, codes.dtype, scales.shape, scales.dtype) == ((7, 12), np.uint8, (7,), np.float32)
    assert (codes.max(axis=1) == 255).all()
    assert (companding.decode(codes, scales).max(axis=1) == weights.max(axis=1)).all()


def test_maps_of_zeros_and_of_nothing():
    codes, scales = companding.encode(np.zeros((2, 4), np.float32))
    assert (companding.decode(codes, scales) == 0).all()
    assert companding.encode(np.zeros((0, 4), np.float32))[0].shape == (0, 4)


@pytest.mark.parametrize("bad", [-1e-9, np.nan, np.inf])
def test_impossible_weights_are_refused(bad):
    with pytest.raises(StoreError, match="finite weights of 0 and more"):
        companding.encode(np.array([[0.5, bad]], np.float32))
