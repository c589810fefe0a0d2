"""Finding details: each step against an independent computation, and parts that were planted in pictures."""

import numpy as np
import pytest
import torch
from PIL import Image

from ingest.vision.backbones import BackboneError, load
from ingest.vision.details import measuring, search
from ingest.vision.details.coding import decode, encode, fit_coding
from ingest.vision.details.crops import DEGRADED, REDRAWN, overlap, random_crops
from ingest.vision.details.matching import PatchBank, max_similarity
from ingest.vision.details.search import BadPart, cut
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import agreement, key_points
from ingest.vision.details.voting import vote
from ingest.vision.geometry import Frame
from tests.support.pictures import noise

# 0, 1, 2 and 5 special tokens, by both libraries.
NETWORKS = ("timm-gap", "siglip", "vit", "timm-deit-distilled", "dinov2-registers", "timm-dinov3")


@pytest.fixture(scope="module")
def blocks():
    return BlockTokens(load("tiny:dinov2", None, None, "cpu"))


@pytest.mark.parametrize("name", NETWORKS)
def test_tokens_after_the_last_block_are_what_the_network_itself_gives(name):
    backbone = load(f"tiny:{name}", None, None, "cpu")
    found = BlockTokens(backbone)
    rows, cols = (2, 5) if backbone.any_grid else (4, 4)
    pixels = torch.randn(2, 3, rows * 14, cols * 14, generator=torch.Generator().manual_seed(1))
    first, last = found.read(pixels, [found.layers[0], found.layers[-1]])
    with torch.inference_mode():
        expected = backbone.process(pixels, tokens=True).residual
    assert first.shape == last.shape == (2, rows * cols, 32)
    assert torch.equal(last, expected[:, -rows * cols :].float()) and not torch.allclose(first, last)
    (alone,) = found.read(pixels[1:], [found.layers[0]])
    assert torch.allclose(alone[0], first[1], atol=1e-5)


def test_a_pass_ends_with_the_last_block_that_is_asked_for(blocks):
    seen = []
    handles = [module.register_forward_hook(lambda *_, n=n: seen.append(n)) for n, module in blocks.blocks.items()]
    blocks.read(torch.zeros(1, 3, 28, 42), [1])
    for handle in handles:
        handle.remove()
    assert seen == [0, 1]


def test_a_network_whose_blocks_give_no_patches_is_refused():
    with pytest.raises(BackboneError, match="details cannot be searched"):
        BlockTokens(load("tiny:timm-cait", None, None, "cpu"))


def test_the_components_are_those_of_a_float64_eigendecomposition_and_outliers_stay_out():
    random = np.random.default_rng(0)
    tokens = (random.normal(size=(600, 12)) * np.linspace(5, 1, 12) + 3).astype(np.float32)
    far = np.concatenate([tokens, 400 * random.normal(size=(5, 12)).astype(np.float32)])
    coding = fit_coding(far, 4, 1, "aspect", 56, 28)
    assert coding.outliers(far).tolist() == [False] * 600 + [True] * 5
    exact = tokens.astype(np.float64)
    centred = exact - exact.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(np.abs(np.sum(coding.axes * axes[:4], axis=1)), 1, atol=1e-4)
    expected = (exact - exact.mean(0)) @ axes[:4].T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    ours = coding.project(tokens)
    assert np.allclose(ours @ ours.T, expected @ expected.T, atol=1e-3)


def test_a_byte_a_number_keeps_cosines():
    vectors = np.random.default_rng(1).normal(size=(300, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes, scale = encode(vectors)
    back = decode(codes, scale)
    assert codes.dtype == np.int8 and np.abs(codes * (scale / 127) - vectors).max() <= scale / 254 + 1e-7
    assert np.abs(back @ back.T - vectors @ vectors.T).max() < 0.02
    assert not decode(*encode(np.zeros((2, 3)))).any()


def planted_bank(pictures=7, dim=16, seed=0) -> tuple[PatchBank, list[np.ndarray]]:
    """Pictures with grids of several shapes, one without any patch, some without a few."""
    random = np.random.default_rng(seed)
    grids = [(2 + n % 3, 3 + n % 4) for n in range(pictures)]
    codes, cells, scales, own = [], [], [], []
    for number, (rows, cols) in enumerate(grids):
        kept = np.flatnonzero(random.random(rows * cols) > 0.1) if number != 3 else np.array([], int)
        vectors = random.normal(size=(len(kept), dim))
        code, scale = encode(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
        codes.append(code.reshape(-1, dim)), cells.append(kept), scales.append(scale)
        own.append(codes[-1].astype(np.float64))
    starts = np.concatenate([[0], np.cumsum([len(each) for each in codes])])
    frames = [Frame(0, 0, cols * 10, rows * 10, rows, cols) for rows, cols in grids]
    sizes = np.array([[cols * 10, rows * 10] for rows, cols in grids])
    ids = np.arange(pictures) * 2 + 5
    return PatchBank(
        ids, starts, np.concatenate(codes), np.array(scales, np.float32), np.concatenate(cells), frames, sizes
    ), own


def naive(own: list[np.ndarray], part: np.ndarray) -> np.ndarray:
    """MaxSim, as its formula reads, in float64."""
    scores = []
    for patches in own:
        best = (
            [max(q @ p / np.linalg.norm(p) / np.linalg.norm(q) for p in patches) for q in part] if len(patches) else []
        )
        scores.append(np.mean(best) if best else -np.inf)
    return np.array(scores)


@pytest.mark.parametrize("few", [False, True])
def test_similarity_of_parts_is_the_mean_of_the_best_cosines(monkeypatch, few):
    bank, own = planted_bank()
    part = np.random.default_rng(2).normal(size=(6, 16)).astype(np.float32)
    part /= np.linalg.norm(part, axis=1, keepdims=True)
    if few:  # picture by picture, decoded as they come
        monkeypatch.setattr("ingest.vision.details.matching.TILE", 1)
    expected = naive(own, part.astype(np.float64))
    assert np.allclose(max_similarity(bank, part), expected, atol=1e-5)
    among = np.arange(len(bank)) % 2 == 0
    assert np.allclose(max_similarity(bank, part, among), np.where(among, expected, -np.inf), atol=1e-5)


def test_with_an_index_the_best_pictures_are_the_same(monkeypatch):
    random = np.random.default_rng(3)
    part = random.normal(size=(9, 16)).astype(np.float32)
    part /= np.linalg.norm(part, axis=1, keepdims=True)
    vectors = random.normal(size=(60, 40, 16)).astype(np.float32)
    vectors[[7, 21, 40], :9] = part + 0.05 * random.normal(size=(3, 9, 16))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    coded = [encode(each) for each in vectors]
    frames = [Frame(0, 0, 8, 5, 5, 8)] * 60
    bank = PatchBank(
        np.arange(60), np.arange(61) * 40, np.concatenate([codes for codes, _ in coded]),
        np.array([scale for _, scale in coded], np.float32), np.tile(np.arange(40), 60), frames, np.tile([8, 5], (60, 1)),
    )  # fmt: skip
    exact = max_similarity(bank, part)
    bank._decoded.clear()
    monkeypatch.setattr("ingest.vision.details.matching.EXACT", 100)
    monkeypatch.setattr("ingest.vision.details.matching.CHOSEN", 10)
    found = max_similarity(bank, part)
    assert np.isfinite(found).sum() == 10
    assert set(np.argsort(-found)[:3]) == set(np.argsort(-exact)[:3]) == {7, 21, 40}
    there = np.isfinite(found)
    assert np.allclose(found[there], exact[there], atol=1e-5)
    among = np.arange(60) != 21
    assert set(np.argsort(-max_similarity(bank, part, among))[:2]) == {7, 40}


def test_votes_find_a_planted_place():
    rows, cols, part = 9, 14, (3, 4)
    similarity = np.random.default_rng(4).uniform(0, 0.2, size=(12, rows * cols)).astype(np.float32)
    for row in range(3):
        for col in range(4):
            similarity[row * 4 + col, (5 + row) * cols + 2 + col] = 1
    found = vote(similarity, part, (rows, cols))
    assert overlap(found.box, (2, 5, 6, 8)) > 0.5 and found.score > 0.75


def test_key_points_agree_on_a_planted_place_and_on_nothing_else():
    picture = textured(300, 200, 5)
    part = picture.crop((60, 50, 160, 140)).rotate(4, Image.Resampling.BICUBIC).resize((120, 108))
    there, here = key_points(np.asarray(picture)), key_points(np.asarray(part), part=True)
    found = agreement(here, there)
    assert found is not None and len(found.here) >= 5
    assert overlap(found.box(*part.size), (60, 50, 160, 140)) > 0.75
    ends = found.here @ found.matrix[:, :2].T + found.matrix[:, 2]
    assert np.abs(ends - found.there).max() < 6
    assert agreement(here, key_points(np.asarray(textured(300, 200, 6)))) is None
    assert agreement(key_points(np.full((40, 40, 3), 90, np.uint8), part=True), there) is None


def textured(width: int, height: int, seed: int) -> Image.Image:
    """Noise of several sizes, as key points like it."""
    random, found = np.random.default_rng(seed), np.zeros((height, width, 3))
    for cells in (6, 14, 40):
        grid = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        found += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), float) / 3
    return Image.fromarray(found.astype(np.uint8))


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((0, 0, 0, 5), "above 0; this one has 0 × 5"),
        ((1, 1, -2, 4), "above 0"),
        ((30, 2, 20, 5), "does not lie inside the picture, which has 40 × 30 pixels"),
        ((-1, 0, 5, 5), "does not lie inside"),
        ((1, 2, 3), "four numbers"),
        ((0, 0, float("nan"), 3), "four numbers"),
    ],
)
def test_boxes_that_are_none_are_refused_in_a_sentence(box, sentence):
    with pytest.raises(BadPart, match=sentence):
        cut(noise(40, 30), box)


def test_a_box_is_cut_as_it_is_drawn():
    picture = noise(40, 30)
    assert cut(picture, None) is picture
    assert np.array_equal(np.asarray(cut(picture, (3, 4, 20, 10))), np.asarray(picture)[4:14, 3:23])


def test_a_part_smaller_than_a_patch_is_refused(blocks):
    coding = fit_coding(np.random.default_rng(0).normal(size=(50, 32)), 8, 1, "aspect", 56, 28)
    with pytest.raises(BadPart, match="13 × 40 pixels is smaller than a patch .* 14 × 14"):
        search.part_of(blocks, coding, noise(13, 40))


@pytest.fixture(scope="module")
def searched(blocks):
    """Pictures of several shapes, their coding and their patches."""
    pictures = [textured(240, 160, 10), textured(150, 210, 11), textured(200, 200, 12), textured(260, 120, 13)]
    tokens = []
    for picture in pictures:
        pixels, _ = search.fit_image(picture, blocks.backbone.rule, "aspect", 112)
        tokens.append(blocks.read(blocks.backbone.pixels(torch.from_numpy(pixels.copy())[None]), [1])[0][0].numpy())
    coding = fit_coding(np.concatenate(tokens), 16, 1, "aspect", 112, 56)
    found = []
    for picture in pictures:
        pixels, frame = search.fit_image(picture, blocks.backbone.rule, "aspect", 112)
        ((vectors, kept),) = search.patches_of(blocks, coding, [(pixels.copy(), frame, picture.size)])
        found.append((frame, *encode(vectors[kept]), np.flatnonzero(kept)))
    starts = np.concatenate([[0], np.cumsum([len(each[1]) for each in found])])
    bank = PatchBank(
        np.arange(4) + 100, starts, np.concatenate([each[1] for each in found]),
        np.array([each[2] for each in found], np.float32), np.concatenate([each[3] for each in found]),
        [each[0] for each in found], np.array([picture.size for picture in pictures]),
    )  # fmt: skip
    return pictures, coding, bank


def test_a_part_is_found_where_it_was_cut_from_in_pixels_of_the_original(blocks, searched):
    pictures, coding, bank = searched
    box = (40.0, 60.0, 120.0, 150.0)
    part = pictures[1].crop(tuple(map(int, box)))
    points = {100 + n: (key_points(np.asarray(picture)), 1.0) for n, picture in enumerate(pictures)}
    first, *others = search.find(blocks, coding, bank, part, points.get, k=3)
    assert (first.image_id, first.stage) == (101, search.KEY_POINTS) and len(others) == 2
    assert first.matches == len(first.agreement.here) >= 5 and overlap(first.box, box) > 0.8
    assert {each.stage for each in others} == {search.VOTES}
    # From a picture half as large, as a thumbnail is, the box is still in pixels of the original.
    points[101] = (key_points(np.asarray(pictures[1].resize((75, 105)))), 2.0)
    (small,) = search.find(blocks, coding, bank, part, points.get, k=1)
    assert small.image_id == 101 and overlap(small.box, box) > 0.6
    # Without any picture the patches decide, and boxes stay inside.
    hits = search.find(blocks, coding, bank, part, lambda image_id: None, k=9)
    assert len(hits) == 4 and {each.stage for each in hits} == {search.VOTES}
    for hit in hits:
        width, height = pictures[hit.image_id - 100].size
        assert 0 <= hit.box[0] < hit.box[2] <= width and 0 <= hit.box[1] < hit.box[3] <= height
    among = bank.image_ids != 101
    assert 101 not in [each.image_id for each in search.find(blocks, coding, bank, part, points.get, among=among)]


def test_mirrored_parts_are_found_on_request(blocks, searched):
    pictures, coding, bank = searched
    box = (30.0, 20.0, 150.0, 120.0)
    part = search.ImageOps.mirror(pictures[0].crop(tuple(map(int, box))))
    points = {100 + n: (key_points(np.asarray(picture)), 1.0) for n, picture in enumerate(pictures)}
    assert all(not each.agreement for each in search.find(blocks, coding, bank, part, points.get))
    first, *others = search.find(blocks, coding, bank, part, points.get, mirrored=True)
    assert first.mirrored and first.image_id == 100 and overlap(first.box, box) > 0.7
    assert not any(each.agreement for each in others)


def test_the_coding_that_finds_most_is_chosen_and_says_by_how_much(blocks, monkeypatch):
    monkeypatch.setattr(measuring, "CROPS", 8)
    monkeypatch.setattr(measuring, "SIDES", (6, 8))
    pictures = [textured(120, 90, n) for n in range(4)]
    ticks = []
    coding = measuring.choose_coding(blocks, pictures, advance=ticks.append)
    rows = coding.report["measured"]
    assert sum(ticks) == 2 * 4 + 2 * 8
    assert [row["reciprocal_rank"] for row in rows] == sorted((row["reciprocal_rank"] for row in rows), reverse=True)
    assert {row["size"] for row in rows} == {84, 112} and all(0 <= row["first"] <= 1 for row in rows)
    assert (coding.layer, coding.size, coding.dim) == tuple(rows[0][name] for name in ("layer", "size", "dim"))
    assert f"block {coding.layer}" in measuring.describe(coding.report) and "of 8 random crops" in measuring.describe(
        coding.report
    )
    assert measuring.choose_coding(blocks, pictures, layer=0, size=56).layer == 0
    alone = measuring.choose_coding(blocks, pictures[:1])
    assert "without measuring" in measuring.describe(alone.report)
    with pytest.raises(ValueError, match="no block 7"):
        measuring.choose_coding(blocks, pictures, layer=7)
    with pytest.raises(ValueError, match="not a multiple"):
        measuring.choose_coding(blocks, pictures, size=50)
    with pytest.raises(ValueError, match="no picture"):
        measuring.choose_coding(blocks, [])


def test_random_crops_are_the_same_each_time_and_changed_in_turn():
    pictures = [textured(200, 150, n) for n in range(3)]
    crops, again = (random_crops(pictures, 12, DEGRADED, seed=3) for _ in range(2))
    assert [crop.box for crop in crops] == [crop.box for crop in again]
    assert [crop.change for crop in crops[:6]] == ["plain", "grey", "plain", "tinted", "plain", "blurred"]
    grey = np.asarray(crops[1].picture).astype(int)
    assert np.ptp(grey, axis=2).max() <= 2
    for crop in crops:
        assert 0 <= crop.box[0] < crop.box[2] <= 200 and 0 <= crop.box[1] < crop.box[3] <= 150
    assert {crop.change for crop in random_crops(pictures, 8, REDRAWN, every=1)} == set(REDRAWN)
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3) and overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0
