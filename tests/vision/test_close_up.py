"""A detail that is too small for the key points of the whole picture: found in windows of the original, in its pixels."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from ingest.vision import windows as scans
from ingest.vision.backbones import load
from ingest.vision.details import close_up, search
from ingest.vision.details.close_up import CloseUps, in_order, reduction, windows
from ingest.vision.details.coding import encode, fit_coding
from ingest.vision.details.crops import overlap
from ingest.vision.details.matching import PatchBank
from ingest.vision.details.tokens import BlockTokens
from ingest.vision.details.verification import KeyPoints, key_points
from ingest.vision.geometry import Frame
from ingest.vision.originals import Place
from ingest.vision.windows.scan import whole
from tests.vision.test_details import textured

WIDTH, HEIGHT, DETAIL = 8000, 2400, 200
THERE = (5130, 1470, 5350, 1690)  # where the detail lies in the second scan, a tenth larger


def fine(side: int, seed: int) -> Image.Image:
    """Noise of few pixels, of which nothing is left where it is made much smaller."""
    cells = np.random.default_rng(seed).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A scan of 8,000 pixels that shows the detail among other things of its size, and a small picture: what reads
    them, and how they look reduced."""
    paper = np.full((HEIGHT, WIDTH, 3), 225, np.uint8)
    for seed, (x, y) in enumerate([(900, 700), (2600, 2100), (6900, 1900), (4300, 900)]):
        paper[y : y + DETAIL, x : x + DETAIL] = np.asarray(fine(DETAIL, 20 + seed))
    x0, y0, x1, y1 = THERE
    paper[y0:y1, x0:x1] = np.asarray(fine(DETAIL, 3).resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC))
    file = tmp_path_factory.mktemp("scans") / "large.tif"
    tifffile.imwrite(file, paper, photometric="rgb", tile=(512, 512), compression="zlib", compressionargs={"level": 1})
    small = textured(900, 700, 5)
    return {1: scans.opened(Place(file)), 2: whole(small)}, {1: Image.fromarray(paper).reduce(4), 2: small}


def test_a_detail_of_200_pixels_is_found_in_a_scan_of_8000_by_key_points(pictures):
    opened, reduced = pictures
    blocks = BlockTokens(load("tiny:dinov2", None, None, "cpu"))
    fitted = [search.fit_image(picture, blocks.backbone.rule, "aspect", 112) for picture in reduced.values()]
    tokens = [
        blocks.read(blocks.backbone.pixels(torch.from_numpy(pixels.copy())[None]), [1])[0][0].numpy()
        for pixels, _ in fitted
    ]
    coding = fit_coding(np.concatenate(tokens), 16, 1, "aspect", 112, 56)
    sizes = np.array([opened[image_id].size for image_id in (1, 2)])
    coded = [encode(coding.project(each)) for each in tokens]
    bank = PatchBank(
        np.array([1, 2]),
        np.cumsum([0, *map(len, tokens)]),
        np.concatenate([codes for codes, _ in coded]),
        np.array([scale for _, scale in coded], np.float32),
        np.concatenate([np.arange(len(each)) for each in tokens]),
        [Frame(0, 0, *size, frame.rows, frame.cols) for size, (_, frame) in zip(sizes.tolist(), fitted, strict=True)],
        sizes,
    )
    points = {number: (key_points(np.asarray(reduced[number])), {1: 4.0, 2: 1.0}[number]) for number in (1, 2)}
    seen = []

    def points_in(image_id: int, box: tuple, size: tuple) -> KeyPoints:
        seen.append((image_id, size))
        return key_points(np.asarray(opened[image_id].read(box, size)), most=close_up.POINTS)

    def find(**more) -> list:
        return search.find(blocks, coding, bank, fine(DETAIL, 3), points.get, **more)

    assert {hit.stage for hit in find()} == {search.VOTES}
    first, second = find(window_points=points_in)
    assert (first.image_id, first.stage) == (1, search.KEY_POINTS) and first.matches >= 5
    assert overlap(first.box, THERE) > 0.85 and second.stage == search.VOTES
    ends = first.agreement.here @ first.agreement.matrix[:, :2].T + first.agreement.matrix[:, 2]
    assert np.abs(ends - first.agreement.there).max() < 12
    assert set(seen) == {(1, (1200, 1200))} and len(seen) <= close_up.SEARCHED


@pytest.mark.parametrize(
    ("size", "part", "factor"),
    [
        ((8000, 8000), (200, 120), 2),
        ((8000, 3000), (79, 20), 1),
        ((8000, 8000), (500, 640), None),  # the whole picture shows as much
        ((1300, 900), (100, 100), 1),
        ((1200, 900), (100, 100), None),
    ],
)
def test_windows_are_read_as_small_as_the_part_allows(size, part, factor):
    assert reduction(size, part) == factor


@pytest.mark.parametrize("size", [(8000, 8000), (1201, 700), (5000, 1300), (2400, 2401)])
@pytest.mark.parametrize("factor", [1, 2])
def test_windows_cover_a_picture_and_share_what_a_part_needs(size, factor):
    found = windows(size, factor)
    seen = np.zeros((size[1] // 10 + 1, size[0] // 10 + 1), bool)
    for left, top, right, bottom in found:
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
        assert right - left == min(1200 * factor, size[0]) and bottom - top == min(1200 * factor, size[1])
        seen[top // 10 : -(-bottom // 10), left // 10 : -(-right // 10)] = True
    assert seen[: size[1] // 10, : size[0] // 10].all()
    wanted = 200 * factor  # any place of this size, inside the picture, lies in one of them whole
    for x, y in np.random.default_rng(0).uniform(0, 1, (200, 2)) * np.maximum(np.array(size) - wanted, 0):
        ends = min(size[0], x + wanted), min(size[1], y + wanted)
        assert any(w[0] <= x and w[1] <= y and ends[0] <= w[2] and ends[1] <= w[3] for w in found)


def test_the_windows_of_similar_patches_come_first_and_their_number_is_bounded():
    frame = Frame(0, 0, 6000, 4000, 4, 6)
    cosines = np.zeros((3, 24))
    cosines[:, 2 * 6 + 4] = 1  # its middle is at 4500, 2500
    cosines[0, 0] = 2.5  # of one patch of the part alone
    found = in_order(windows((6000, 4000), 1), cosines, frame)
    left, top, right, bottom = found[0]
    assert left <= 4500 < right and top <= 2500 < bottom and sorted(found) == sorted(windows((6000, 4000), 1))
    asked = []
    nothing = KeyPoints(np.empty((0, 2)), np.empty((0, 128), np.float32), (1200, 1200))
    closer = CloseUps(lambda image_id, box, size: asked.append(image_id) or nothing)
    for image_id in range(9):
        assert closer.find(image_id, (6000, 4000), (100, 100), nothing, cosines, frame) is None
    assert len(asked) == close_up.SEARCHED and asked == sorted(asked)
    # A picture whose original is away is passed over at once.
    away = CloseUps(lambda image_id, box, size: asked.append("away"))
    assert away.find(1, (6000, 4000), (100, 100), nothing, cosines, frame) is None and asked.count("away") == 1
