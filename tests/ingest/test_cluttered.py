"""Cluttered digits: the mask is the digit, and clutter and place are drawn independently of each other."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from ingest.synth.cluttered import ClutteredSet, boxes_of, write_cluttered
from ingest.synth.digits import load_digits
from ingest.vision.cluttered import Clutter, cluttered, corner
from tests.support.commands import run

SMALL = Clutter(canvas=(60, 40), digit=16, distractors=4, distractor=5)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def digits():
    source = load_digits("train")
    return np.stack([source.resized(index, 16) for index in range(50)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("cluttered")
    write_cluttered(place, ClutteredSet(SMALL), {"train": 5, "test": 3})
    return place


@pytest.mark.parametrize("kind", ["grey", "binary", "textured"])
def test_the_mask_is_where_the_digit_was_put(digits, kind):
    """Without clutter the picture is the digit alone, at its mask; clutter changes the picture and not the mask."""
    for seed in range(5):
        alone = Clutter((60, 40), 16, distractors=0, kind=kind, texture=0)
        picture, mask = cluttered(digits[seed], digits, alone, rng(seed), rng(9))
        x, y = corner(alone, rng(seed))
        expected = np.zeros((40, 60), bool)
        expected[y : y + 16, x : x + 16] = digits[seed] >= digits[seed].max() / 2
        assert np.array_equal(mask, expected)
        own = np.where(expected, 255, 0) if kind == "binary" else picture * 0
        if kind != "binary":
            own[y : y + 16, x : x + 16] = digits[seed]
        assert np.array_equal(picture, own)
        among = Clutter((60, 40), 16, distractors=4, distractor=5, kind=kind)
        full, same = cluttered(digits[seed], digits, among, rng(seed), rng(9))
        assert np.array_equal(same, mask) and full.dtype == np.uint8 and np.all(full >= own)
        assert full[~mask].astype(int).sum() > own[~mask].astype(int).sum()


def test_place_and_clutter_are_independent(digits):
    draw = lambda place, clutter: cluttered(digits[3], digits, SMALL, rng(place), rng(clutter))  # noqa: E731
    one, mask = draw(1, 2)
    assert np.array_equal(one, draw(1, 2)[0])
    other_clutter, same_mask = draw(1, 3)
    assert np.array_equal(mask, same_mask) and not np.array_equal(one, other_clutter)
    # The same clutter elsewhere: what neither digit covers is the same, pixel for pixel.
    moved, other_mask = draw(4, 2)
    assert not np.array_equal(mask, other_mask)
    covered = np.zeros_like(mask)
    for seed in (1, 4):
        x, y = corner(SMALL, rng(seed))
        covered[y : y + 16, x : x + 16] = True
    assert np.array_equal(one[~covered], moved[~covered]) and one[~covered].any()


def test_kinds_look_as_they_are_called(digits):
    pictures = {
        kind: cluttered(
            digits[0], digits, Clutter((60, 40), 16, distractors=4, distractor=5, kind=kind), rng(0), rng(1)
        )
        for kind in ("grey", "binary", "textured")
    }
    assert set(np.unique(pictures["binary"][0])) == {0, 255}
    assert len(np.unique(pictures["grey"][0])) > 5 and (pictures["grey"][0] == 0).mean() > 0.4
    assert (pictures["textured"][0] == 0).mean() < 0.2
    assert all(np.array_equal(mask, pictures["grey"][1]) for _, mask in pictures.values())


@pytest.mark.parametrize(("offset", "expected"), [(0, {22}), (0.5, set(range(11, 34))), (1, set(range(45)))])
def test_the_offset_is_a_share_of_the_margin(offset, expected):
    settings = Clutter((60, 60), 16, offset)
    corners = [corner(settings, rng(seed)) for seed in range(600)]
    assert {x for x, _ in corners} == {y for _, y in corners} == expected


def test_the_measures_of_the_study():
    """100 pixels, digits of 28, within two thirds of the margin, six pieces of 9."""
    settings = Clutter()
    corners = np.array([corner(settings, rng(seed)) for seed in range(2000)])
    assert corners.min() == 12 and corners.max() == 60
    assert (settings.distractors, settings.distractor) == (6, 9)


def test_the_table_and_the_masks(folder):
    with open(folder / "metadata.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [
        f"{split}/{i:05d}.png" for split, n in (("train", 5), ("test", 3)) for i in range(n)
    ]
    for row in rows:
        mask = np.asarray(Image.open(folder / ".masks" / row["file"]))
        assert mask.shape == (40, 60) and set(np.unique(mask)) == {0, 255}
        (x, y, width, height), inside = json.loads(row["boxes"])[0], mask > 0
        assert inside[y : y + height, x : x + width].sum() == inside.sum()
        assert (
            inside[:, x].any() and inside[y].any() and inside[:, x + width - 1].any() and inside[y + height - 1].any()
        )
        picture = np.asarray(Image.open(folder / row["file"]))
        assert picture[inside].min() >= 100
    assert boxes_of(np.zeros((4, 4), bool)) == []


def test_an_ingest_reads_no_mask_as_a_picture(command, folder):
    result = command("scan", folder)
    assert result.code == 0, result.err
    assert "metadata.csv describes 8 of 8 pictures" in result.err


def test_going_on_and_other_settings(tmp_path):
    words = ("--canvas", "40x30", "--digit", 12, "--distractor-size", 4, "--test", 1)
    first = run("synth", "cluttered", tmp_path, "--train", 2, *words)
    assert first.code == 0 and "2 pictures to train, 1 picture to test new" in first.out + first.err
    before = (tmp_path / "train" / "00001.png").read_bytes()
    assert "1 picture to train, 0 pictures to test new" in run("synth", "cluttered", tmp_path, "--train", 3, *words).out
    assert (tmp_path / "train" / "00001.png").read_bytes() == before
    refused = run("synth", "cluttered", tmp_path, "--train", 3, *words, "--background", "binary")
    assert refused.code == 2 and "was made with kind 'grey'" in refused.err
    refused = run("synth", "megapixel", tmp_path, "--train", 3, "--test", 1)
    assert refused.code == 2 and "has pictures of something else" in refused.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--canvas", "20"], "A digit of 28 pixels does not fit on a canvas of 20 × 20"),
        (["--distractor-size", "40"], "so its side is 1 to 28, not 40"),
        (["--canvas", "wide"], "'wide' is no size in pixels"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, words, sentence):
    result = run("synth", "cluttered", tmp_path / "new", "--train", 1, "--test", 1, *words)
    assert result.code == 2 and sentence in result.err
    assert not list(tmp_path.rglob("*.png"))
