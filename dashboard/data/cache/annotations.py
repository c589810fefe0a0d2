"""What people say of pictures: tags, notes, selections that are kept, and regions. ids (n,) int64."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.data.cache.memory import annotating, ask, whole_numbers
from store import notes as note_store
from store import regions as region_store
from store import selections
from store import tags as tag_store


def tags(collection: str) -> pd.DataFrame:
    """tag, images: every tag in use in a collection, by name."""
    return ask(tag_store.known, collection=collection)


def tags_among(ids: np.ndarray) -> pd.DataFrame:
    """tag, images, notes (list of texts) of the tags that these images have, the commonest first."""
    return ask(tag_store.among, ids=ids)


def tags_of(ids: np.ndarray) -> pd.DataFrame:
    """image_id, tags (list of texts), a row for each of the images in their order."""
    return ask(tag_store.of, ids=ids)


def tagged(tag: str, collection: str) -> np.ndarray:
    """The images of a collection with a tag, ascending. Read-only."""
    return ask(tag_store.images, tag=tag, collection=collection)


def add_tags(ids: np.ndarray, tags: Sequence[str], note: str) -> int:
    """Give images tags; says how many pairs of image and tag are new."""
    with annotating() as con:
        return tag_store.add(con, ids, tags, note)


def note_tag(ids: np.ndarray, tag: str, note: str) -> None:
    """Change the note that images have with a tag."""
    with annotating() as con:
        tag_store.set_note(con, ids, tag, note)


def remove_tag(ids: np.ndarray, tag: str) -> None:
    """Take a tag from images."""
    with annotating() as con:
        tag_store.remove(con, ids, tag)


def saved_selections(collection: str) -> pd.DataFrame:
    """selection_id, name, note, images, created_at of the selections that are kept, by name."""
    return ask(selections.saved, collection=collection)


def selection_members(collection: str, name: str) -> np.ndarray | None:
    """The images of a selection that is kept, ascending; None if there is none of this name. Read-only."""
    return ask(selections.members, collection=collection, name=name)


def save_selection(collection: str, name: str, ids: np.ndarray, note: str, replace: bool = False) -> None:
    """Keep images by a name; StoreError if it is taken and may not be replaced."""
    with annotating() as con:
        selections.save(con, collection, name, ids, note, replace)


def rename_selection(collection: str, name: str, to: str, note: str) -> None:
    """Give a selection that is kept another name and note."""
    with annotating() as con:
        selections.rename(con, collection, name, to, note)


def delete_selection(collection: str, name: str) -> None:
    """Forget a selection that is kept."""
    with annotating() as con:
        selections.delete(con, collection, name)


def regions(ids: Sequence[int]) -> pd.DataFrame:
    """region_id, image_id, x0, y0, x1, y1 (pixels of the picture), note, created_at: the kept parts of these images."""
    return ask(region_store.of, ids=whole_numbers(ids))


def save_region(image_id: int, box: region_store.Box, note: str) -> None:
    """Keep a part of an image; the box holds shares of its sides."""
    with annotating() as con:
        region_store.add(con, image_id, box, note)


def delete_region(region_id: int) -> None:
    """Forget a part of an image that is kept."""
    with annotating() as con:
        region_store.delete(con, region_id)


def notes(ids: Sequence[int]) -> pd.DataFrame:
    """note_id, image_id, note, created_at: the notes on these images."""
    return ask(note_store.of, ids=whole_numbers(ids))


def add_note(image_id: int, note: str) -> None:
    """Save a note on an image."""
    with annotating() as con:
        note_store.add(con, image_id, note)


def change_note(note_id: int, note: str) -> None:
    """Give a note other words."""
    with annotating() as con:
        note_store.change(con, note_id, note)


def delete_note(note_id: int) -> None:
    """Delete a note."""
    with annotating() as con:
        note_store.delete(con, note_id)
