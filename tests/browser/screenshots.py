"""Takes the README's pictures anew: `make screenshots`. Real pages on the sample paintings, at 1400 px.

`python -m tests.browser.screenshots map-grid map-clusters` takes these alone.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, ROOT, idle, ingest, serve
from tests.browser.windows import VISITED, watch
from tests.support import commands

OUT = ROOT / "docs" / "screenshots"
PAINTINGS = ROOT / "examples" / "paintings"
# Of each database: file, path, and how high the window is
SHOTS = {
    "paintings": (
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
        ("details", "details?image=10&crop=0.036,0.03,0.14,0.21", 1300),
        ("objects", "objects", 1100),
        ("large-images", "large_images?image=15", 1300),
        ("attention", "attention?image=18", 1560),
        ("daam", "attention?image=11&method=daam&target=neighbours:20", 1300),
        (
            "figure",
            "figure?image=18&pictures=18&pictures=3&pictures=11&col=1;cls;11;0&col=1;cls;11;2&col=1;cls;11;4"
            "&col=1;rollout;11;&clip=true",
            1400,
        ),
        ("heads", "heads?head_layer=11&head_number=2", 1900),
        ("aggregate", "aggregate", 1240),
        ("parts", "parts?image=9", 1500),
        ("sql", "sql", 1000),
    ),
    "training": (("training", "training", 1300),),
    "trust": (("trust", "trust", 1400),),
}


def paintings(db: Path) -> None:
    """The sample collection, with all that a page shows of it."""
    ingest(PAINTINGS, db, "--model", "packaged", "--patches")
    run("objects", PAINTINGS, "--objects", "2", db=db)
    run("patches", PAINTINGS, "--patch-size", "64", "--top", "12", db=db)


def training(db: Path) -> None:
    """An experiment that takes some minutes."""
    file = ROOT / "examples" / "configs" / "experiment-megapixel-small.yml"
    run("experiment", file, "--out", db.with_suffix(""), db=db)


def trust(db: Path) -> None:
    """What a network sees of cluttered digits."""
    digits = db.with_suffix("")
    run("synth", "cluttered", digits, "--train", "0", "--test", "40")
    ingest(digits, db, "--model", "packaged", "--project", "pca")
    run("evaluate", "--truth", "boxes:boxes", "--random-weights", db=db)


def run(*words: object, db: Path | None = None) -> None:
    """A command that has to succeed."""
    assert commands.run(*words, db=db).code == 0


def main(names: Sequence[str] = ()) -> None:
    """One PNG a page, of all pages or of those of these names."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for make in (paintings, training, trust):
            shots = [shot for shot in SHOTS[make.__name__] if not names or shot[0] in names]
            if shots:
                db = Path(folder) / f"{make.__name__}.duckdb"
                make(db)
                take(browser, db, shots)
        browser.close()


def take(browser: Browser, db: Path, shots: Sequence[tuple[str, str, int]]) -> None:
    """The pictures of some pages of a database."""
    process, address = serve(db)
    try:
        for name, path, height in shots:
            page = browser.new_page(viewport={"width": 1400, "height": height}, color_scheme="light")
            page.add_init_script(VISITED)
            watch(page)
            page.goto(f"{address}/{path}")
            idle(page)
            page.wait_for_timeout(1500)
            page.screenshot(path=OUT / f"{name}.png")
            page.close()
            shrink(OUT / f"{name}.png")
            print(OUT / f"{name}.png")
    finally:
        process.terminate()


def shrink(file: Path) -> None:
    """256 colours are enough for a page of the README, at a third of the bytes."""
    from PIL import Image

    with Image.open(file) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
