"""One thing that can be done with a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """One thing to do: `keys` are those of the keyboard, `sign` the text of a button in the picture's corner, '' for
    none; those of one `group` stand together in the menu."""

    key: str
    title: str
    keys: tuple[str, ...] = ()
    sign: str = ""
    group: str = "page"


@dataclass(frozen=True)
class Done:
    """What somebody did of a page's own with a picture; `item_id` is that of the item, of which a picture may have
    several."""

    act: str
    image_id: int
    item_id: int
