"""Iterative patch selection, against plain float64 computations of its two ways."""

import numpy as np
import pytest
import torch

from ingest.vision.patches import (
    Masking,
    PatchGrid,
    SelectionSettings,
    chunks_of,
    positions,
    select,
    take,
    visiting_order,
)
from ingest.vision.patches.grid import TooSmall

# (N, M, I, heads, queries): sizes that divide and do not, M of N and more, I larger than what is left.
CASES = [
    (40, 10, 10, 1, 1),
    (41, 10, 7, 8, 1),
    (57, 5, 13, 8, 4),
    (30, 29, 4, 2, 3),
    (30, 30, 4, 2, 3),
    (12, 20, 5, 4, 2),
    (23, 1, 1, 3, 2),
    (23, 6, 100, 3, 2),
    (1, 1, 1, 1, 1),
]


def naive_scores(logits: np.ndarray) -> np.ndarray:
    """(n,) of logits (n, heads, queries)."""
    total = np.zeros(len(logits))
    for head in range(logits.shape[1]):
        for query in range(logits.shape[2]):
            powers = np.exp(logits[:, head, query] - logits[:, head, query].max())
            total += powers / powers.sum()
    return total / (logits.shape[1] * logits.shape[2])


def naive_best(scores: np.ndarray, count: int) -> list[int]:
    """Of equal scores the one that stands first."""
    return sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:count]


def naive_rounds(logits: np.ndarray, memory: int, iteration: int) -> tuple[list[int], np.ndarray]:
    """The algorithm as the paper has it, one picture, one round after the other."""
    count = len(logits)
    held = list(range(min(memory, count)))
    scores = naive_scores(logits[held])
    order = naive_best(scores, memory)
    held, scores = ([each[place] for place in order] for each in (held, scores)) if memory >= count else (held, scores)
    for start in range(memory, count, iteration):
        # In the order in which they came, so that of equal scores the earlier wins.
        held = sorted(held) + list(range(start, min(start + iteration, count)))
        scores = naive_scores(logits[held])
        best = naive_best(scores, memory)
        held, scores = [held[place] for place in best], scores[best]
    return held, np.asarray(scores)


def drawn(count: int, heads: int, queries: int, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count * 1000 + heads * 10 + queries)
    return torch.randn(batch, count, heads, queries, generator=generator, dtype=torch.float64) * 3


def chosen(logits: torch.Tensor, settings: SelectionSettings, chunk: int = 8, order=None, generator=None):
    """The selection among patches that are their own logits."""
    return select(chunks_of(logits, chunk, order), lambda patches, indices: patches, settings, generator)


@pytest.mark.parametrize(("count", "memory", "iteration", "heads", "queries"), CASES)
def test_exact_is_all_at_once(count, memory, iteration, heads, queries):
    logits = drawn(count, heads, queries)
    found = chosen(logits, SelectionSettings(memory, iteration, "exact"))
    for picture, own in enumerate(logits.numpy()):
        scores = naive_scores(own)
        best = naive_best(scores, memory)
        assert found.indices[picture].tolist() == best
        np.testing.assert_allclose(found.scores[picture], scores[best], rtol=1e-12)
        np.testing.assert_array_equal(found.logits[picture], own[best])


@pytest.mark.parametrize(("count", "memory", "iteration", "heads", "queries"), CASES)
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_rounds_are_those_of_a_plain_loop_whatever_the_chunks(count, memory, iteration, heads, queries, chunk):
    logits = drawn(count, heads, queries)
    found = chosen(logits, SelectionSettings(memory, iteration, "rounds"), chunk)
    for picture, own in enumerate(logits.numpy()):
        held, scores = naive_rounds(own, memory, iteration)
        assert found.indices[picture].tolist() == held
        np.testing.assert_allclose(found.scores[picture], scores, rtol=1e-12)


def test_with_one_head_and_one_query_both_ways_agree_and_with_more_they_may_not():
    one, many = drawn(300, 1, 1), drawn(300, 8, 4)
    rounds, exact = (SelectionSettings(40, 20, how) for how in ("rounds", "exact"))
    assert torch.equal(chosen(one, rounds).indices, chosen(one, exact).indices)
    assert not torch.equal(chosen(many, rounds).indices, chosen(many, exact).indices)


@pytest.mark.parametrize("how", ["rounds", "exact"])
def test_of_equal_scores_the_lower_index_wins(how):
    logits = torch.zeros(2, 50, 2, 1)
    logits[:, 30:33] = 5
    found = chosen(logits, SelectionSettings(6, 4, how))
    assert found.indices.tolist() == [[30, 31, 32, 0, 1, 2]] * 2


@pytest.mark.parametrize("how", ["rounds", "exact"])
@pytest.mark.parametrize("shuffle", ["batch", "instance"])
def test_indices_are_those_of_the_unshuffled_grid(how, shuffle):
    logits = drawn(60, 1, 1, batch=4)
    order = visiting_order(4, 60, shuffle, torch.Generator().manual_seed(3))
    assert sorted(order[2].tolist()) == list(range(60))
    assert torch.equal(order[0], order[1]) == (shuffle == "batch")
    found = chosen(logits, SelectionSettings(7, 5, how), order=order)
    unshuffled = chosen(logits, SelectionSettings(7, 5, how))
    assert torch.equal(found.indices, unshuffled.indices)
    assert torch.equal(take(logits, found.indices), found.logits)


def test_shuffled_ties_are_drawn_evenly():
    """Where all are equal, the selection is what came first."""
    order = visiting_order(200, 10, "instance", torch.Generator().manual_seed(0))
    found = chosen(torch.zeros(200, 10, 1, 1), SelectionSettings(3, 2), order=order)
    assert torch.equal(found.indices.sort().values, order[:, :3].sort().values)
    assert torch.bincount(found.indices.flatten(), minlength=10).min() > 35  # of 60 on average


@pytest.mark.parametrize("how", ["rounds", "exact"])
def test_masking_takes_of_the_highest_alone_and_only_where_asked(how):
    logits = drawn(80, 2, 2)
    plain = chosen(logits, SelectionSettings(10, 10, how))
    never = chosen(logits, SelectionSettings(10, 10, how, Masking(5, 0.0)))
    always = chosen(logits, SelectionSettings(10, 80, how, Masking(5, 1.0)), generator=torch.Generator().manual_seed(1))
    assert torch.equal(plain.indices, never.indices)
    expected = [naive_best(naive_scores(own), 15)[5:] for own in logits.numpy()]
    if how == "exact":
        assert always.indices.tolist() == expected
        half = chosen(logits, SelectionSettings(10, 80, how, Masking(5, 0.5)), generator=torch.Generator())
        left = [
            len(set(own) - set(best)) for own, best in zip(half.indices.tolist(), plain.indices.tolist(), strict=True)
        ]
        assert 0 < sum(left) < 15 and max(left) <= 5
    assert not torch.equal(always.indices, plain.indices)


def test_masking_many_of_few_masks_all():
    found = chosen(drawn(3, 1, 1), SelectionSettings(2, 2, "exact", Masking(50, 1.0)))
    assert found.scores.eq(0).all() and found.indices.tolist() == [[0, 1]] * 3


def test_half_precision_is_scored_in_float32():
    logits = drawn(70, 2, 2).half()
    found = chosen(logits, SelectionSettings(9, 9, "exact"))
    assert found.scores.dtype == torch.float32
    assert torch.equal(found.indices, chosen(logits.double(), SelectionSettings(9, 9, "exact")).indices)


def test_a_scorer_sees_each_patch_once_with_its_index():
    patches = torch.arange(2 * 11 * 3).reshape(2, 11, 3)
    order = visiting_order(2, 11, "instance", torch.Generator().manual_seed(5))
    seen = []

    def score(part, indices):
        assert torch.equal(part, take(patches, indices))
        seen.append(indices)
        return part[..., :1, None].float()

    select(chunks_of(patches, 4, order), score, SelectionSettings(2, 3))
    assert torch.equal(torch.cat(seen, dim=1), order)
    assert [each.shape[1] for each in seen] == [4, 4, 3]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SelectionSettings(0, 5), "M, the number of patches selected, is 1 or more, not 0"),
        (lambda: SelectionSettings(5, 0), "I, the number of patches added a round, is 1 or more, not 0"),
        (lambda: SelectionSettings(5, 5, "best"), "rounds, exact, not 'best'"),
        (lambda: Masking(5, 1.5), "lies between 0 and 1, and 1.5 does not"),
        (lambda: visiting_order(1, 5, "all"), "none, batch, instance, not 'all'"),
        (lambda: chosen(torch.full((1, 5, 1, 1), torch.nan), SelectionSettings(2, 2)), "not finite"),
        (lambda: select([], lambda patches, indices: patches, SelectionSettings(2, 2)), "no patches"),
        (lambda: positions(torch.arange(4), 5), "need an even width"),
        (lambda: PatchGrid(100, 100, (20, 20), (30, 20)), "leaves gaps"),
        (lambda: PatchGrid(100, 100, (0, 20), (0, 20)), "1 pixel at least"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_positions_are_sines_and_cosines():
    found = positions(torch.tensor([[0, 7], [899, 123_456]]), 16).double().numpy()
    for place, index in np.ndenumerate(np.array([[0, 7], [899, 123_456]])):
        for j in range(8):
            angle = index / 10_000 ** (2 * j / 16)
            error = 1e-6 + angle * 5e-7  # float32 holds the angle itself no better
            np.testing.assert_allclose(found[place][2 * j : 2 * j + 2], [np.sin(angle), np.cos(angle)], atol=error)


@pytest.mark.parametrize(("width", "height", "size", "stride"), [(30, 20, 10, 10), (33, 27, 10, 7), (10, 10, 10, 3)])
def test_patches_cover_a_picture_once_each_and_lie_where_they_say(width, height, size, stride):
    grid = PatchGrid(width, height, (size, size + 0), (stride, stride))
    picture = torch.arange(height * width).reshape(1, height, width)
    patches = grid.cut(picture)
    assert len(patches) == len(grid) == grid.shape[0] * grid.shape[1]
    assert patches.unique().numel() == width * height  # nothing of the picture is left out
    for index in range(len(grid)):
        left, top, right, bottom = grid.box(index)
        assert torch.equal(patches[index], picture[:, top:bottom, left:right])
    rest = PatchGrid(width, height, (size, size), (stride, stride), whole=False)
    unfolded = picture.unfold(1, size, stride).unfold(2, size, stride).permute(1, 2, 0, 3, 4)
    assert torch.equal(rest.cut(picture), unfolded.reshape(-1, 1, size, size))


def test_a_picture_smaller_than_a_patch_says_so():
    with pytest.raises(TooSmall, match="90 × 300 pixels, less than one patch of 100 × 50"):
        PatchGrid(90, 300, (50, 100), (50, 100))
