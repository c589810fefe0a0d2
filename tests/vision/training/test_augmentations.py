"""Views: where they are cut, found again by planted colours, and that they follow from their seeds."""

import numpy as np
import pytest
import torch

from ingest.training.ssl.pictures import ViewMaker
from ingest.vision.training.ssl.augmentations import PRESETS, Augmentation, apply, draw, draw_view, middle, resized
from ingest.vision.training.ssl.settings import AugmentationSettings, ViewSettings

HEIGHT, WIDTH = 120, 200


def ramp() -> torch.Tensor:
    """A picture in which red says how far to the right, and green how far down."""
    x = torch.linspace(0, 255, WIDTH).round().expand(HEIGHT, WIDTH)
    y = torch.linspace(0, 255, HEIGHT).round()[:, None].expand(HEIGHT, WIDTH)
    return torch.stack([x, y, torch.full_like(x, 128)]).to(torch.uint8)


def how(size=32, **more) -> Augmentation:
    return Augmentation.of(AugmentationSettings(**{"preset": "none", **more}), size)


@pytest.mark.parametrize("flip", [0, 1])
def test_a_view_shows_the_part_that_was_drawn(flip):
    own, rng = how(scale=(0.1, 0.5), aspect=(0.5, 2), flip=flip), np.random.default_rng(0)
    for _ in range(20):
        drawn = draw(HEIGHT, WIDTH, own, rng)
        top, left, high, wide = drawn["box"]
        assert 0.08 < high * wide / (HEIGHT * WIDTH) < 0.52 and 0.45 < wide / high < 2.2
        assert 0 <= top <= HEIGHT - high and 0 <= left <= WIDTH - wide
        view = apply(ramp(), own, drawn).float()
        assert view.shape == (3, 32, 32)
        edges = view[0, :, [0, -1]].mean(dim=0)
        edges = edges.flip(0) if flip else edges
        assert float(edges[0]) == pytest.approx(255 * left / (WIDTH - 1), abs=255 * wide / WIDTH / 16 + 2)
        assert float(edges[1]) == pytest.approx(255 * (left + wide) / WIDTH, abs=255 * wide / WIDTH / 16 + 2)
        assert float(view[1].mean()) == pytest.approx(255 * (top + (high - 1) / 2) / (HEIGHT - 1), abs=2)


def test_all_of_a_picture_is_the_widest_view_and_the_middle_is_square():
    wide = draw(HEIGHT, WIDTH, how(scale=(1, 1), aspect=(0.75, 4 / 3)), np.random.default_rng(0))["box"]
    assert wide == (0, 20, 120, 160)  # no part of that shape has the whole area
    square = middle(ramp(), 30).float()
    assert square.shape == (3, 30, 30)
    assert float(square[0].mean()) == pytest.approx(127.5, abs=1) and float(square[0, :, 0].mean()) > 255 * 39 / WIDTH
    assert resized(ramp(), 60).shape == (3, 60, 100) and resized(ramp(), 500) is not None


def test_other_chances_change_nothing_else():
    plain = dict(scale=(0.2, 0.9), rotation=6.0)
    boxes = [
        [
            draw(HEIGHT, WIDTH, how(**plain, **more), np.random.default_rng(seed))[key]
            for key in ("box", "angle", "flip")
        ]
        for seed in range(5)
        for more in ({"flip": 0.5}, {"flip": 0.5, "blur": 1, "grey": 1, "jitter": 1, "solarize": 1})
    ]
    assert boxes[::2] == boxes[1::2] and len({tuple(each[0]) for each in boxes}) == 5


@pytest.mark.parametrize("preset", PRESETS)
def test_views_follow_from_their_seeds(preset):
    own = how(preset=preset)
    first, again, other = (draw_view(ramp(), own, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == torch.uint8 and torch.equal(first, again)
    assert torch.equal(first, other) == (preset == "none")


def test_grey_is_grey_and_solarised_is_turned():
    grey = draw_view(ramp(), how(grey=1), np.random.default_rng(0))
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[1], grey[2])
    plain, turned = (draw_view(ramp(), how(solarize=chance), np.random.default_rng(0)) for chance in (0, 1))
    assert torch.equal(turned, torch.where(plain >= 128, 255 - plain, plain))


class Counted:
    """Pictures of which each drawing is another."""

    def __len__(self) -> int:
        return 6

    def draw(self, index, rng):
        return torch.full((3, 20, 20), int(rng.integers(256)), dtype=torch.uint8)

    def stored(self, index):
        raise AssertionError("views are drawn")


@pytest.mark.parametrize("branches", ["same", "different"])
def test_who_sees_what(branches):
    """Shared views are the same for both branches and drawn once; else all are drawn anew, the picture itself too. The
    size of a batch, and who draws it, change nothing."""
    own = ViewSettings(size=16, views=2, local_views=3, local_size=8, branches=branches)
    maker = ViewMaker(Counted(), own, 5)
    (whole,) = maker.batches(2, [[4, 1, 3, 0]])
    halves = list(maker.batches(2, [[4, 1], [3, 0]]))
    assert [tuple(each.shape) for each in whole.student] == [(4, 3, 16, 16)] * 2 + [(4, 3, 8, 8)] * 3
    for number, view in enumerate(whole.student):
        assert torch.equal(view, torch.cat([half.student[number] for half in halves]))
    values = [tuple(each[:, 0, 0, 0].tolist()) for each in (*whole.teacher, *whole.student)]
    assert len(set(values)) == (5 if branches == "same" else 7)
    assert values[:2] == values[2:4] if branches == "same" else values[:2] != values[2:4]
    (later,) = maker.batches(3, [[4, 1, 3, 0]])
    assert not torch.equal(later.teacher[0], whole.teacher[0])
