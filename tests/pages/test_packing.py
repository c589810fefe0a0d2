"""Ids of pictures as text, for the address and for the browser."""

import base64

import numpy as np
import pytest

from dashboard.compute import packing


def decoded(text: str) -> list[int]:
    """The ids that the browser reads out of `packing.listed`."""
    ids, value, shift, at = [], 0, 0, 0
    for byte in base64.b64decode(text):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            at += (value >> 1) ^ -(value & 1)
            ids.append(at)
            value, shift = 0, 0
    return ids


@pytest.mark.parametrize(
    "ids",
    [[], [0], [7], [1, 2, 3], [5, 900, 901, 2**40], list(range(20_000)), list(range(0, 900, 3))],
)
def test_ids_survive_the_address(ids):
    text = packing.pack(np.array(ids, dtype=np.int64))
    assert len(text) <= packing.LONGEST and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    assert packing.unpack(text).tolist() == ids


def test_many_scattered_pictures_do_not_fit_an_address():
    scattered = np.random.default_rng(0).choice(10**6, 5000, replace=False)
    assert packing.pack(scattered) is None


@pytest.mark.parametrize("text", ["", "r", "x123", "z####", "rAA", "zAAAA", "r" + "_" * 1400, "r" + "A" * 5000])
def test_what_is_no_selection_is_none(text):
    assert packing.unpack(text) is None


@pytest.mark.parametrize("ids", [list(range(0, 900, 3)), [5, 900, 901, 2**40]])
@pytest.mark.parametrize("lost", [1, 2, 7])
def test_a_link_that_lost_its_end_is_noticed(ids, lost):
    found = packing.unpack(packing.pack(np.array(ids))[:-lost])
    assert found is None or found.tolist() == ids  # all is there but the end of the check


def test_a_link_cannot_ask_for_more_pictures_than_there_is_room_for():
    plain = packing.varints(np.array([1, 2**40], dtype=np.int64))
    plain += packing._check(plain)
    assert packing.unpack("r" + packing._text(plain)) is None


@pytest.mark.parametrize("ids", [[], [3, 1, 2], [2**40, 0, 5]])
def test_the_gallery_gets_ids_in_their_order(ids):
    assert decoded(packing.listed(np.array(ids, dtype=np.int64))) == ids
