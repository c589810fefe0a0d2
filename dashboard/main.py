"""The router: which page, and the pickers for database, run and image that every page shares.

Started by dashboard/app.py, which serves the thumbnails; on its own it works but for them.
"""

import shlex
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

from dashboard.compute import words  # noqa: E402
from dashboard.data import cache  # noqa: E402
from dashboard.selection import selected  # noqa: E402
from dashboard.selection.actions import dialogs, dock  # noqa: E402
from dashboard.state import (  # noqa: E402
    navigation,
    not_found,
    pickers,
    url,
)
from dashboard.state.busy import ahead  # noqa: E402
from dashboard.state.busy import jobs as work  # noqa: E402
from dashboard.state.navigation import copy_link, tour  # noqa: E402
from store import errors, sharing  # noqa: E402

# A table's own download writes what a museum's metadata may hold, formulas too. Where a table is to be had, the page
# has a download in which a spreadsheet finds nothing to run.
WITHOUT_DOWNLOAD = "[data-testid=stElementToolbarButton]:has([aria-label^=Download]) {display: none}"
# Streamlit's own grey is too pale to be read with ease (a contrast of 4.0).
CAPTIONS = "[data-testid=stCaptionContainer] {color: inherit; opacity: 0.78}"
# The accent carries white text; as a text itself it would be too dark on the dark theme's ground, and is mixed with the
# colour of text there.
ACCENTS = (
    "[data-testid=stButtonGroup] [data-selected=true], [data-testid=stSliderThumbValue] "
    "{color: color-mix(in srgb, var(--primary-color, #b05c39) 45%, CanvasText) !important}"
)
# Streamlit's question marks, switches and the crosses of chosen values are too small for a finger (WCAG 2.5.8); its
# buttons are not, and those with a tooltip stay as high as the others.
TARGETS = (
    "[data-testid=stTooltipHoverTarget] button:not([data-testid=stButton] *, [data-testid=stDownloadButton] *, "
    "[data-testid=stPopover] *, [data-testid=stFormSubmitButton] *), [data-testid=stMultiSelect] button "
    "{min-width: 24px; min-height: 24px} [data-testid=stCheckbox] label {min-height: 24px}"
)
# Streamlit's rows of buttons are lower than its lists beside them, and hide what has no room in a line.
SEGMENTS = (
    "[data-testid=stButtonGroup] > [data-orientation] {flex-wrap: wrap; overflow: visible; margin: 0; padding: 0} "
    "[data-variant=segmented_control] {min-height: 2.5rem; max-width: 100%}"
)
# What is cut says so; sidebar.js has it whole on hover.
CUT = (
    "[data-testid=stSelectbox] input, [role=option] * {text-overflow: ellipsis} "
    "[role=option] * {overflow: hidden; white-space: nowrap}"
)
# Streamlit marks no link that the Tab key has come to.
FOCUS = (
    "[data-testid=stPageLink] a:focus-visible, .ba-term:focus-visible "
    "{outline: 2px solid var(--primary-color, currentColor) !important; outline-offset: -2px}"
)
# Who asks the system for less motion gets none of Streamlit's either; ours says so itself, in shadow trees.
STILL = (
    "@media (prefers-reduced-motion: reduce) {*, *::before, *::after {transition-duration: 1ms !important; "
    "animation-duration: 1ms !important; animation-iteration-count: 1 !important}}"
)


def main() -> None:
    """One run of the script: the address, the sidebar, the page."""
    st.set_page_config(page_title="Bilderatlas", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
    st.html(f"<style>{WITHOUT_DOWNLOAD} {CAPTIONS} {ACCENTS} {TARGETS} {SEGMENTS} {CUT} {FOCUS} {STILL}</style>")
    page, meant = page_asked_for()
    with sharing.sharing(), url.bound(meant or page.url_path):
        show(page, meant)
    ahead.page_shown()


def show(page, meant: str | None) -> None:
    """The sidebar and the page."""
    needs = navigation.PAGES[meant].needs if meant in navigation.PAGES else "nothing"
    with st.sidebar:
        st.markdown("## Bilderatlas")
        above, links = st.container(), st.container(key="pages", gap="xxsmall")
    try:
        navigation.read_from_url()
        with st.sidebar:
            with above:
                pickers.database()
            pickers.run_and_image(
                meant in ("attention", "picture"),
                meant == "picture",
                not (meant in navigation.PAGES and navigation.PAGES[meant].pictured),
            )
        navigation.write_to_url()
        problem = None
    except errors.StoreError as error:
        problem = error
    with links:  # when it is known what is in view
        link_to_all_pages()
    with st.sidebar:
        work.running()
        script = Path(__file__).with_name("sidebar.js").read_text(encoding="utf-8")
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)
        copy_link.button()
        tour.link(visit=problem is None and bool(meant in navigation.PAGES) and not cache.collections().empty)
    if needs == "nothing":
        with not_found.watched():
            page.run()
    elif problem is not None:
        explain(problem)
    else:
        try:
            run(page, needs, meant)
        except errors.StoreError as error:
            explain(error)


def page_asked_for() -> tuple:
    """The page that the address names, and its word in PAGES; None for a page that there is not."""
    pages = [
        st.Page(navigation.script_of(word), title=page.title, icon=page.icon, url_path=word, default=not word)
        for word, page in navigation.PAGES.items()
    ]
    unusual = navigation.unusual_page()
    if unusual is None:
        page = st.navigation(pages, position="hidden")
        return page, page.url_path
    word, meant = unusual
    if meant is None:
        more = st.Page(lambda: no_such_page(word), title="No such page", url_path=word)
    else:  # under the address that was typed: sent elsewhere, nobody could go back past it
        more = st.Page(navigation.script_of(meant), title=navigation.PAGES[meant].title, url_path=word)
    page = st.navigation([*pages, more], position="hidden")
    return page, meant if page is more else page.url_path


def no_such_page(word: str) -> None:
    """What stands at an address that is no page."""
    st.title("There is no such page")
    st.markdown(f"No page is called {words.plain(not_found.quoted(word))}. These are the pages:")
    link_to_all_pages()


def link_to_all_pages() -> None:
    """A line for each page, group by group."""
    for group in navigation.GROUPS:
        st.caption(group)
        for word, page in navigation.PAGES.items():
            if page.group == group:
                navigation.link(word, page.title, icon=page.icon)


def run(page, needs: str, meant: str | None) -> None:
    """The page, or what is to be said while it has nothing to show."""
    if cache.collections().empty and needs != "file":
        empty("There are no pictures in this database yet.")
    elif needs == "run" and st.session_state.get("run") is None:
        empty("No model has been run on this collection yet, and this page shows what one saw.")
    elif needs == "run" and st.session_state.get("image") is None:
        nothing_left()
    else:
        selected.read_from_url_anywhere()
        dock.show(below=meant == "map")
        dialogs.show_waiting()
        with not_found.watched():
            page.run()
        selected.write_to_url_anywhere()


def nothing_left() -> None:
    """A page for a collection without pictures, which may be so because all were removed; an undo brings these back."""
    run = cache.current_run()
    if run is None or cache.removed_images(run.collection).empty:
        empty("The collection of this run has no pictures.")
        return
    dock.show()
    st.title("Nothing to show")
    st.markdown("All pictures of this collection have been removed. They can be put back:")
    navigation.link("", "See what was removed", icon=":material/undo:", removed="true")


def empty(sentence: str) -> None:
    """A page for a database that works but has nothing to show."""
    st.title("Nothing to show yet")
    not_found.show()
    st.markdown(sentence)
    commands()


def explain(error: errors.StoreError) -> None:
    """A page for a database that does not open: what is the matter, and what to type."""
    titles: dict[type[errors.StoreError], str] = {
        errors.DatabaseMissing: "There is no database yet",
        errors.DatabaseLocked: "The database is busy",
        errors.DatabaseNewer: "This database is newer than the program",
        errors.DatabaseOlder: "This database has to be brought up to date",
        errors.NotADatabase: "This is not a Bilderatlas database",
    }
    st.title(titles.get(type(error), "The database did not answer"))
    if isinstance(error, errors.DatabaseMissing):
        st.markdown(
            "Bilderatlas reads pictures into one file, and this page shows what is in it. "
            f"It looked for `{cache.db()}` and did not find it."
        )
        commands()
        return
    st.error(str(error))
    if isinstance(error, errors.DatabaseOlder):
        command = f"python -m ingest migrate --db {shlex.quote(str(cache.db()))}"  # as the sentence above
        st.code(command, language=None, wrap_lines=True)
    if isinstance(error, errors.DatabaseLocked):
        st.markdown("While pictures are being read in, the file is busy for moments at a time.")
    st.button("Try again", key="again", type="primary")


def commands() -> None:
    """How to fill the database in view: the buttons, or what to type."""
    st.markdown(
        "Read a folder of your own: pictures, a table beside them if there is one, films, PDFs. It stays as it is:"
    )
    work.offer_folder("first_read")
    st.markdown("Or try it with the 29 paintings and prints that come with Bilderatlas:")
    work.offer("Reading the sample paintings", ["run", "examples/paintings"], "Read the sample", "first_sample")
    st.button("Look again", key="again", icon=":material/refresh:")


main()
