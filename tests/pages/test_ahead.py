"""What the server has ready before somebody comes, and what pages do without."""

import subprocess
import sys
import threading
from pathlib import Path

from dashboard.data import cache
from dashboard.state.busy import ahead

ROOT = Path(__file__).parents[2]
OPEN = """
import sys
from streamlit.testing.v1 import AppTest
for name in ("overview", "map", "trust", "vocabulary", "sql"):
    at = AppTest.from_file("dashboard/main.py", default_timeout=60)
    if name != "overview":
        at.switch_page(f"views/{name}/{name}.py")
    at.run()
    assert not at.exception and at.title[0].value.casefold() == name, [each.value for each in at.exception]
print(sorted({"torch", "transformers", "scipy.ndimage", "matplotlib.figure"} & sys.modules.keys()))
"""


def test_pages_that_neither_read_an_original_nor_run_a_network_open_without_its_libraries(db):
    done = subprocess.run([sys.executable, "-c", OPEN], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr[-2000:]


def test_libraries_wait_until_nobody_asks_for_a_page(db, monkeypatch):
    done, happened = threading.Event(), []

    def note(name: str) -> None:
        happened.append(name)
        if name == ahead.LIBRARIES[-1]:
            done.set()

    def idle(seconds: float) -> None:
        happened.append("idle")
        if len(happened) < 4:
            ahead.page_shown()

    monkeypatch.setattr(ahead.importlib, "import_module", note)
    monkeypatch.setattr(ahead, "sleep", idle)
    monkeypatch.setattr(ahead, "_shown", threading.Event())
    threads = set(threading.enumerate())
    ahead.begin("the.page")
    next(each for each in set(threading.enumerate()) - threads if each.name == "first page").join(20)
    assert happened == ["the.page"]
    ahead.page_shown()
    assert done.wait(20)
    drawing, *networks = ahead.LIBRARIES
    assert happened == [
        "the.page",
        "idle",
        "idle",
        "idle",
        drawing,
        *(each for name in networks for each in ("idle", name)),
    ]


def test_the_server_begins_without_a_database(tmp_path, monkeypatch):
    monkeypatch.setenv("BILDERATLAS_DB", str(tmp_path / "none.duckdb"))
    monkeypatch.setattr(ahead.importlib, "import_module", lambda name: imported.append(name))
    imported = []
    ahead._first_page(("the.page",))
    assert imported == ["the.page"]


def test_metadata_are_read_of_the_pictures_that_are_asked_for(db):
    known = cache.images()
    assert isinstance(known.at[1, "metadata"], str) and "caption" not in known
    rows = cache.described([2, 1, 999])
    assert rows.index.tolist() == [2, 1] and isinstance(rows.at[1, "metadata"], dict)
    item = cache.items([1])[0]
    assert (item["caption"], item["alt"]) == (rows.at[1, "caption"], rows.at[1, "alt"]) and item["caption"]
