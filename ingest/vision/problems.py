"""What the numbers of a classifier mean: shares of one class, several classes at once, or measurements."""

from __future__ import annotations

from typing import Any

from torch import Tensor

PROBLEMS = {
    "single_label": "one class a picture: probabilities by softmax, which sum to 1",
    "multi_label": "any number of classes a picture: a probability of its own for each, by sigmoid",
    "regression": "numbers that the network estimates, and no probabilities",
}


def problem_of(config: Any) -> str:
    """The key of PROBLEMS for a transformers configuration. A single class without a word on what it means is one that
    is there or not."""
    kind = str(getattr(config, "problem_type", None) or "")
    if kind == "regression":
        return "regression"
    many = kind == "multi_label_classification" or getattr(config, "num_labels", 2) == 1
    return "multi_label" if many else "single_label"


def scores_of(problem: str, logits: Tensor) -> Tensor:
    """Logits (batch, classes) as probabilities, for a regression as they are."""
    if problem == "regression":
        return logits
    return logits.sigmoid() if problem == "multi_label" else logits.softmax(dim=1)
