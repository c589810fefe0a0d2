"""The map of pictures as a test sees it: what its element says of itself, and hands that move on it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from ingest import atlas
from store import connection, write
from tests.browser.windows import PATIENCE
from tests.pages import database

HARMFUL = '<img src=x onerror="document.title=1">'


def plant(path: Path, names: Sequence[str], xy: np.ndarray, facts: Mapping[str, dict]) -> None:
    """A database of these paintings at these places (n, 2), as UMAP and, turned round and twice as wide, as t-SNE; with
    their metadata changed to `facts`."""
    found = database.make(path, names)
    ids = np.array([found[name] for name in names])
    with connection.writing(path) as con:
        for number in (1, 2, 3):
            write.drop_projection(con, number)
        write.add_projection(con, 1, "umap", {"planted": True}, ids, xy)
        write.add_projection(con, 1, "tsne", {"planted": True}, ids, -2 * xy)
        write.set_metadata(con, 1, facts)
    atlas.make(path, 1)


STILL = """(element, patience) => new Promise((resolve, reject) => {
  const end = performance.now() + patience;
  let calm = 0;
  const look = () => {
    const { waiting, moving, drawn } = element.dataset;
    calm = waiting === "0" && moving === "0" && Number(drawn) > 0 ? calm + 1 : 0;
    if (calm === 3) resolve();
    else if (performance.now() > end) reject(new Error(`the map is not complete: ${JSON.stringify(element.dataset)}`));
    else setTimeout(look, 50);
  };
  look();
})"""


@contextmanager
def drawer(page: Page, key: str) -> Iterator[None]:
    """A drawer of the map's bar ("map_layout", "map_look", "map_about"), open meanwhile."""
    page.locator(f".st-key-{key} [data-testid=stPopoverButton]").click()
    body = page.get_by_test_id("stPopoverBody")
    body.wait_for()
    yield
    page.keyboard.press("Escape")
    body.wait_for(state="detached")


def project(page: Page, name: str) -> None:
    """Shows another projection."""
    with drawer(page, "map_layout"):
        page.get_by_text(name, exact=True).last.click()


class PictureMap:
    """The canvas on a page, from when it is complete; of two that with this `number`."""

    def __init__(self, page: Page, number: int | None = None):
        self.page = page
        self.root = page.locator(".map") if number is None else page.locator(".map").nth(number)
        self.stage = self.root.locator(".stage")
        self.still()

    def __getitem__(self, name: str) -> float:
        """One of drawn, waiting, empty, frames, x, y, scale, zoom, selected, points."""
        return float(self.root.get_attribute(f"data-{name}"))

    def still(self) -> None:
        """Waits until nothing moves and no picture or layout is on its way, for three looks in a row."""
        self.root.evaluate(STILL, PATIENCE)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the layout is in the window, in pixels."""
        box = self.stage.bounding_box()
        across, up = (x - self["x"]) * self["scale"], (y - self["y"]) * self["scale"]
        return box["x"] + box["width"] / 2 + across, box["y"] + box["height"] / 2 - up

    def click(self, x: float, y: float, **how) -> None:
        self.page.mouse.click(*self.place(x, y), **how)

    def draw(self, points: Iterable[tuple[float, float]]) -> None:
        """A line through points of the layout with the button held down."""
        places = [self.place(*point) for point in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up()
