"""How near pictures are to a text, in numbers that can be read: plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# What is true of every picture: a text says something about one only as far as it is nearer than these.
NEUTRAL = ("a picture", "an image", "a photo", "something")


class TextError(ValueError):
    """A text that cannot be used; the message says what to do."""


def probability(cosines: np.ndarray, scale: float, bias: float) -> np.ndarray:
    """SigLIP's own probability that a text is true of a picture: sigmoid(scale · cos + bias), float64 of the shape of
    `cosines` (Zhai et al. 2023). What it was trained for; a text is not compared with others."""
    logits = scale * np.asarray(cosines, np.float64) + bias
    return 1 / (1 + np.exp(-logits))


def percentile(cosines: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """The share of a collection's scores `among` (n,), or of the `cosines` (m,) themselves, that are lower, in percent:
    float64 (m,). Equal ones count half."""
    cosines = np.asarray(cosines)
    ordered = np.sort(cosines if among is None else among)
    if not len(ordered):
        return np.full(len(cosines), np.nan)
    below, up_to = (np.searchsorted(ordered, cosines, side) for side in ("left", "right"))
    return 50 * (below + up_to) / len(ordered)


def against_neutral(cosines: np.ndarray, neutral: np.ndarray, scale: float) -> np.ndarray:
    """CLIP's probability of a text against texts that are true of every picture: the softmax of scale · cos over the
    text (n,) and the `neutral` ones (n, m), of the text, float64 (n,)."""
    logits = scale * np.column_stack([cosines, neutral]).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    return weights[:, 0] / weights.sum(axis=1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, dim) or (dim,) as float32 of length 1."""
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)).astype(np.float32)


def combined(wanted: np.ndarray, unwanted: np.ndarray) -> np.ndarray:
    """The direction (dim,) of what is like a text (dim,) and unlike others (m, dim): the text's vector less the mean of
    theirs, of length 1. TextError where nothing is left."""
    if not len(unwanted):
        return unit(wanted)
    vector = np.asarray(wanted, np.float64) - np.asarray(unwanted, np.float64).mean(axis=0)
    if np.linalg.norm(vector) < 1e-6:
        raise TextError("nothing is left to search for: --minus takes away the very words that are searched")
    return unit(vector)


def check_templates(templates: Sequence[str]) -> None:
    """TextError for a template that has no place for a term."""
    for template in templates:
        if template.count("{}") != 1:
            raise TextError(f'the prompt {template!r} needs one {{}} where the term goes, such as "a picture of {{}}"')


def pooled(vectors: np.ndarray) -> np.ndarray:
    """One vector a term of those of its prompts (terms, prompts, dim): their mean, of length 1, as CLIP's paper
    ensembles prompts (Radford et al. 2021, 3.1.4). float32 (terms, dim)."""
    return unit(np.asarray(vectors, np.float64).mean(axis=1))


def readings(
    cosines: np.ndarray,
    among: np.ndarray,
    scale: float,
    bias: float | None,
    neutral: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """What a text's cosines (m,) with pictures say, by name float64 (m,): SigLIP's `probability`; of CLIP, which has
    no `bias`, the `percentile` among all of the collection's cosines (n,), and `against_neutral` where the cosines with
    the NEUTRAL texts (m, texts) are given."""
    if bias is not None:
        return {"probability": probability(cosines, scale, bias)}
    found = {"percentile": percentile(cosines, among)}
    return found if neutral is None else found | {"against_neutral": against_neutral(cosines, neutral, scale)}
