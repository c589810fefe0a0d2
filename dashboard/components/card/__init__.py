"""The card: one picture in a dialog, with what is known of it, what people wrote of it, and where to go from here."""

from collections.abc import Callable

import streamlit as st

from dashboard.data import cache
from dashboard.drawing import markup
from dashboard.drawing.text import sources
from dashboard.state import navigation, url

_WAITING, _OPEN = "_card", "_card_open"  # in the session: the image to open a card of, and that of the open one


def show_later(image_id: int) -> None:
    """Put the image in view and open its card at the next run; ends this one."""
    st.session_state[_WAITING] = int(image_id)
    navigation.choose("image", int(image_id))


def show_waiting(more: Callable[[cache.ImageRow], None]) -> bool:
    """Open the card that `show_later` asked for, if any, and say whether. To be called once, before a page. `more`
    draws what can be done with a picture."""
    image_id = st.session_state.pop(_WAITING, None)
    if image_id is None or cache.image(image_id) is None:
        return False
    _turn(image_id)
    st.dialog("Picture", width="large", on_dismiss=_close)(_card)(more)
    return True


def show_again() -> None:
    """Callback: the card that is open stays open through the next run of the page."""
    if _OPEN in st.session_state:
        st.session_state[_WAITING] = st.session_state[_OPEN]


def _turn(image_id: int) -> None:
    st.session_state[_OPEN] = image_id


def _close() -> None:
    """The picture that the card came to is the one in view."""
    if (image_id := st.session_state.pop(_OPEN, None)) is not None:
        navigation.choose("image", image_id)


def _card(more: Callable[[cache.ImageRow], None]) -> None:
    # A page that opens no card shall not load what draws one.
    from dashboard.components.card import corrections, layer, notes, objects, picture, regions
    from dashboard.state import ordering

    image = cache.image(st.session_state[_OPEN])
    if image is None:
        st.info("This picture is not in the database any more.")
        return
    image_id, run, box = image["image_id"], cache.current_run(), picture.box_of(image)
    st.html(markup.heading(image["title"]))
    with st.container(horizontal=True, gap="medium"):
        on_its_page, on_attention = layer.links()  # the same map
        navigation.link("picture", "Open the picture’s page", image_id, ":material/zoom_in:", **on_its_page)
        navigation.link("attention", "Where does the network look?", image_id, ":material/visibility:", **on_attention)
        navigation.link("similar", "What looks alike?", image_id, ":material/image_search:")
        regions.elsewhere(image_id, box)  # beside the others: what lies below the picture is out of sight
    more(image)
    about = run if run is not None and run.collection == image["collection"] else None
    above = st.container()
    written, known = st.columns(2, gap="large")
    with written:
        st.subheader("Notes", anchor=False)
        notes.show(image_id)
        regions.show(image, box, lambda shares: picture.go_to(image_id, shares), form_here=False)
        objects.show(image, lambda shares: picture.put_box(image_id, shares))
    with known:
        st.subheader("About the picture", anchor=False)
        st.html(markup.facts({key: value for key, value in facts(image).items() if value != image["title"]}))
        corrections.show(image, "card_correct")
        sources.show(image["metadata"])
    with above:  # last: what chooses a map needs torch, which takes seconds once
        picture.show(image, about, ordering.as_on_the_wall(about, image["collection"]), _turn, addressed=False)
    url.keep()


def facts(image: cache.ImageRow) -> dict[str, str]:
    """What is known of an image: its metadata, its file, its pixels."""
    place = "address" if "://" in image["path"] else "file"
    known = sources.facts(image["metadata"]) | {place: image["path"]}
    return known | {"pixels": f"{image['width']} × {image['height']}"} | sources.facts_of(image)
