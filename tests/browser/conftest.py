"""A real server on the sample paintings, and a real browser in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.windows import PATIENCE, Windows, quiet
from tests.support import PAINTINGS, ROOT, commands
from tests.support.databases import once

# The headless shell draws no window of its own around the page, and needs a fifth less of the processor.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
# No network but the test's own server: the browser's own errands are switched off.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def serve(db: Path) -> tuple[subprocess.Popen, str]:
    """Starts the dashboard as a user does, and waits until it answers; returns the process and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = {**os.environ, "BILDERATLAS_DB": str(db), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return process, address
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"the dashboard ended with exit code {process.returncode}") from None
            time.sleep(0.2)
    process.kill()
    raise RuntimeError("the dashboard did not answer within a minute")


@pytest.fixture(scope="session")
def show(tmp_path_factory) -> Iterator[Callable[[Path], str]]:
    """`show(db)`: the address of the dashboard, which has this database in view from now on.

    One server for all tests: it opens a link, which leads to one database after the other. A server of its own would
    take longer to start than most tests do, and at each new address the browser compiles all JavaScript again.
    """
    link = tmp_path_factory.mktemp("served") / "atlas.duckdb"

    def lead_to(db: Path) -> None:
        link.with_suffix(".new").symlink_to(db.resolve())
        link.with_suffix(".new").replace(link)

    process, address = serve(link)

    def shown(db: Path) -> str:
        lead_to(db)
        return address

    yield shown
    process.terminate()
    process.wait(10)


def ingest(folder: Path, db: Path, *words: str) -> None:
    """Runs the command line, in this process."""
    assert commands.run("run", folder, *words, db=db).code == 0


@pytest.fixture(scope="session")
def paintings(tmp_path_factory) -> Path:
    """The sample collection, ingested with the packaged weights by the command line; cut, so that pages show edges.
    Without UMAP, which compiles itself for half a minute the first time."""
    made = once(
        tmp_path_factory,
        "paintings.duckdb",
        lambda db: ingest(PAINTINGS, db, "--model", "packaged", "--fit", "crop", "--project", "tsne,pca"),
    )
    return Path(shutil.copy(made, tmp_path_factory.mktemp("paintings")))


@pytest.fixture
def address(paintings, show) -> str:
    return show(paintings)


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine, and it could not be installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def windows(browser) -> Windows:
    return Windows(browser)


@pytest.fixture
def open_page(windows, request):
    """Opens pages, each in a window of its own: the test fails on any console error or failed request."""
    failed = request.session.testsfailed
    with windows.lent() as lender:

        def make(address: str, width: int = 1400, color_scheme: str = "light", **settings):
            page = lender.show(address, width, color_scheme, **settings)
            idle(page)
            return page

        yield make
        problems = lender.problems
        lender.spoilt = bool(problems) or request.session.testsfailed > failed
    assert not problems, problems


def idle(page) -> None:
    """Waits until Streamlit has answered whatever was done on the page, and shows no exception."""
    quiet(page)
    assert page.locator("[data-testid=stException]").count() == 0, page.locator(
        "[data-testid=stException]"
    ).inner_text()


def address_of(page) -> str:
    """The address once it says what is on the page: it is written when a run ends."""
    idle(page)
    return page.url
