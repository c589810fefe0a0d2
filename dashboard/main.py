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

from dashboard import address, cache  # noqa: E402
from store import connection, errors  # noqa: E402

# (address, title, icon, what the page needs before it can say anything)
VIEWS = (
    ("", "Overview", ":material/photo_library:", "database"),
    ("map", "Map", ":material/scatter_plot:", "run"),
    ("similar", "Similar", ":material/image_search:", "run"),
    ("attention", "Attention", ":material/visibility:", "run"),
    ("sql", "SQL", ":material/database:", "database"),
)
MANY = 2000  # images; a longer list in the picker would be sent to the browser at every click
MATCHES = 200


def main() -> None:
    """One run of the script: the address, the sidebar, the page."""
    st.set_page_config(page_title="Bilderatlas", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
    pages = [
        st.Page(address.PAGES[path], title=title, icon=icon, url_path=path, default=not path)
        for path, title, icon, _ in VIEWS
    ]
    page = st.navigation(pages, position="hidden")
    needs = next(needs for path, _, _, needs in VIEWS if path == page.url_path)
    try:
        address.arrive()
        with st.sidebar:
            st.markdown("## Bilderatlas")
            pick_database()
            links = st.container(gap="xxsmall")
            pick()
        address.leave()
        with links:
            for path, title, icon, _ in VIEWS:
                address.link(path, title, icon=icon)
        if cache.collections().empty:
            empty("There are no pictures in this database yet.")
        elif needs == "run" and st.session_state.get("run") is None:
            empty("No network has looked at these pictures yet, and this page shows what one saw.")
        elif needs == "run" and st.session_state.get("image") is None:
            empty("The collection of this run has no pictures.")
        else:
            page.run()
    except errors.StoreError as error:
        explain(error)


def pick_database() -> None:
    """The picker of the database, where there is more than one to choose from."""
    names = [path.name for path in cache.databases()]
    if address.settle("db", names) and len(names) > 1:
        st.selectbox("Database", names, key="db", on_change=address.picked, args=("db",))
    else:
        st.session_state.pop("db", None)


def pick() -> None:
    """The pickers of run and image, each only where there is something to pick."""
    runs = cache.runs()
    ids = [int(run_id) for run_id in reversed(runs["run_id"].tolist())]
    if address.settle("run", ids):
        labels = run_labels()
        st.selectbox(
            "Run",
            ids,
            format_func=labels.get,
            key="run",
            on_change=address.picked,
            args=("run",),
            help="A run is one network with fixed settings over one collection.",
        )
    run = cache.current_run()
    images = cache.images(run["collection"] if run else None)
    options = images["image_id"].tolist()
    if len(options) > MANY:
        options = search(images)
    if not address.settle("image", options):
        return
    labels = image_labels(images.loc[options])
    st.selectbox("Image", options, format_func=labels.get, key="image", on_change=address.picked, args=("image",))
    image_id = cache.current_image()
    if small := cache.thumbnail(image_id):
        st.image(small, alt=images.at[image_id, "alt"], width="stretch")
    st.caption(as_text(images.at[image_id, "caption"]))


def search(images) -> list[int]:
    """The images whose title, caption or path holds what the person typed, and the one in view."""
    words = st.text_input(
        "Find an image", key="image_search", placeholder=f"in {len(images):,} titles, makers and file names"
    )
    text = images["title"] + "\n" + images["caption"] + "\n" + images["path"]
    for word in (words or "").split():
        text = text[text.str.contains(word, case=False, regex=False)]
    found = text.index[:MATCHES].tolist()
    if words:
        st.caption(f"{len(text):,} found" + (f", the first {MATCHES} are listed" if len(text) > MATCHES else ""))
    current = st.session_state.get("image")
    return found if current in found or current not in images.index else [current, *found]


def run_labels() -> dict[int, str]:
    """What each run is called in the picker; the collection is named where there are several."""
    runs = cache.runs()
    several = runs["collection"].nunique() > 1
    labels = {}
    for run_id, collection in zip(runs["run_id"].tolist(), runs["collection"], strict=True):
        title = cache.run(run_id)["title"]
        labels[run_id] = f"{run_id}: {title}, {collection}" if several else f"{run_id}: {title}"
    return labels


def image_labels(images) -> dict[int, str]:
    """Titles; those that several images share are told apart by their paths."""
    shared = images["title"].duplicated(keep=False)
    named = images["title"].where(~shared, images["title"] + " · " + images["path"])
    again = named.duplicated(keep=False)
    return named.where(~again, named + " · " + images["image_id"].astype(str)).to_dict()


def as_text(words: str) -> str:
    """Words of somebody's spreadsheet in Markdown that does nothing with them."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-.!|~$:" else letter for letter in words)


def empty(sentence: str) -> None:
    """A page for a database that works but has nothing to show."""
    st.title("Nothing to show yet")
    st.markdown(sentence)
    commands()


def explain(error: errors.StoreError) -> None:
    """A page for a database that does not open: what is the matter, and what to type."""
    titles = {
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
        st.code(f"python -m ingest migrate{option()}", language="bash")
    if isinstance(error, errors.DatabaseLocked):
        st.markdown("While pictures are being read in, the file is busy for moments at a time.")
    st.button("Try again", key="again", type="primary")


def commands() -> None:
    """What to type to fill the database in view."""
    st.markdown("Type this in a terminal, in the folder of the project. With pictures of your own:")
    st.code(f"python -m ingest run FOLDER{option()}", language="bash")
    st.markdown("or, to try it, with the 29 paintings and prints that come with Bilderatlas:")
    st.code(
        f"python -m ingest run examples/paintings --metadata examples/paintings/metadata.csv{option()}",
        language="bash",
    )
    st.button("I have done that", key="again", type="primary")


def option() -> str:
    """The --db option that names the database in view, empty where it is the one the command takes anyway."""
    chosen = cache.db()
    usual = connection.default_path()
    return "" if chosen == usual else f" --db {shlex.quote(str(chosen))}"


main()
