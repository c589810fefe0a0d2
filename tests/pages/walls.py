"""The walls of pictures on the page Similar, and what ought to hang there."""

import numpy as np

from dashboard import components
from dashboard.data import cache
from dashboard.selection import actions


class Wall:
    """All walls of pictures on the page: they remember what they were given and answer what they are told to.

    `items` are the neighbours; `of` has those of every wall in the last run, by its key. `click` goes on from a neighbour,
    by the arrow on it; `answers` says by key what another wall answers next, of what it offers.
    """

    def __init__(self):
        self.items, self.click, self.of, self.answers = [], None, {}, {}

    def choice(self, items, key, *args, **more):
        self.of[key] = list(items)
        return self.answers.pop(key, None)

    def gallery(self, items, key, *args, own=(), **more):
        self.of[key] = list(items)
        answer = self.answers.pop(key, None)
        if key == "neighbours":
            self.items, clicked, self.click = list(items), self.click, None
            answer = answer if clicked is None else done("subject", clicked)
        assert answer is None or answer.act in [each.key for each in own], "nobody could have done that here"
        return answer

    def ids_of(self, key: str) -> list[int]:
        return [item["image_id"] for item in self.of[key]]

    @property
    def ids(self) -> list[int]:
        return [item["image_id"] for item in self.items]


def stand_in(monkeypatch) -> Wall:
    """One that takes the place of all walls."""
    walls = Wall()
    monkeypatch.setattr(components, "gallery", walls.choice)
    monkeypatch.setattr(actions, "gallery", walls.gallery)
    return walls


def done(act: str, image_id: int) -> actions.Done:
    """What a gallery answers where somebody has done something of the page's own with a picture."""
    return actions.Done(act, image_id, image_id)


def html(at) -> str:
    return "".join(element.value for element in at.main.html)


def vectors_of(*image_ids) -> np.ndarray:
    ids, matrix = cache.features(1)
    return np.stack([matrix[ids == image_id][0] for image_id in image_ids]).astype(float)


def ranked(vector: np.ndarray, left_out: set[int]) -> list[int]:
    """Every image but some by its cosine with a vector, best first."""
    scored = [(-float(vectors_of(i)[0] @ vector / np.linalg.norm(vector)), i) for i in range(1, 7) if i not in left_out]
    return [image_id for _, image_id in sorted(scored)]
