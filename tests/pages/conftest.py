"""Databases for the pages, and a way to open a page on one."""

import shutil
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from dashboard.state import url
from dashboard.state.busy import jobs
from store import connection
from tests.pages import database

MAIN = Path(__file__).parents[2] / "dashboard" / "main.py"
# The first page of a process imports plotly and pandas, on a busy machine slowly.
TIMEOUT = 60


@pytest.fixture(scope="session", autouse=True)
def packages_scanned_once():
    """Each AppTest is a new runtime, and would look for components in the metadata of all packages: 0.4 s of CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def from_this_computer(monkeypatch):
    """The visitor sits at this computer; AppTest says nothing of where one comes from."""
    monkeypatch.setattr(jobs, "_visitor", lambda: None)


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """The small database, made once. Copy it before changing it: `db` does."""
    path = tmp_path_factory.mktemp("pages") / "made.duckdb"
    database.make(path)
    return path


@pytest.fixture
def db(made, tmp_path, monkeypatch) -> Path:
    """A copy of the small database, named in BILDERATLAS_DB."""
    path = tmp_path / "atlas.duckdb"
    shutil.copy(made, path)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    return path


@pytest.fixture
def empty_db(tmp_path, monkeypatch) -> Path:
    """A database with a schema and nothing in it."""
    path = tmp_path / "empty.duckdb"
    with connection.writing(path):
        pass
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    return path


@pytest.fixture
def history_navigation(monkeypatch):
    """`history_navigation()`: from now on reruns come as the browser's Back and Forward do; `(False)`: no longer."""
    return lambda on=True: monkeypatch.setattr(url, "_is_history_navigation", lambda: on)


@pytest.fixture
def open_page():
    """`open_page("map", image=3)`: the page as AppTest sees it after its first run, with this query in the address."""

    def open_(name: str = "overview", **query) -> AppTest:
        at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
        at.query_params.update({key: str(value) for key, value in query.items()})
        if name != "overview":
            at.switch_page(f"views/{name}/{name}.py")
        return at.run()

    return open_
