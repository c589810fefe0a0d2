"""Scores of words, and vocabularies over collections: against plain loops, and with vectors that are planted."""

import subprocess
import sys

import numpy as np
import pytest

from ingest.vision.words import labelling, scores
from ingest.vision.words.scores import TextError

COSINES = np.array([0.31, -0.2, 0.05, 0.05, 0.9], np.float32)


def test_the_probability_is_siglips_sigmoid():
    expected = [1 / (1 + np.exp(-(117.3 * float(cosine) - 12.9))) for cosine in COSINES]
    np.testing.assert_allclose(scores.probability(COSINES, 117.3, -12.9), expected, rtol=1e-12)
    assert np.isfinite(scores.probability(np.array([-1.0, 1.0]), 200, -20)).all()


def test_the_percentile_is_the_share_of_lower_scores():
    by_hand = [100 * np.mean([(other < own) + 0.5 * (other == own) for other in COSINES]) for own in COSINES]
    np.testing.assert_allclose(scores.percentile(COSINES), by_hand)
    assert scores.percentile(np.array([0.9]), np.linspace(0, 0.5, 7)) == 100
    assert np.isnan(scores.percentile(COSINES, np.array([]))).all()


def test_clips_softmax_against_neutral_texts():
    neutral = np.random.default_rng(0).uniform(-0.2, 0.4, (5, 4)).astype(np.float32)
    found = scores.against_neutral(COSINES, neutral, 100.0)
    for row, (cosine, others) in enumerate(zip(COSINES.astype(float), neutral.astype(float), strict=True)):
        parts = [np.exp(100 * (each - cosine)) for each in (cosine, *others)]
        assert found[row] == pytest.approx(1 / sum(parts), rel=1e-6)


def test_words_less_others_are_a_direction_of_length_one():
    wanted, unwanted = np.array([1.0, 0, 0]), np.array([[0, 1.0, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(scores.combined(wanted, unwanted), np.array([1, -0.5, -0.5]) / np.sqrt(1.5), rtol=1e-6)
    np.testing.assert_array_equal(scores.combined(wanted, unwanted[:0]), wanted.astype(np.float32))
    with pytest.raises(TextError, match="nothing is left to search for"):
        scores.combined(wanted, wanted[None])


def test_several_prompts_stand_for_a_term_by_their_mean():
    vectors = scores.unit(np.random.default_rng(1).normal(size=(3, 4, 5)))
    mean = vectors.astype(float).mean(axis=1)
    np.testing.assert_allclose(scores.pooled(vectors), mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("template", ["a picture", "{} and {}", "{0}"])
def test_a_prompt_needs_a_place_for_its_term(template):
    with pytest.raises(TextError, match="needs one {} where the term goes"):
        scores.check_templates(["a picture of {}", template])


def collection(pictures: int, terms: int, dim: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    return scores.unit(random.normal(size=(pictures, dim))), scores.unit(random.normal(size=(terms, dim)))


def by_loops(vectors, terms, best, share) -> set[tuple[int, int, int]]:
    """(picture, term, rank) of the scores that are kept, one at a time."""
    cosines = vectors.astype(np.float32) @ terms.astype(np.float32).T
    count = int(np.ceil(share * len(vectors)))
    found = set()
    for picture, row in enumerate(cosines):
        for term, score in enumerate(row):
            rank = 1 + int((row > score).sum())
            if rank <= best or (cosines[:, term] > score).sum() < count:
                found.add((picture, term, rank))
    return found


@pytest.mark.parametrize("held", [2**30, 0])
@pytest.mark.parametrize("chunk", [7, 2048])
def test_of_a_large_vocabulary_the_best_are_kept(monkeypatch, held, chunk):
    for name, value in {"ALL": 10, "BEST": 3, "SHARE": 0.07, "HELD": held, "CHUNK": chunk, "BLOCK": 5}.items():
        monkeypatch.setattr(labelling, name, value)
    vectors, terms = collection(43, 23)
    vectors[5:9] = vectors[4]  # equal pictures
    found = labelling.label(vectors, terms)
    kept = set(zip(found.pictures.tolist(), found.terms.tolist(), found.ranks.tolist(), strict=True))
    # The rounding of a product of matrices tells equal pictures apart: those are left to their own.
    expected = by_loops(vectors, terms, 3, 0.07)
    assert {row for row in kept if not 4 <= row[0] < 9} == {row for row in expected if not 4 <= row[0] < 9}
    np.testing.assert_allclose(found.scores, (vectors @ terms.T)[found.pictures, found.terms], atol=1e-6)
    assert (np.diff(found.pictures) >= 0).all()
    assert "the 3 best terms" in labelling.kept(43, 23)


def test_of_a_small_vocabulary_all_scores_are_kept():
    vectors, terms = collection(30, 6)
    terms[4] = terms[1]  # two words for one thing share a rank
    found = labelling.label(vectors, terms)
    assert len(found.scores) == 180 and labelling.kept(30, 6) == "all scores"
    cosines = np.zeros((30, 6), np.float32)
    ranks = np.zeros((30, 6), int)
    cosines[found.pictures, found.terms], ranks[found.pictures, found.terms] = found.scores, found.ranks
    np.testing.assert_array_equal(ranks, 1 + (cosines[:, None, :] > cosines[:, :, None]).sum(axis=2))
    assert (ranks[:, 4] == ranks[:, 1]).all()


def test_planted_pictures_get_their_term_first():
    vectors, terms = collection(60, 30)
    owner = np.arange(60) % 30
    vectors = scores.unit(0.2 * vectors + terms[owner])
    found = labelling.label(vectors, terms)
    first = found.ranks == 1
    np.testing.assert_array_equal(found.terms[first], owner[found.pictures[first]])


def test_pages_that_only_score_load_no_torch():
    modules = "ingest.vision.spaces, ingest.vision.words.scores, ingest.vision.words.labelling"
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert 'torch' not in sys.modules"], check=True)


def test_no_pictures_have_no_labels():
    assert len(labelling.label(np.empty((0, 3), np.float32), np.eye(3, dtype=np.float32)).scores) == 0
