"""What scores patches of large pictures, against plain computations, and by things planted in pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from ingest.vision.backbones import load
from ingest.vision.embedding import embed, observe
from ingest.vision.geometry import Frame, fit_image
from ingest.vision.patches import PatchGrid, SelectionSettings, select
from ingest.vision.patches.low_resolution import LowResolutionAttention, gathered
from ingest.vision.patches.rarity import MOST, SAMPLE, PatchSample, Rarity, sampled
from ingest.vision.patches.reader import PatchReader
from ingest.vision.windows.scan import whole
from tests.support.pictures import gradient, noise


def reader_of(picture: Image.Image, side: int, stride: int | None = None) -> PatchReader:
    return PatchReader(whole(picture), PatchGrid(*picture.size, (side, side), (stride or side,) * 2))


def picked(reader: PatchReader, scorer, top: int, picture: int = 0):
    settings = SelectionSettings(top, 4, "exact")
    return select(reader.chunks(4), scorer.logits_of(reader, picture), settings)


def naive_share(attention: np.ndarray, frame: Frame, box: tuple[int, int, int, int]) -> np.ndarray:
    """(heads,): pixel by pixel, each with what its cell has for a pixel."""
    total = np.zeros(len(attention))
    cell_height, cell_width = (frame.y1 - frame.y0) / frame.rows, (frame.x1 - frame.x0) / frame.cols
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            row, col = int((y + 0.5 - frame.y0) // cell_height), int((x + 0.5 - frame.x0) // cell_width)
            if 0 <= row < frame.rows and 0 <= col < frame.cols:
                total += attention[:, row, col].astype(np.float64) / (cell_height * cell_width)
    return total


def naive_overlap(attention: np.ndarray, frame: Frame, box: tuple[int, int, int, int]) -> np.ndarray:
    """(heads,): cell by cell, what the box covers of each."""
    total = np.zeros(len(attention))
    for row in range(frame.rows):
        for col in range(frame.cols):
            x0, y0, x1, y1 = frame.cell_box(row, col)
            width, height = min(x1, box[2]) - max(x0, box[0]), min(y1, box[3]) - max(y0, box[1])
            if width > 0 and height > 0:
                total += attention[:, row, col].astype(np.float64) * (width * height) / ((x1 - x0) * (y1 - y0))
    return total


@pytest.mark.parametrize("frame", [Frame(0, 0, 40, 30, 3, 5), Frame(0, 0, 40, 30, 15, 20), Frame(5, -10, 35, 40, 5, 6)])
def test_attention_is_gathered_where_it_lies(frame):
    attention = np.random.default_rng(0).random((3, frame.rows, frame.cols)).astype(np.float32)
    grid = PatchGrid(40, 30, (10, 7), (8, 7))
    found = gathered(attention, frame, grid)
    assert found.shape == (3, len(grid))
    for index in range(len(grid)):
        np.testing.assert_allclose(found[:, index], naive_share(attention, frame, grid.box(index)), rtol=1e-9)


@pytest.mark.parametrize("name", ["siglip", "dinov2", "deit-distilled", "dinov2-registers", "timm-beit"])
def test_scores_are_shares_of_the_attention_with_any_special_tokens(name):
    """Of 0, 1, 2 and 5 special tokens; in the picture's own shape, or in a square where a network wants one."""
    backbone = load(f"tiny:{name}")
    scorer = LowResolutionAttention(backbone)
    picture = noise(150, 90)
    reader = reader_of(picture, 30)
    attention, frame = scorer.attention(reader)
    assert (frame.x0, frame.y0) == (0, 0) and frame.x1 <= 150 and frame.y1 <= 90
    pixels, _ = fit_image(picture, backbone.rule, scorer.fit)
    maps = observe(backbone, torch.from_numpy(pixels.copy())[None], [scorer.method]).maps[0]
    last = np.array(maps.layers) == max(maps.layers)
    np.testing.assert_allclose(attention.reshape(len(attention), -1), maps.weights[0][last], rtol=1e-5)
    parts = np.stack([naive_overlap(attention, frame, reader.grid.box(index)) for index in range(15)])
    shares = (parts / parts.sum(axis=0)).mean(axis=1)
    found = picked(reader, scorer, 6)
    order = np.argsort(-shares)[:6]
    np.testing.assert_allclose(found.scores[0], shares[order], rtol=1e-6)
    assert found.indices[0].tolist() == order.tolist()


def test_a_planted_peak_is_found_in_the_pixels_of_the_original(monkeypatch):
    scorer = LowResolutionAttention(load("tiny:dinov2"))
    frame = Frame(0, 0, 900, 500, 10, 18)
    attention = np.full((2, 10, 18), 0.001, np.float32)
    attention[:, 7, 3] = 1  # over x 150–200, y 350–400
    monkeypatch.setattr(scorer, "attention", lambda reader: (attention, frame))
    reader = reader_of(gradient(size=(900, 500)), 100)
    left, top, right, bottom = reader.grid.box(int(picked(reader, scorer, 1).indices[0, 0]))
    assert left <= 150 and right >= 200 and top <= 350 and bottom >= 400


def naive_rarity(vector: np.ndarray, sample: PatchSample, skip: int | None) -> float:
    kept = [row.astype(np.float64) for place, row in enumerate(sample.vectors) if place != skip]
    cosines = sorted((float(vector.astype(np.float64) @ row) for row in kept), reverse=True)
    return 1 - float(np.mean(cosines[:5]))


def unit_vectors(count: int, dim: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("count", [2, 5, 6, 40])
def test_rarity_is_one_minus_the_mean_cosine_of_the_nearest_others(count):
    sample = PatchSample(np.arange(count) % 3, np.arange(count), unit_vectors(count, 8, 1))
    scorer = Rarity(load("tiny:dinov2"), sample)
    vectors = unit_vectors(4, 8, 2)
    vectors[1] = sample.vectors[1]  # the patch itself is no neighbour
    found = scorer.rarity(vectors, 1, np.array([90, 1, 2, 0]))
    for place, skip in enumerate([None, 1, None, None]):
        assert found[place] == pytest.approx(naive_rarity(vectors[place], sample, skip), abs=1e-6)


def test_the_odd_patch_among_like_ones_is_the_rarest():
    tile = np.asarray(noise(28, 28, 3))
    pixels = np.tile(tile, (5, 6, 1))
    pixels[84:112, 56:84] = np.asarray(gradient(size=(28, 28)))
    reader = reader_of(Image.fromarray(pixels), 28)
    backbone = load("tiny:dinov2")
    places = np.arange(len(reader.grid))
    vectors = Rarity(backbone, PatchSample(places, places, np.empty((0, 0)))).features(reader.pixels(places.tolist()))
    scorer = Rarity(backbone, PatchSample(np.full(len(places), 7), places, vectors))
    found = picked(reader, scorer, 3, picture=7)
    assert reader.grid.box(int(found.indices[0, 0])) == (56, 84, 84, 112)
    assert found.logits[0, 0] > 100 * found.logits[0, 1].abs()


def test_a_patch_that_is_alone_says_so():
    scorer = Rarity(load("tiny:dinov2"), PatchSample(np.array([1]), np.array([0]), unit_vectors(1, 8, 0)))
    with pytest.raises(ValueError, match="a single patch"):
        scorer.rarity(unit_vectors(1, 8, 1), 1, np.array([0]))


def test_samples_are_the_same_again_and_never_too_many():
    assert sampled(1000, 10, [0, 5]).tolist() == sampled(1000, 10, [0, 5]).tolist()
    assert len(sampled(1000, 10, [0, 5])) == MOST and len(set(sampled(1000, 10, [0, 5]).tolist())) == MOST
    assert len(sampled(3, 10, [0, 5])) == 3
    many = 4 * SAMPLE
    assert abs(sum(len(sampled(100, many, [0, image])) for image in range(400)) - 100) < 35


@pytest.mark.parametrize("stride", [20, 13])
def test_a_reader_gives_the_patches_of_the_picture_and_reads_neighbours_at_once(stride, monkeypatch):
    picture = noise(100, 70)
    reader = reader_of(picture, 20, stride)
    expected = reader.grid.cut(torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)).permute(0, 2, 3, 1)
    asked = [5, 0, 1, 2, len(reader.grid) - 1, 4]
    np.testing.assert_array_equal(reader.pixels(asked), expected[asked].numpy())
    boxes = []
    read = reader.scan.read
    monkeypatch.setattr(reader.scan, "read", lambda box, size: boxes.append(box) or read(box, size))
    got = np.concatenate([unread() for unread, _ in reader.chunks(4)])
    np.testing.assert_array_equal(got, expected.numpy())
    assert max((right - left) for left, _, right, _ in boxes) <= 4 * 20
    assert all(bottom - top == 20 for _, top, _, bottom in boxes)


def test_features_are_those_of_the_patches_as_pictures():
    backbone = load("tiny:dinov2")
    reader = reader_of(noise(120, 60), 30)
    patches = reader.pixels(range(8))
    found = LowResolutionAttention(backbone, batch_size=3).features(patches)
    expected = np.stack([embed(backbone, [Image.fromarray(patch)], "stretch")[0] for patch in patches])
    np.testing.assert_allclose(found, expected, atol=1e-5)
