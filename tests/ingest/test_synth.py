"""Generated pictures: what the table says of them is what is in them."""

import csv
import gzip
import json

import numpy as np
import pytest
from PIL import Image

from ingest.errors import SourceError
from ingest.synth.digits import load_digits
from ingest.synth.megapixel import Generator, Megapixel, side_of_ratio, write_megapixel
from ingest.synth.noise import bezier, bezier_points, scribbles, stroke
from tests.support.commands import run

SMALL = Megapixel(canvas=(120, 90), digit=20, noise=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("megapixel")
    write_megapixel(place, SMALL, {"train": 6, "test": 3})
    return place


def rows(folder) -> list[dict[str, str]]:
    with open(folder / "metadata.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_digits_lie_in_their_boxes(folder):
    """Each box holds one of the digits of its split, pixel for pixel, with the label that the table gives."""
    for row in rows(folder):
        pixels, known = np.asarray(Image.open(folder / row["file"])), load_digits(row["split"])
        assert pixels.shape == (90, 120)
        for (x, y, width, height), digit in zip(json.loads(row["boxes"]), json.loads(row["digits"]), strict=True):
            shown = pixels[y : y + height, x : x + width]
            alike = [i for i in np.flatnonzero(known.labels == digit) if np.array_equal(known.resized(i, 20), shown)]
            assert len(alike) >= 1


def test_the_four_tasks(folder):
    for row in rows(folder):
        digits, boxes = json.loads(row["digits"]), json.loads(row["boxes"])
        assert digits.count(int(row["majority"])) == 3
        assert int(row["max"]) == max(digits)
        assert int(row["top"]) == digits[min(range(5), key=lambda i: boxes[i][1])]
        assert [int(each) for each in row["multi"].split("; ")] == sorted(set(digits))


def test_digits_do_not_overlap_and_noise_lies_outside(folder):
    for row in rows(folder):
        boxes = json.loads(row["boxes"])
        for i, (x, y, side, _) in enumerate(boxes):
            assert all(abs(x - a) >= side or abs(y - b) >= side for a, b, _, _ in boxes[:i])
        pixels = np.asarray(Image.open(folder / row["file"])).copy()
        for x, y, side, _ in boxes:
            pixels[y : y + side, x : x + side] = 0
        assert pixels.any()


def test_seeds_differ_and_a_picture_is_the_same_whichever_others_are_made(tmp_path):
    one = Generator(SMALL, "train").sample(4)
    assert np.array_equal(one.pixels, Generator(SMALL, "train").sample(4).pixels)
    for other in (Megapixel(canvas=(120, 90), digit=20, noise=6, seed=1), SMALL):
        split = "train" if other is not SMALL else "test"
        assert not np.array_equal(one.pixels, Generator(other, split).sample(4).pixels)


def test_splits_share_no_digit():
    train, test = load_digits("train"), load_digits("test")
    assert len(train.labels) + len(test.labels) == 1797
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(10))


def test_the_thickness_really_varies():
    """A straight line of every thickness has the area that it should have; the original drew one pixel for all of them."""
    line = np.array([[14.0, 4.0], [14.0, 24.0]])
    for thickness in (0.5, 1.0, 1.5, 1.925, 2.5, 4.0):
        inner = stroke(line, thickness)[:, 8:20] / 255
        assert inner.sum() / 12 == pytest.approx(thickness, abs=0.02)
    areas = [bezier(np.random.default_rng(5), each).sum() for each in (1.2, 1.5, 1.925, 2.5)]
    assert np.all(np.diff(areas) > 0)


def test_bezier_points_are_de_casteljaus():
    control = np.random.default_rng(2).random((6, 2))
    for t, point in zip(np.linspace(0, 1, 11), bezier_points(control, 10), strict=True):
        points = control
        while len(points) > 1:
            points = (1 - t) * points[:-1] + t * points[1:]
        np.testing.assert_allclose(point, points[0], atol=1e-12)


def test_scribbles_are_bright_thin_lines():
    drawn = [scribbles(np.random.default_rng(seed)) for seed in range(20)]
    lit = np.concatenate([each[each > 0] for each in drawn])
    assert lit.min() >= 0.8 * 255 - 1 and all(20 <= (each > 0).sum() <= 112 for each in drawn)


def test_the_ratio_is_that_of_the_areas():
    assert side_of_ratio(4, (140, 140)) == 28 and Megapixel((140, 140), 28).ratio == pytest.approx(0.04)
    assert side_of_ratio(28**2 / 3000**2 * 100, (3000, 3000)) == 28


def test_going_on_adds_what_is_missing(tmp_path):
    assert write_megapixel(tmp_path, SMALL, {"train": 2, "test": 1}) == {"train": 2, "test": 1}
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.png")}
    assert write_megapixel(tmp_path, SMALL, {"train": 4, "test": 1}) == {"train": 2, "test": 0}
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())
    assert [row["file"] for row in rows(tmp_path)][:4] == [f"train/{i:05d}.png" for i in range(4)]
    with pytest.raises(SourceError, match=r"was made with .*noise 6"):
        write_megapixel(tmp_path, Megapixel(canvas=(120, 90), digit=20, noise=7), {"train": 4, "test": 1})
    with pytest.raises(SourceError, match="4 pictures to train"):
        write_megapixel(tmp_path, SMALL, {"train": 2, "test": 1})


def test_files_of_mnist(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("train", 30), ("t10k", 20)):
        images, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8) % 10
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            data = header + array.tobytes()
            if name == "train":
                (tmp_path / f"{name}-{kind}-ubyte").write_bytes(data)
            else:
                (tmp_path / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(data))
    found = load_digits("test", tmp_path)
    assert found.images.shape == (20, 28, 28) and found.labels[13] == 3
    sample = Generator(Megapixel((100, 100), 28, 0, digits=tmp_path), "train").sample(0)
    assert len(sample.digits) == 5
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"no idx")
    with pytest.raises(SourceError, match="no file of MNIST"):
        load_digits("train", tmp_path)
    with pytest.raises(SourceError, match="has no file train-images-idx3-ubyte"):
        load_digits("train", tmp_path / "empty")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--canvas", "50"], "5 digits of 28 pixels do not fit beside each other on a canvas of 50 × 50"),
        (["--canvas", "30x400", "--noise-size", "31"], "Noise of 31 pixels does not fit"),
        (["--canvas", "wide"], "'wide' is no size in pixels"),
        (["--ratio", "1", "--digit", "28"], "give one of them"),
        (["--canvas", "60x90", "--digit", "30"], "do not fit beside each other"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, words, sentence):
    result = run("synth", "megapixel", tmp_path / "new", "--train", 1, "--test", 1, *words)
    assert result.code == 2 and sentence in result.err
    assert not list(tmp_path.rglob("*.png"))


def test_an_ingest_reads_the_table_by_itself(command, folder):
    result = command("scan", folder)
    assert result.code == 0, result.err
    assert "metadata.csv describes 9 of 9 pictures" in result.err
