"""One picture by itself, with what is known about it and where to go from here."""

import pandas as pd
import streamlit as st

from dashboard.compute import words
from dashboard.data import cache
from dashboard.drawing.text import sources
from dashboard.state import navigation

_WAITING = "_card"


def show_later(image_id: int) -> None:
    """Put the image in view and open its card at the next run; ends this one."""
    st.session_state[_WAITING] = int(image_id)
    navigation.choose("image", int(image_id))


def show_waiting() -> None:
    """Open the card that `show_later` asked for, if any. To be called once by a page that uses it."""
    image_id = st.session_state.pop(_WAITING, None)
    image = None if image_id is None else cache.image(image_id)
    if image is not None:
        st.dialog(words.plain(image["title"]), width="large")(_card)(image)


def _card(image: cache.ImageRow) -> None:
    picture, about = st.columns([1, 1], gap="large")
    with picture:
        if found := cache.picture(image["image_id"]):
            st.image(found[0], alt=image["alt"], width="stretch")
        else:
            st.caption("No copy of this picture is kept here.")
    with about:
        navigation.link("picture", "Open the picture", image["image_id"], ":material/zoom_in:")
        navigation.link("attention", "Where does the network look?", image["image_id"], ":material/visibility:")
        navigation.link("similar", "What looks alike?", image["image_id"], ":material/image_search:")
        sources.show(image["metadata"])
        st.dataframe(pd.Series(facts(image), name="value").rename_axis("about"), width="stretch")


def facts(image: cache.ImageRow) -> dict[str, str]:
    """What is known of an image: its metadata, its file, its pixels."""
    place = "address" if "://" in image["path"] else "file"
    known = sources.facts(image["metadata"]) | {place: image["path"]}
    return known | {"pixels": f"{image['width']} × {image['height']}"} | sources.facts_of(image)
