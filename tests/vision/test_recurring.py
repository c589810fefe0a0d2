"""Details that recur: boxes, agreements and groups, each on pictures or links in which they were planted."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from ingest.vision.backbones import load
from ingest.vision.details import search
from ingest.vision.details.coding import encode, fit_coding
from ingest.vision.details.crops import overlap
from ingest.vision.details.matching import PatchBank, best_cosines
from ingest.vision.details.recurring import boxes
from ingest.vision.details.recurring.agreements import agreements, extent, mirror
from ingest.vision.details.recurring.grouping import DETAIL, SAME_PICTURE, STRONG, Group, group
from ingest.vision.details.recurring.searching import Link, search_picture
from ingest.vision.details.search import KEY_POINTS, VOTES
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import key_points
from ingest.vision.geometry import Frame, fit_image
from tests.vision.test_details import planted_bank, textured

HERE, THERE = (60, 40, 160, 130), (110, 60, 230, 168)  # where a piece lies in one picture, and its copy in another
MIRRORED = (20, 50, 110, 131)  # and its copy in mirror image in a third


@pytest.fixture(scope="module")
def pictures():
    """Six pictures: a piece of the first is in the second and, in mirror image, in the third; the fifth is the fourth
    once more, smaller; the last is like none."""
    found = [textured(260 + 10 * number, 200, 70 + number) for number in range(4)]
    piece = found[0].crop(HERE)
    found[1].paste(piece.resize((120, 108), Image.Resampling.BICUBIC), THERE[:2])
    found[2].paste(ImageOps.mirror(piece).resize((90, 81), Image.Resampling.BICUBIC), MIRRORED[:2])
    return [*found, found[3].resize((232, 160), Image.Resampling.BICUBIC), textured(180, 230, 99)]


@pytest.fixture(scope="module")
def tools(pictures):
    """(blocks, coding, bank, points_of) of the pictures; their ids are 10, 11, …"""
    blocks = BlockTokens(load("tiny:dinov2", None, None, "cpu"))
    fitted = [(*fit_image(picture, blocks.backbone.rule, "aspect", 112), picture.size) for picture in pictures]
    tokens = [
        blocks.read(blocks.backbone.pixels(torch.from_numpy(pixels[None].copy())), [1])[0][0].numpy()
        for pixels, _, _ in fitted
    ]
    coding = fit_coding(np.concatenate(tokens), 16, 1, "aspect", 112, 56)
    coded = [encode(coding.project(each)) for each in tokens]
    cells = [np.arange(len(each)) for each in tokens]
    bank = PatchBank(
        10 + np.arange(len(pictures)),
        np.concatenate([[0], np.cumsum([len(each) for each in tokens])]),
        np.concatenate([codes for codes, _ in coded]),
        np.array([scale for _, scale in coded], np.float32),
        np.concatenate(cells),
        [frame for _, frame, _ in fitted],
        np.array([picture.size for picture in pictures]),
    )
    points = {10 + number: (key_points(np.asarray(each)), 1.0) for number, each in enumerate(pictures)}
    return blocks, coding, bank, points.get


def test_the_best_cosines_are_those_of_a_loop_in_float64():
    bank, own = planted_bank()
    part = np.random.default_rng(5).normal(size=(4, 16)).astype(np.float32)
    part /= np.linalg.norm(part, axis=1, keepdims=True)
    found = best_cosines(bank, part)
    for place, patches in enumerate(own):
        for number, query in enumerate(part.astype(np.float64)):
            expected = max((query @ each / np.linalg.norm(each) for each in patches), default=-np.inf)
            assert np.isclose(found[number, place], expected, atol=1e-5) or found[number, place] == expected == -np.inf


def test_parts_together_are_what_they_are_alone(tools, pictures):
    blocks, coding, _, _ = tools
    cut = [pictures[0].crop(box) for box in ((0, 0, 60, 60), (20, 10, 140, 60), (50, 50, 110, 110))]
    for each, part in zip(search.parts_of(blocks, coding, cut), cut, strict=True):
        alone = search.part_of(blocks, coding, part)
        assert (each.rows, each.cols) == (alone.rows, alone.cols) and each.picture is part
        assert np.allclose(each.vectors, alone.vectors, atol=1e-5) and np.array_equal(each.kept, alone.kept)


# ---- boxes ----------------------------------------------------------------------------------------------------------


def flat_bank(kept: np.ndarray, frame: Frame, vectors: np.ndarray, size=(200, 120)) -> PatchBank:
    """Two pictures with the same grid: of the first the cells `kept`, of the second all, `vectors` of both."""
    codes, scale = encode(vectors)
    starts = np.array([0, len(kept), len(kept) + frame.rows * frame.cols])
    cells = np.concatenate([kept, np.arange(frame.rows * frame.cols)])
    return PatchBank(
        np.array([3, 8]), starts, codes, np.full(2, scale, np.float32), cells, [frame] * 2, np.array([size] * 2)
    )


def test_boxes_hold_the_patches_whose_middles_lie_in_them_and_shun_what_was_left_out():
    frame = Frame(-10, 0, 210, 120, 6, 11)  # 20 × 20 pixels a cell; half a cell of padding on either side
    kept = np.array([cell for cell in range(66) if cell % 11 > 3])
    bank = flat_bank(kept, frame, np.random.default_rng(0).normal(size=(len(kept) + 66, 8)))
    found = boxes.box_at(bank, 0, (89, 25, 131, 64))
    assert (found.rows, found.cols) == (2, 2) and kept[found.patches].tolist() == [16, 17, 27, 28]
    assert found.cells.tolist() == [0, 1, 2, 3]
    edge = boxes.box_at(bank, 0, (50, 25, 131, 64))
    assert (edge.rows, edge.cols) == (2, 4) and edge.cells.tolist() == [1, 2, 3, 5, 6, 7]
    assert boxes.box_at(bank, 0, (0, 0, 30, 30)) is None
    drawn = boxes.sample_boxes(bank, 0, best_cosines(bank, bank.of(0)), np.array([False, True]), seed=1)
    assert len(drawn) == boxes.count_boxes(bank, 0, 1) > 20
    assert all(box.box[2] > 70 and len(box.cells) >= boxes.SHOWN * box.rows * box.cols for box in drawn)
    assert all(0 <= x0 < x1 <= 200 and 0 <= y0 < y1 <= 120 for x0, y0, x1, y1 in (box.box for box in drawn))
    other = boxes.sample_boxes(bank, 0, best_cosines(bank, bank.of(0)), np.array([False, True]), seed=2)
    assert {box.box for box in drawn}.isdisjoint(box.box for box in other)
    assert boxes.sample_boxes(bank, 0, best_cosines(bank, bank.of(0)), np.array([False, False]), seed=1) == []


def test_boxes_that_are_unlike_the_other_pictures_come_first(monkeypatch):
    frame, random = Frame(0, 0, 200, 120, 6, 10), np.random.default_rng(1)
    sky = np.tile(random.normal(size=8), (120, 1)) + 0.01 * random.normal(size=(120, 8))
    rare = [row * 10 + col for row in (1, 2, 3) for col in (6, 7, 8)]
    sky[rare] = random.normal(size=(9, 8))
    bank = flat_bank(np.arange(60), frame, sky)
    monkeypatch.setattr(boxes, "MOST", 6)
    drawn = boxes.sample_boxes(bank, 0, best_cosines(bank, bank.of(0)), np.array([False, True]), seed=0)
    assert len(drawn) == 6 and all(np.isin(rare, box.patches).any() for box in drawn)


# ---- agreements -----------------------------------------------------------------------------------------------------


def test_key_points_of_the_mirror_image_are_those_of_the_mirrored_picture(pictures):
    points = mirror(key_points(np.asarray(pictures[0])))
    real = key_points(np.asarray(ImageOps.mirror(pictures[0])))
    apart = np.linalg.norm(points.places[:, None] - real.places[None], axis=2)
    there = apart.min(axis=1) < 1
    missed = np.linalg.norm(points.descriptors[:, None] - real.descriptors[None], axis=2)
    missed[apart >= 1] = np.inf
    assert there.mean() > 0.8 and np.median(missed.min(axis=1)[there]) < 80  # unlike ones are some 500 apart


def test_what_begins_in_a_box_is_grown_to_all_that_agrees(tools):
    *_, points_of = tools
    here, there = points_of(10)[0], points_of(11)[0]
    x, y = here.places.T
    corner = np.flatnonzero((x > HERE[0]) & (x < 110) & (y > HERE[1]) & (y < 90))
    elsewhere = np.flatnonzero(x > 170)
    (found,) = agreements(here, there, [elsewhere, corner])
    assert overlap(extent(found.here), HERE) > 0.6 and overlap(extent(found.there), THERE) > 0.6
    assert np.allclose(found.matrix[:, :2], 1.2 * np.eye(2), atol=0.03)
    assert agreements(here, there, [elsewhere]) == [] and agreements(here, there, []) == []
    assert agreements(here, points_of(15)[0], [np.arange(len(here.places))]) == []


# ---- a picture searched for in the others ---------------------------------------------------------------------------


def searched(tools, pictures, number, **how):
    blocks, coding, bank, points_of = tools
    return search_picture(blocks, coding, bank, 10 + number, pictures[number], points_of, **how)


def test_a_copied_piece_is_found_from_both_sides(tools, pictures):
    for number, other, here, there in ((0, 11, HERE, THERE), (1, 10, THERE, HERE)):
        found = searched(tools, pictures, number)
        (link,) = [link for link in found.links if link.stage == KEY_POINTS]
        assert (link.other_id, link.mirrored, link.same) == (other, False, False) and link.matches >= 8
        assert overlap(link.here, here) > 0.6 and overlap(link.there, there) > 0.6
        corners = np.array([link.here[:2], link.here[2:]]) @ link.matrix[:, :2].T + link.matrix[:, 2]
        assert overlap(tuple(corners.ravel()), link.there) > 0.8
        assert found.boxes == boxes.count_boxes(tools[2], number, 0) > 20


def test_mirror_images_are_found_on_request_alone(tools, pictures):
    links = searched(tools, pictures, 0, mirrored=True).links
    link = next(link for link in links if link.mirrored)
    assert link.other_id == 12 and overlap(link.here, HERE) > 0.6 and overlap(link.there, MIRRORED) > 0.6
    assert np.linalg.det(link.matrix[:, :2]) < 0
    corners = np.array([link.here[:2], link.here[2:]]) @ link.matrix[:, :2].T + link.matrix[:, 2]
    assert overlap((*corners.min(axis=0), *corners.max(axis=0)), link.there) > 0.8
    assert all(link.other_id != 12 for link in searched(tools, pictures, 0).links)


def test_a_picture_that_is_another_one_is_one_link(tools, pictures):
    (link,) = searched(tools, pictures, 3).links
    assert link.same and link.other_id == 14 and link.stage == KEY_POINTS


def test_only_some_pictures_and_the_same_seed_twice(tools, pictures):
    among = np.isin(tools[2].image_ids, [10, 15])
    assert [link for link in searched(tools, pictures, 0, among=among).links if link.stage == KEY_POINTS] == []
    one, two = (searched(tools, pictures, 1, seed=4) for _ in range(2))
    assert [(link.here, link.there, link.score) for link in one.links] == [
        (link.here, link.there, link.score) for link in two.links
    ]


def test_key_points_of_a_smaller_copy_lead_to_pixels_of_the_original(tools, pictures):
    """Of the first picture the original is twice as large as what is at hand, of the second three times."""
    blocks, coding, bank, points_of = tools
    scales = {10: 2.0, 11: 3.0}
    frames = [
        Frame(*(edge * scales.get(10 + n, 1) for edge in (f.x0, f.y0, f.x1, f.y1)), f.rows, f.cols)
        for n, f in enumerate(bank.frames)
    ]
    sizes = bank.sizes * np.array([[2], [3], [1], [1], [1], [1]])
    large = PatchBank(bank.image_ids, bank.starts, bank.codes, bank.scales, bank.cells, frames, sizes)
    found = search_picture(
        blocks, coding, large, 10, pictures[0], lambda image_id: (points_of(image_id)[0], scales.get(image_id, 1.0))
    )
    (link,) = [link for link in found.links if link.stage == KEY_POINTS]
    assert overlap(link.here, tuple(2 * edge for edge in HERE)) > 0.6
    assert overlap(link.there, tuple(3 * edge for edge in THERE)) > 0.6
    corners = np.array([link.here[:2], link.here[2:]]) @ link.matrix[:, :2].T + link.matrix[:, 2]
    assert overlap(tuple(corners.ravel()), link.there) > 0.8


# ---- groups ---------------------------------------------------------------------------------------------------------


def link(one: int, other: int, matches: int = 20, here=(0, 0, 10, 10), there=(0, 0, 10, 10), **how) -> Link:
    stage = KEY_POINTS if matches else VOTES
    return Link(one, other, here, there, stage, 0.5, matches, **how)


def ids(found: Group) -> set[int]:
    return {place.image_id for place in found.places}


def test_links_make_groups_whatever_their_order():
    links = [link(1, 2), link(2, 3), link(2, 1, 18), link(4, 5, here=(50, 0, 60, 10))]
    expected = group(links)
    assert [(each.kind, each.pictures, each.matches) for each in expected] == [(DETAIL, 3, 20), (DETAIL, 2, 20)]
    assert all(group(order) == expected for order in itertools.permutations(links))
    assert group([]) == []


def test_boxes_that_overlap_are_one_place_and_no_chain_of_them_wanders_off():
    shifted = [(6 * step, 0, 6 * step + 10, 10) for step in range(4)]  # neighbours overlap by a quarter
    near = [(4 * step, 0, 4 * step + 10, 10) for step in range(4)]  # by more than ONE_PLACE
    assert len(group([link(1, 2 + step, here=box) for step, box in enumerate(shifted)])) == 4
    found = group([link(1, 2 + step, 30 - step, here=box) for step, box in enumerate(near)])
    assert [ids(each) for each in found] == [{1, 2, 3}, {1, 4, 5}]


def test_one_weak_link_joins_no_two_groups():
    pairs = [link(1, 2, 40), link(3, 4, 40)]
    weak, strong = link(2, 3, STRONG - 1), link(2, 3, STRONG)
    assert [ids(each) for each in group([*pairs, weak])] == [{1, 2}, {3, 4}]
    assert [ids(each) for each in group([*pairs, weak, link(3, 2, STRONG - 1)])] == [{1, 2}, {3, 4}]
    assert [ids(each) for each in group([*pairs, strong])] == [{1, 2, 3, 4}]
    assert [ids(each) for each in group([*pairs, weak, link(1, 4, STRONG - 1)])] == [{1, 2, 3, 4}]


def test_pictures_that_are_the_same_are_one_group_and_their_details_none():
    whole = (0, 0, 100, 100)
    links = [link(1, 2, 300, whole, whole, same=True), link(1, 2), link(2, 3), link(1, 3)]
    same, detail = sorted(group(links), key=lambda each: each.kind != SAME_PICTURE)
    assert same.kind == SAME_PICTURE and ids(same) == {1, 2} and {place.box for place in same.places} == {whole}
    assert detail.kind == DETAIL and ids(detail) == {1, 2, 3}


def test_votes_make_groups_of_their_own():
    found = group([link(1, 2), link(2, 3, 0), link(4, 5, 0), link(6, 7, 0, mirrored=True)])
    assert [(each.stage, ids(each), each.matches, each.mirrored) for each in found] == [
        (KEY_POINTS, {1, 2}, 20, False),
        (VOTES, {4, 5}, 0, False),
        (VOTES, {6, 7}, 0, True),
    ]
