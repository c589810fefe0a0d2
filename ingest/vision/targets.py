"""Targets: what a target-dependent map explains.

    class:281, class:tabby, class:predicted   a class of a classifier, its logit
    neighbours:20                             the similarity to the centroid of the nearest neighbours in the run
    image:57                                  the similarity to another picture: why are these two similar
    label:artist=Hokusai                      the decision of a logistic regression fitted on the stored features
    vote:artist                               DAAM's own rule for self-supervised networks (Liao et al. 2025)
    words:a boat                              the similarity to a text, of networks that were trained with texts

A target asks a network about a batch and answers with one score a picture, from which gradients flow back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ingest.vision.backbones import Backbone
from ingest.vision.problems import scores_of

# DAAM's settings: neighbours that vote, and the temperature of their votes.
VOTERS, TEMPERATURE = 20, 0.07

Labels = Callable[[str], Sequence[frozenset[str]]]


class TargetError(ValueError):
    """A target that does not exist, or that this network or run cannot be asked about; the message says what to do."""


@dataclass(frozen=True)
class Bank:
    """The stored features of a run: `ids` (n,), `vectors` (n, dim) float32, L2-normalised."""

    ids: np.ndarray
    vectors: np.ndarray

    @cached_property
    def matrix(self) -> Tensor:
        return torch.from_numpy(np.array(self.vectors, dtype=np.float32))

    def similarity(self, features: Tensor, image_ids: Sequence[int | None]) -> Tensor:
        """Cosine of unit features (batch, dim) with all of the bank (batch, n), on the CPU; a picture is never its own
        neighbour."""
        similarity = features.detach().float().cpu() @ self.matrix.T
        for row, image_id in enumerate(image_ids):
            similarity[row, torch.from_numpy(self.ids == (-1 if image_id is None else image_id))] = -torch.inf
        return similarity


@dataclass(frozen=True)
class Prediction:
    """The class that a classifier thinks likeliest, with its probability; of a regression (`kind`, a key of
    problems.PROBLEMS) the output that was asked for, with its `value`, which is no probability."""

    number: int
    name: str
    probability: float | None
    value: float | None = None
    kind: str = "single_label"


@dataclass(frozen=True)
class TargetScores:
    """`scores` (batch,) with a graph; what each picture's map explains, as it is stored; a classifier's predictions."""

    scores: Tensor
    names: tuple[str, ...]
    predictions: tuple[Prediction, ...] = ()


class Target(Protocol):
    """`text` is how it is written. `positive`: DAAM takes the positive part of its gradients, as its authors do for
    class scores."""

    text: str
    positive: bool

    def fixed(self, backbone: Backbone, pixels: Tensor, image_ids: Sequence[int | None]) -> Target: ...

    def ask(self, backbone: Backbone, pixels: Tensor, image_ids: Sequence[int | None]) -> TargetScores: ...


@dataclass(frozen=True)
class ClassTarget:
    """A class's logit; number None is each picture's own predicted class."""

    text: str
    number: int | None
    positive: bool = True

    def fixed(self, backbone: Backbone, pixels: Tensor, image_ids: Sequence[int | None]) -> ClassTarget:
        """The same target with the class that is predicted for these pictures now, whatever network is asked next.
        ValueError for pictures of several classes."""
        if self.number is not None:
            return self
        with torch.no_grad():
            found = set(backbone.logits(pixels).argmax(dim=1).tolist())
        if len(found) > 1:
            raise ValueError("one predicted class can be held, not several")
        return replace(self, number=found.pop())

    def ask(self, backbone: Backbone, pixels: Tensor, image_ids: Sequence[int | None]) -> TargetScores:
        logits = backbone.logits(pixels).float()
        problem, names = backbone.network.problem, backbone.network.classes
        found = scores_of(problem, logits.detach())
        likeliest = found.argmax(dim=1).tolist()
        chosen = likeliest if self.number is None else [self.number] * len(likeliest)
        scores = logits.gather(1, torch.tensor(chosen, device=logits.device)[:, None])[:, 0]
        # The largest of several estimates is not the likeliest: of a regression the one that was asked for is told.
        measures = problem == "regression"
        predictions = tuple(
            Prediction(n, names[n], None if measures else float(row[n]), float(row[n]) if measures else None, problem)
            for n, row in zip(chosen if measures else likeliest, found.cpu(), strict=True)
        )
        return TargetScores(scores, tuple(f"class:{number}" for number in chosen), predictions)


@dataclass(frozen=True)
class DirectionTarget:
    """How far a picture's feature points in a direction that `direction` gives for unit features (batch, dim) and
    image ids: the cosine with it, for directions of length 1. With `raw` the feature is taken before normalisation."""

    text: str
    direction: Callable[[Tensor, Sequence[int | None]], Tensor]
    raw: bool = False
    positive: bool = False

    def ask(self, backbone: Backbone, pixels: Tensor, image_ids: Sequence[int | None]) -> TargetScores:
        features = backbone.process(pixels).features.float()
        unit = normalize(features, dim=-1)
        direction = self.direction(unit.detach(), image_ids).to(unit.device, torch.float32)
        scores = ((features if self.raw else unit) * direction).sum(dim=1)
        return TargetScores(scores, (self.text,) * len(pixels))

    def fixed(self, backbone: Backbone, pixels: Tensor, image_ids: Sequence[int | None]) -> DirectionTarget:
        """The same target with the directions that it has for these pictures now, whatever network is asked next."""
        with torch.no_grad():
            directions = self.direction(normalize(backbone.process(pixels).features.float(), dim=-1), image_ids)
        return replace(self, direction=lambda features, ids: directions)


@dataclass(frozen=True)
class LabelProbe:
    """A logistic regression that tells pictures with a label from the others by their stored features.

    `accuracy` and `balanced_accuracy` (mean over both kinds of pictures; 0.5 is chance) are of `folds`-fold
    cross-validation, None with fewer than two pictures of a kind; `baseline` is the accuracy of always saying the more
    frequent; `pictures` with the label, of `of` whose label is known; `direction` (dim,) of length 1.
    """

    direction: np.ndarray
    accuracy: float | None
    balanced_accuracy: float | None
    baseline: float
    folds: int
    pictures: int
    of: int

    def sentence(self) -> str:
        """How far the probe can be trusted."""
        summary = f"{self.pictures} of {self.of} pictures have this label"
        if self.accuracy is None:
            return f"{summary}: too few to test the probe, so its map is an illustration at most."
        return (
            f"{summary}. In {self.folds}-fold cross-validation the probe is right for {self.accuracy:.0%} of pictures "
            f"(always saying the more frequent: {self.baseline:.0%}) and, with both kinds counted alike, for "
            f"{self.balanced_accuracy:.0%} (chance: 50%)."
        )


def fit_probe(vectors: np.ndarray, has: np.ndarray) -> LabelProbe:
    """A LabelProbe of features (n, dim), L2-normalised, and bool labels (n,); both kinds weigh the same.

    TargetError unless there is at least one picture of each kind.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    has = np.asarray(has, dtype=bool)
    kinds = min(int(has.sum()), int((~has).sum()))
    if kinds == 0:
        raise TargetError("a probe needs pictures with the label and pictures without it")
    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
    direction = model.fit(vectors, has).coef_[0].astype(np.float32)
    folds = min(5, kinds)
    accuracy = balanced = None
    if folds > 1:
        predicted = cross_val_predict(model, vectors, has, cv=StratifiedKFold(folds, shuffle=True, random_state=20))
        accuracy = float((predicted == has).mean())
        balanced = float(((predicted & has).sum() / has.sum() + (~predicted & ~has).sum() / (~has).sum()) / 2)
    baseline = max(has.mean(), 1 - has.mean())
    direction /= np.linalg.norm(direction)
    return LabelProbe(direction, accuracy, balanced, float(baseline), folds, int(has.sum()), len(has))


def make_target(
    text: str,
    backbone: Backbone,
    bank: Bank | None = None,
    labels: Labels | None = None,
    encode: Callable[[str], np.ndarray] | None = None,
) -> ClassTarget | DirectionTarget:
    """The target written as `text` (see above) for a network.

    `bank` holds the run's features; `labels(column)` gives each of the bank's pictures the set of its values in a
    column of the catalogue, or its tags for the column `tag`; an empty set is an unknown value, or a picture without
    tags. `encode(words)` gives the vector (dim,) of a text; without it the network's text tower is loaded. NoTextTower
    where there is none, TargetError with a sentence for whatever does not fit.
    """
    kind, _, rest = text.partition(":")
    if kind == "class" and rest:
        return _class_target(text, rest, backbone)
    if kind == "words" and rest.strip():
        from ingest.vision.words.direction import text_direction

        towards = text_direction(backbone, rest.strip(), encode)
        return DirectionTarget(f"words:{rest.strip()}", lambda features, ids: towards.expand(len(features), -1))
    if kind not in ("neighbours", "image", "label", "vote") or not rest:
        raise TargetError(
            f"{text!r} is no target; there are class:predicted, class:NAME, neighbours:20, image:ID, "
            "label:COLUMN=VALUE, vote:COLUMN and words:TEXT"
        )
    if bank is None or not len(bank.ids):
        raise TargetError(f"{text} needs the stored features of a run, and there are none here")
    if bank.vectors.shape[1] != backbone.dim:
        raise TargetError(
            f"{text}: the run's features have {bank.vectors.shape[1]} numbers and this network's {backbone.dim}; "
            "choose a run of the same network"
        )
    if kind == "neighbours":
        return _neighbours(text, rest, bank)
    if kind == "image":
        return _image(text, rest, bank)
    if labels is None:
        raise TargetError(f"{text} needs metadata, and there is none here")
    if kind == "label":
        direction = torch.from_numpy(label_probe(text, bank, labels).direction)
        return DirectionTarget(text, lambda features, ids: direction.expand(len(features), -1))
    return _vote(text, rest, bank, labels)


def label_probe(text: str, bank: Bank, labels: Labels) -> LabelProbe:
    """The probe behind the target `label:COLUMN=VALUE`. TargetError if no picture, or every picture, has the value."""
    column, found, value = text.removeprefix("label:").partition("=")
    if not found or not value:
        raise TargetError(f"{text!r}: a label is written label:COLUMN=VALUE, such as label:artist=Hokusai")
    sets = labels(column)
    known = np.array([bool(values) or column == "tag" for values in sets])
    has = np.array([value in values for values in sets])
    if not has.any():
        some = sorted({each for values in sets for each in values})[:4]
        hint = f"; its values are {', '.join(some)} …" if some else ""
        raise TargetError(f"no picture of this run has {value!r} in {column!r}{hint}")
    if has[known].all():
        raise TargetError(f"every picture of this run has {value!r} in {column!r}: there is nothing to tell it from")
    return fit_probe(bank.vectors[known], has[known])


def vote_coefficients(feature: Tensor, similarity: Tensor, bank: Tensor, classes: Sequence[str]) -> tuple[Tensor, str]:
    """DAAM's coefficients c (dim,) for a unit feature (dim,), in 0..1, and the class that its neighbours vote for.

    The VOTERS nearest of the bank (n, dim) vote for their classes (n,) with exp(similarity / TEMPERATURE); c is the
    mean of f ⊙ m over those m that are of the winning class, stretched from its least to its greatest entry.
    """
    near = torch.topk(similarity, min(VOTERS, int(torch.isfinite(similarity).sum()))).indices.tolist()
    votes: dict[str, float] = {}
    for i in near:
        votes[classes[i]] = votes.get(classes[i], 0.0) + float(torch.exp(similarity[i] / TEMPERATURE))
    winner = max(votes, key=votes.__getitem__)
    centroid = bank[[i for i in near if classes[i] == winner]].mean(dim=0)
    product = feature * centroid
    spread = product.max() - product.min()
    return (product - product.min()) / spread.clamp_min(1e-12), winner


def _class_target(text: str, rest: str, backbone: Backbone) -> ClassTarget:
    names = backbone.network.classes
    if backbone.network.classify is None:
        raise TargetError(
            f"{backbone.title} has no classifier, so it has no classes to explain; take a classifier such as "
            "--model vit-base, or another target: neighbours:20"
        )
    if rest == "predicted":
        if backbone.network.problem == "regression" and len(names) > 1:
            some = ", ".join(f"class:{number} ({name})" for number, name in enumerate(names[:4]))
            raise TargetError(
                f"{backbone.title} estimates {len(names)} numbers, none of them likelier; name one: {some}"
            )
        return ClassTarget(text, None)
    if rest.isdecimal():
        if int(rest) >= len(names):
            raise TargetError(f"{backbone.title} has no class {rest}: its {len(names)} classes count from 0")
        return ClassTarget(text, int(rest))
    wanted = rest.casefold()
    exact = [n for n, name in enumerate(names) if wanted in [part.strip() for part in name.casefold().split(",")]]
    near = exact or [n for n, name in enumerate(names) if wanted in name.casefold()]
    if len(near) == 1:
        return ClassTarget(f"class:{near[0]}", near[0])
    if near:
        some = "; ".join(f"{n} {names[n]}" for n in near[:4])
        raise TargetError(f"{rest!r} could be several classes of {backbone.title}: {some}; give the number")
    raise TargetError(f"{backbone.title} has no class called {rest!r}; its classes are such as {names[0]!r}")


def _neighbours(text: str, rest: str, bank: Bank) -> DirectionTarget:
    if not rest.isdecimal() or int(rest) < 1:
        raise TargetError(f"{text!r}: a number of neighbours is expected, such as neighbours:20")
    if len(bank.ids) < 2:
        raise TargetError(f"{text}: this run holds one picture, which has no neighbours")
    count = int(rest)

    def direction(features: Tensor, image_ids: Sequence[int | None]) -> Tensor:
        similarity = bank.similarity(features, image_ids)
        near = torch.topk(similarity, min(count, len(bank.ids) - 1), dim=1).indices
        return normalize(bank.matrix[near].mean(dim=1), dim=-1)

    return DirectionTarget(text, direction)


def _image(text: str, rest: str, bank: Bank) -> DirectionTarget:
    found = np.flatnonzero(bank.ids == int(rest)) if rest.isdecimal() else []
    if not len(found):
        raise TargetError(f"{text}: this run holds no image {rest}; the view `features` lists its images")
    other = bank.matrix[int(found[0])]
    return DirectionTarget(text, lambda features, image_ids: other.expand(len(features), -1))


def _vote(text: str, column: str, bank: Bank, labels: Labels) -> DirectionTarget:
    sets = labels(column)
    known = np.array([len(values) == 1 for values in sets])
    if known.sum() < 2:
        raise TargetError(f"{text}: fewer than two pictures of this run have a value in {column!r}")
    voters = Bank(bank.ids[known], bank.vectors[known])
    classes = [next(iter(values)) for values in sets if len(values) == 1]

    def direction(features: Tensor, image_ids: Sequence[int | None]) -> Tensor:
        similarity, own = voters.similarity(features, image_ids), features.cpu()
        return torch.stack(
            [vote_coefficients(f, s, voters.matrix, classes)[0] for f, s in zip(own, similarity, strict=True)]
        )

    return DirectionTarget(text, direction, raw=True)
