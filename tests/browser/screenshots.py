"""Takes the README's pictures anew: `make screenshots`. Real pages on the sample paintings, at 1400 px.

`python -m tests.browser.screenshots map-grid map-clusters` takes these alone.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, ROOT, idle, ingest, serve
from tests.browser.windows import watch

OUT = ROOT / "docs" / "screenshots"
# File, path, what the picture should be about
SHOTS = (
    ("overview", "", 1000),
    ("picture", "picture?image=11&picture_method=rollout", 1160),
    ("map", "map", 1240),
    ("map-umap", "map?map_colour=country", 1080),
    ("map-tsne", "map?projection=t-SNE&map_colour=country", 1080),
    ("map-timeline", "map?layout=time&layout_by=year&map_colour=country", 1080),
    ("map-groups", "map?layout=groups&layout_by=artist", 1080),
    ("map-grid", "map?layout=grid&map_colour=country", 1080),
    ("map-clusters", "map?projection=t-SNE&clusters=true", 1080),
    ("similar", "similar?image=11", 1000),
    ("attention", "attention?image=18", 1560),
    ("daam", "attention?image=11&method=daam&target=neighbours:20", 1300),
    ("heads", "heads?head_layer=11&head_number=2", 1900),
    ("aggregate", "aggregate", 1240),
    ("parts", "parts?image=9", 1500),
    ("sql", "sql", 1000),
)


def main(names: Sequence[str] = ()) -> None:
    """One PNG a page, of all pages or of those of these names."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        db = Path(folder) / "paintings.duckdb"
        ingest(ROOT / "examples" / "paintings", db, "--model", "packaged")
        process, address = serve(db)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            for name, path, height in (shot for shot in SHOTS if not names or shot[0] in names):
                page = browser.new_page(viewport={"width": 1400, "height": height}, color_scheme="light")
                watch(page)
                page.goto(f"{address}/{path}")
                idle(page)
                page.wait_for_timeout(1500)
                page.screenshot(path=OUT / f"{name}.png")
                page.close()
                shrink(OUT / f"{name}.png")
                print(OUT / f"{name}.png")
        finally:
            browser.close()
            process.terminate()


def shrink(file: Path) -> None:
    """256 colours are enough for a page of the README, at a third of the bytes."""
    from PIL import Image

    with Image.open(file) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
