"""What the address bar says, and what is in view: kept the same, so that any view can be shared as a link.

The database goes by its file's name, the run and the image by their ids. Streamlit can bind a picker to the address by
itself, but then writes the chosen label there: two pictures called "Untitled" would share a link, and a corrected title
would break one. So this small file does it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.compute import words
from dashboard.drawing.text import glossary
from dashboard.state import filters, not_found, url
from dashboard.state.navigation import examples
from dashboard.state.navigation.examples import Example

KEYS = ("db", "run", "image")
_WORD = "_page_word"  # in the session: the word of an address that is no page of ours
# Streamlit marks a link to the page in view as the one that is chosen, as in a list of pages.
_LINK = """<style>
[class*=st-key-page_example] [data-testid=stPageLink] a {background: none; padding: 0; min-height: 1.75rem}
[class*=st-key-page_example] [data-testid=stPageLink] a * {font-weight: 400; white-space: normal}
[class*=st-key-page_example] [data-testid=stPageLink] a p {text-decoration: underline; text-underline-offset: 0.2em;
  text-decoration-color: var(--st-primary-color, currentColor)}
</style>"""
_ASKED = "_asked"  # in the session: what an address asks for that the pickers have not settled yet


EXPLORE, LOOK, TRAIN, DATA = "Explore the collection", "Look through the network", "Train and trust", "Data"
GROUPS = (EXPLORE, LOOK, TRAIN, DATA)  # in the order of the sidebar


@dataclass(frozen=True)
class Page:
    """A page: its title, its icon, what it `needs` before it can say anything, and other words for it in an address,
    which people type or remember. Its `script` is `views/WORD/WORD.py` unless named; in the sidebar it stands in its
    `group`. The `sentence` under its title says what it is for, and the `example` finds what can be seen there in the
    collection in view. One that is `pictured` shows the picture in view itself, large or among all others, so that the
    sidebar need not."""

    title: str
    icon: str
    needs: str = "run"  # or "database" with pictures in it, "file": a database that opens, or "nothing"
    aliases: tuple[str, ...] = ()
    script: str = ""
    group: str = EXPLORE
    sentence: str = ""
    pictured: bool = False
    example: Callable[[], Example | None] = examples.none


# By their words in the address; in each group in the order of the sidebar. To add one: its folder, and its line here.
PAGES = {
    "": Page(
        "Overview",
        ":material/photo_library:",
        "database",
        ("overview", "home", "index", "start", "collection"),
        "views/overview/overview.py",
        sentence="All pictures of the collection, to filter, tag, open and take away.",
        pictured=True,
        example=examples.overview,
    ),
    "map": Page(
        "Map",
        ":material/scatter_plot:",
        aliases=("atlas", "umap", "projection"),
        pictured=True,
        example=examples.on_map,
    ),
    "similar": Page(
        "Similar",
        ":material/image_search:",
        aliases=("neighbours", "neighbors", "nearest", "search"),
        sentence="Pictures that look alike to the network: to a picture or a part of one, to an upload, to words.",
        pictured=True,
        example=examples.similar,
    ),
    "details": Page(
        "Details",
        ":material/center_focus_strong:",
        aliases=("detail", "motif"),
        sentence="Where else does a hand, a seal, an ornament occur?",
        pictured=True,
        example=examples.details,
    ),
    "objects": Page(
        "Objects",
        ":material/select_all:",
        "database",
        ("object", "crops", "lost", "tokencut"),
        sentence="What stands out in each picture, as objects that nobody drew and no network was trained for.",
        pictured=True,
        example=examples.objects,
    ),
    "vocabulary": Page(
        "Vocabulary",
        ":material/label:",
        aliases=("vocabularies", "terms", "labels"),
        sentence="Terms of a vocabulary for every picture, given by a network that reads words and checked by you.",
        example=examples.vocabulary,
    ),
    "picture": Page(
        "Picture",
        ":material/zoom_in:",
        "database",
        ("zoom", "viewer", "scan"),
        sentence="One picture as large as its file is, with your regions and notes.",
        pictured=True,
        example=examples.picture,
    ),
    "attention": Page(
        "Attention",
        ":material/visibility:",
        aliases=("microscope", "image"),
        group=LOOK,
        sentence="Where the network looks in one picture: by head, by layer, added up as rollout, or for a target.",
        pictured=True,
        example=examples.attention,
    ),
    "figure": Page(
        "Figure",
        ":material/grid_view:",
        aliases=("figures", "print", "plate"),
        group=LOOK,
        sentence="Attention maps of several pictures by several methods, layers and heads, on one scale, for print.",
        pictured=True,
        example=examples.figure,
    ),
    "heads": Page(
        "Heads",
        ":material/grid_on:",
        aliases=("head",),
        group=LOOK,
        sentence="What each head attends to in all pictures: how far, how evenly, and where.",
        example=examples.heads,
    ),
    "aggregate": Page(
        "Aggregate",
        ":material/stacks:",
        aliases=("compare",),
        group=LOOK,
        sentence="The mean attention of groups of pictures, and whether two groups differ.",
        example=examples.aggregate,
    ),
    "parts": Page(
        "Parts",
        ":material/palette:",
        aliases=("patches",),
        group=LOOK,
        sentence="What the network takes for the same kind of place: tokens as colours that several pictures share.",
        pictured=True,
        example=examples.parts,
    ),
    "large_images": Page(
        "Large images",
        ":material/satellite_alt:",
        "database",
        ("large", "large_image", "ips", "selected_patches"),
        group=LOOK,
        sentence="Of scans that are too large to be seen at once, the patches that are worth a closer look.",
        pictured=True,
        example=examples.large_images,
    ),
    "probe": Page(
        "Probe",
        ":material/biotech:",
        "nothing",
        ("upload",),
        group=LOOK,
        sentence="A picture of your own passed through any network; processed in memory, not stored.",
        example=examples.probe,
    ),
    "training": Page(
        "Training",
        ":material/model_training:",
        "file",
        ("trainings", "experiments", "ips"),
        group=TRAIN,
        sentence="A network goes on learning from your pictures, and you watch what becomes of its attention.",
        example=examples.training,
    ),
    "trust": Page(
        "Trust",
        ":material/verified:",
        aliases=("evaluation", "evaluations", "evaluate"),
        group=TRAIN,
        sentence="How often an attention map shows what is known to be in the picture.",
        example=examples.trust,
    ),
    "sql": Page(
        "SQL",
        ":material/database:",
        "database",
        ("query",),
        group=DATA,
        sentence="Ask the database itself: features, attention maps and metadata are its tables.",
        example=examples.in_sql,
    ),
}


def heading(word: str) -> None:
    """The title of a page, and its sentence, in which the words of the glossary explain themselves."""
    page = PAGES[word]
    st.title(page.title, anchor=False)
    with st.container(key="page_intro", gap="xxsmall"):
        st.html(glossary.paragraph(page.sentence))
        example(word)


def example(word: str) -> None:
    """A link to what the page shows of this very collection; nothing where there is nothing."""
    found = PAGES[word].example()
    if found is None:
        return
    others = [(key, text) for key, text in query() if key not in found.address]
    own = [(key, text) for key, texts in found.address.items() for text in texts]
    place = st.container(key="page_example", gap=None)
    place.html(_LINK)
    place.page_link(
        script_of(word),
        label=f"For example: {words.plain(found.words)}",
        query_params=[*others, *own, *url.follow().items()],
    )


def script_of(word: str) -> str:
    """The file of a page, as Streamlit wants it: from the folder of main.py."""
    return PAGES[word].script or f"views/{word}/{word}.py"


def unusual_page() -> tuple[str, str | None] | None:
    """The word of the address where it is no page of ours, and the page that is meant, if that is plain; None on a page
    of ours.

    Streamlit knows what the browser asks for, behind a proxy too, but tells it only as the page is opened; after that
    the address has to say whether it is still the same.
    """
    state, context = st.session_state, get_script_run_ctx()
    word = (context.pages_manager.intended_page_name or "").strip("/") if context else ""
    if not word:
        last = unquote(urlsplit(st.context.url or "").path).rstrip("/").rpartition("/")[2]
        word = last if last == state.get(_WORD) else ""
    if not word or word in PAGES:
        state.pop(_WORD, None)
        return None
    state[_WORD] = word
    return word, meant_page(word)


def meant_page(word: str) -> str | None:
    """The page that is meant by another word than its own: so `/overview` is the first page, and `/Maps` is Map."""
    name = word.casefold().removesuffix(".html").removesuffix(".py")
    near = [each for each in (name, name.removesuffix("s"), f"{name}s") if each]
    known = {alias: each for each, page in PAGES.items() for alias in (*page.aliases, each)}
    return next((known[each] for each in near if each in known), None)


def read_from_url() -> None:
    """Take over what is new in the address. To be called before the pickers."""
    state = st.session_state
    for key in KEYS:
        value = st.query_params.get(key)
        if url.changed_in_url(key) and value is not None:
            state.setdefault(_ASKED, {})[key] = value
            if key == "db" or is_id(value):
                state[key] = value if key == "db" else int(value)
    state.update(state.pop("_pending", {}))
    if "_goto" in state:
        st.switch_page(script_of(state.pop("_goto")), query_params=query())


def is_id(text: str) -> bool:
    """Whether a text may be the id of something: the database counts up to 19 digits."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def clamp(key: str, options: list, missing: Callable[[str, Any], str]) -> bool:
    """Before a picker is drawn: make its value one of the options, the first if it is not. False if there are none.

    What the address asks for in vain is said at the top of the page: `missing` makes a sentence of its word and of what
    is shown instead, None for nothing.
    """
    state, asked = st.session_state, st.session_state.get(_ASKED, {}).pop(key, None)
    if not options:
        state.pop(key, None)
    elif state.get(key) not in options:
        state[key] = options[0]
    if asked is not None and (asked if key == "db" else asked.lstrip("0") or asked) != str(state.get(key)):
        not_found.note(key, missing(asked, state.get(key)), state.get(key))
    return bool(options)


def asked(key: str) -> str | None:
    """What the address asks for anew, before the picker is settled."""
    return st.session_state.get(_ASKED, {}).get(key)


def write_to_url() -> None:
    """Write what is in view into the address. To be called after the pickers."""
    values = parameters()
    for key in KEYS:
        url.put(key, [values[key]] if key in values else [])


def parameters(**other: Any) -> dict[str, str]:
    """What the address says of what is in view, with some values replaced or added."""
    values = {key: st.session_state.get(key) for key in KEYS} | other
    return {key: str(value) for key, value in values.items() if value is not None}


def query(**other: Any) -> list[tuple[str, str]]:
    """The query of a link to what is in view, with some values replaced or added, and with the filter: every address
    of ours carries it, so that one without it means that there is none."""
    state, address = st.session_state, st.query_params
    entries = filters.to_address(state["f"]) if "f" in state else address.get_all("f")
    where = state["where"] if "where" in state else address.get("where")
    return [*parameters(**other).items(), *(("f", entry) for entry in entries), *([("where", where)] if where else [])]


def choose(key: str, value: Any, page: str | None = None) -> None:
    """Set a picker from elsewhere, in a callback or in a page's body, and go to a page if one is named."""
    try:
        st.session_state[key] = value
    except StreamlitAPIException:  # the body of a page: the picker is on the screen and can't be changed in this run
        if page is not None:
            st.switch_page(script_of(page), query_params=query(**{key: value}))
        st.session_state["_pending"] = {key: value}
        st.rerun()
    if page is not None:
        st.session_state["_goto"] = page


def link(page: str, label: str, image_id: int | None = None, icon: str | None = None, **more: str) -> None:
    """A link to a page of ours, with what is in view or with another image, with the filter that pages share, and with
    `more` of what that page keeps in its address."""
    parameters = query(**more) if image_id is None else query(image=image_id, **more)
    st.page_link(script_of(page), label=label, icon=icon, query_params=parameters, width="stretch")
