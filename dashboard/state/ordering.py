"""In which order the pictures of a collection are shown and gone through: that of the wall on Overview, which the
address keeps, and of these pictures those that the filter leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from dashboard.compute.arrangements import years
from dashboard.data import cache
from dashboard.state import filter_bar
from dashboard.state.url import Param
from ingest.vision.paths import natural_key
from store.records import RunRecord

BY_FILE = "file name"
LISTED = 500  # terms of a vocabulary
ORDER, WORDS = "wall_order", "wall_filter"  # in the address


@dataclass(frozen=True)
class Order:
    """Image ids (n,) in their order, and which of them are gone through, bool (n,); `words` say what the order is."""

    ids: np.ndarray
    kept: np.ndarray
    words: str = ""

    @property
    def shown(self) -> np.ndarray:
        """The ids (m,) that are gone through."""
        return self.ids[self.kept]

    def around(self, image_id: int, most: int = 1) -> tuple[list[int], list[int]]:
        """The images before and after this one, which need not be gone through itself: so many at most, the nearest
        first."""
        places, here = np.flatnonzero(self.kept), np.flatnonzero(self.ids == image_id)
        if not len(here):
            return [], []
        before, after = places[places < here[0]], places[places > here[0]]
        return self.ids[before[::-1][:most]].tolist(), self.ids[after[:most]].tolist()


def by_number(images: pd.DataFrame, offered: Sequence[int] | np.ndarray) -> Order:
    """The images as they were ingested, of which those `offered` are gone through."""
    ids = images.index.to_numpy()
    return Order(ids, np.isin(ids, offered))


def as_on_the_wall(run: RunRecord | None, collection: str | None = None) -> Order:
    """The images of a run's collection, without a run of this one or of all, in the order of Overview's wall; those are
    gone through that hold the words typed there, and that the filter leaves."""
    collection = run.collection if run else collection
    known = orders(collection)
    order = Param(ORDER, BY_FILE, lambda texts: texts[-1] if texts[-1] in known else None, lambda name: [name]).load()
    typed = Param(WORDS, "", lambda texts: texts[0], lambda text: [text]).load() or ""
    every = cache.images(collection).index.to_numpy()
    ids = arranged(every, collection, order if order in known else BY_FILE)
    kept = np.isin(ids, holding(every, typed)) if typed else np.ones(len(ids), bool)
    if run and (chosen := filter_bar.current(run).ids) is not None:
        kept &= np.isin(ids, chosen)
    return Order(ids, kept, f"by {order}" + (f", with “{typed}”" if typed else ""))


def orders(collection: str | None) -> list[str]:
    """The orders that the images of a collection can have."""
    return list(
        dict.fromkeys([BY_FILE, "as ingested", "title", *cache.metadata_columns(collection), *_terms(collection)])
    )


def _terms(collection: str | None) -> dict[str, tuple[int, str, str]]:
    """{order: run, vocabulary, term} of what the run in view has scored, where a list can hold all terms."""
    run = cache.current_run()
    known = cache.vocabularies(run.run_id) if run is not None and run.collection == collection else []
    return {
        f"{each.name}: {term.term}": (each.run_id, each.name, term.term)
        for each in known
        if len(each.terms) <= LISTED
        for term in each.terms
    }


def holding(ids: np.ndarray, typed: str) -> np.ndarray:
    """Those of these images that hold all the words, in their title, path or metadata."""
    if not typed.split():
        return ids
    text = cache.metadata_text().loc[ids]
    for word in typed.split():
        text = text[text.str.contains(word, case=False, regex=False)]
    return text.index.to_numpy()


def arranged(ids: np.ndarray, collection: str | None, order: str) -> np.ndarray:
    """These images of a collection, ascending, in the order asked for, of a term those first that score highest; those
    without a value come last."""
    if order == "as ingested":
        return ids
    own = order == BY_FILE or order in cache.metadata_columns(collection)
    if term := None if own else _terms(collection).get(order):
        scores = -cache.term_scores(*term).set_index("image_id")["score"].reindex(ids)
        return scores.sort_values(kind="stable", na_position="last").index.to_numpy()
    every = cache.remembered(partial(_every, collection, order), "order", order, collection)
    return every if len(every) == len(ids) else every[np.isin(every, ids)]


def _every(collection: str | None, order: str) -> np.ndarray:
    """The ids of all images of a collection, by their files' names (folder by folder, plate 2 before plate 10), by a
    column of their metadata, or by their titles."""
    images = cache.images(collection)
    if order == BY_FILE:
        keys = [natural_key(path) for path in images["path"]]
        return images.index.to_numpy()[sorted(range(len(keys)), key=keys.__getitem__)]
    by, kinds = images["title"], cache.metadata_columns(collection)
    if order in kinds:
        rows = cache.catalogue(collection).set_index("image_id").reindex(images.index)
        if years.range_column(order, kinds) == order:  # "16th century" is no text between "1503" and "1650–1700"
            first, last = (rows[f"{order}{end}"] for end in years.ENDS)
            found = pd.DataFrame({"first": first.fillna(last), "last": last.fillna(first), "text": rows[order]})
            return found.sort_values(["first", "last", "text"], na_position="last").index.to_numpy()
        by = rows[order]
    return by.sort_values(kind="stable", na_position="last").index.to_numpy()
