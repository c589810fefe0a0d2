"""What people say of pictures: tags, notes, saved selections, regions, corrections, and what they remove. Each
is an edit that can be undone. ids (n,) int64."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.data.cache.annotations.edits import author, editing, of_pictures
from dashboard.data.cache.memory import ask, whole_numbers
from store import corrections as correction_store
from store import notes as note_store
from store import regions as region_store
from store import removals, selections
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
    with editing(f"tag {' and '.join(f'“{tag}”' for tag in tags)} on {of_pictures(ids)}", "tag") as con:
        return tag_store.add(con, ids, tags, note)


def note_tag(ids: np.ndarray, tag: str, note: str) -> None:
    """Change the note that images have with a tag."""
    with editing(f"note with the tag “{tag}” on {of_pictures(ids)}", "tag") as con:
        tag_store.set_note(con, ids, tag, note)


def remove_tag(ids: np.ndarray, tag: str) -> None:
    """Take a tag from images."""
    with editing(f"tag “{tag}” taken from {of_pictures(ids)}", "tag") as con:
        tag_store.remove(con, ids, tag)


def saved_selections(collection: str) -> pd.DataFrame:
    """selection_id, name, note, images, created_at of the saved selections, by name."""
    return ask(selections.saved, collection=collection)


def selection_members(collection: str, name: str) -> np.ndarray | None:
    """The images of a selection that is kept, ascending; None if there is none of this name. Read-only."""
    return ask(selections.members, collection=collection, name=name)


def save_selection(collection: str, name: str, ids: np.ndarray, note: str, replace: bool = False) -> None:
    """Keep images by a name; StoreError if it is taken and may not be replaced."""
    with editing(f"selection “{name}” saved", "selection", "selection_member") as con:
        selections.save(con, collection, name, ids, note, replace)


def rename_selection(collection: str, name: str, to: str, note: str) -> None:
    """Give a selection that is kept another name and note."""
    with editing(
        f"selection “{name}” named “{to}”" if to != name else f"note on the selection “{name}”", "selection"
    ) as con:
        selections.rename(con, collection, name, to, note)


def delete_selection(collection: str, name: str) -> None:
    """Forget a selection that is kept."""
    with editing(f"selection “{name}” deleted", "selection", "selection_member") as con:
        selections.delete(con, collection, name)


def regions(ids: Sequence[int]) -> pd.DataFrame:
    """region_id, image_id, x0, y0, x1, y1 (pixels of the picture), note, created_at: the kept parts of these images."""
    return ask(region_store.of, ids=whole_numbers(ids))


def regions_in(collection: str) -> pd.DataFrame:
    """The same of all images of a collection."""
    return ask(region_store.of, collection=collection)


def save_region(image_id: int, box: region_store.Box, note: str) -> None:
    """Keep a part of an image; the box holds shares of its sides."""
    with editing("region saved", "region") as con:
        region_store.add(con, image_id, box, note)


def delete_region(region_id: int) -> None:
    """Forget a part of an image that is kept."""
    with editing("region deleted", "region") as con:
        region_store.delete(con, region_id)


def notes(ids: Sequence[int]) -> pd.DataFrame:
    """note_id, image_id, note, created_at: the notes on these images."""
    return ask(note_store.of, ids=whole_numbers(ids))


def add_note(image_id: int, note: str) -> None:
    """Save a note on an image."""
    with editing("note written", "note") as con:
        note_store.add(con, image_id, note)


def add_notes(ids: Sequence[int], note: str) -> None:
    """Save the same note on each of these images."""
    with editing(f"note on {of_pictures(ids)}", "note") as con:
        for image_id in whole_numbers(ids) or ():
            note_store.add(con, image_id, note)


def change_note(note_id: int, note: str) -> None:
    """Give a note other words."""
    with editing("note changed", "note") as con:
        note_store.change(con, note_id, note)


def delete_note(note_id: int) -> None:
    """Delete a note."""
    with editing("note deleted", "note") as con:
        note_store.delete(con, note_id)


def remove_images(ids: Sequence[int]) -> None:
    """Take images out of their collection; what is known of them stays."""
    with editing(f"{of_pictures(ids)} removed", "removal") as con:
        removals.remove(con, ids, author().who)


def restore_images(ids: Sequence[int]) -> None:
    """Bring images back."""
    with editing(f"{of_pictures(ids)} put back", "removal") as con:
        removals.restore(con, ids)


def removed_images(collection: str | None = None) -> pd.DataFrame:
    """image_id, collection, path, title, sha256, who, removed_at of what was removed, the newest first."""
    return ask(removals.removed, collection=collection)


def corrections_of(image_id: int) -> pd.DataFrame:
    """column, before, after, source_says, who, made_at: the corrected cells of an image."""
    return ask(correction_store.of, image_id=int(image_id))


def corrections(collection: str | None = None) -> pd.DataFrame:
    """The same of all images of a collection, with image_id, collection and path."""
    return ask(correction_store.among, collection=collection)


def cells(image_id: int) -> dict[str, tuple[str, str]]:
    """{column: (an image's cell as text, '' for none, the column's type in the database)}."""
    return dict(ask(correction_store.cells, image_id=int(image_id)))


def correct(image_id: int, column: str, text: str, instead_of: str | None = None) -> None:
    """Put a text in the place of an image's cell; StoreError if the column cannot have it, or the cell is no longer
    what somebody saw there, `instead_of`."""
    shown = text.strip() if len(text.strip()) < 40 else f"{text.strip()[:39]}…"
    with editing(f"{column} corrected to “{shown}”", "correction") as con:
        correction_store.correct(con, image_id, column, text, author().who, instead_of)


def take_correction_back(image_id: int, column: str) -> None:
    """Show again what the source says of an image in a column."""
    with editing(f"correction of {column} taken back", "correction") as con:
        correction_store.take_back(con, image_id, column)
