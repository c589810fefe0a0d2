"""The commands that make pictures of which everything is known."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.options import json_option
from ingest.cli.plain import PlainCommand
from ingest.report import Report
from store.counts import counted


def canvas_of(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Width and height in pixels of `1500` or `1500x1000`."""
    sides = value.lower().replace("×", "x").split("x")
    if not 1 <= len(sides) <= 2 or not all(side.strip().isdecimal() and int(side) for side in sides):
        raise click.BadParameter(f"{value!r} is no size in pixels; type 1500 or 1500x1000")
    return int(sides[0]), int(sides[-1])


digits_option = click.option(
    "--digits",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="A folder with MNIST's four files.  [default: the digits of scikit-learn]",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Other seeds make other pictures."
)


@click.group()
def synth() -> None:
    """Make pictures of which everything is known, to try methods on them."""


@synth.command(cls=PlainCommand)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--train", type=click.IntRange(0), default=5000, show_default=True, help="How many pictures to train.")
@click.option("--test", type=click.IntRange(0), default=1000, show_default=True, help="How many pictures to test.")
@click.option("--canvas", default="1500", show_default=True, callback=canvas_of, help="Pixels: 1500 or 1500x1000.")
@click.option("--digit", type=click.IntRange(1), help="Side of a digit in pixels.  [default: 28]")
@click.option(
    "--ratio", type=click.FloatRange(0, 100, min_open=True), help="Instead: the share of the canvas of a digit, in %."
)
@click.option("--noise", type=click.IntRange(0), default=50, show_default=True, help="Pieces of noise a picture.")
@click.option(
    "--noise-kind",
    type=click.Choice(["bezier", "scribbles"]),
    default="bezier",
    show_default=True,
    help="Curves, or the straight lines of the original set.",
)
@click.option("--noise-size", type=click.IntRange(1), help="Side of a piece of noise.  [default: as the digits]")
@click.option(
    "--thickness",
    type=click.FloatRange(0, 14, min_open=True),
    default=1.925,
    show_default=True,
    help="Of the curves, in pixels on a grid of 28.",
)
@digits_option
@seed_option
@json_option
def megapixel(
    folder: Path,
    train: int,
    test: int,
    canvas: tuple[int, int],
    digit: int | None,
    ratio: float | None,
    noise: int,
    noise_kind: str,
    noise_size: int | None,
    thickness: float,
    digits: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Megapixel MNIST: five digits on a large canvas, three of them the same, among noise.

    FOLDER gets the pictures, and metadata.csv with four tasks (majority, max, top, multi) and the box of each digit.
    """
    from ingest.synth.megapixel import Megapixel, side_of_ratio, write_megapixel

    if digit is not None and ratio is not None:
        raise click.UsageError("--digit and --ratio say the same in two ways; give one of them")
    side = side_of_ratio(ratio, canvas) if ratio is not None else digit or 28
    settings = Megapixel(canvas, side, noise, noise_kind, noise_size, thickness, digits, seed)
    report = Report(as_json)
    with report.progress(train + test, "drawing") as advance:
        new = write_megapixel(folder, settings, {"train": train, "test": test}, advance)
    made = ", ".join(f"{counted(number, 'picture')} to {split}" for split, number in new.items())
    line = f"{made} new · digits of {side} pixels, {100 * settings.ratio:.3g} % of the canvas → {folder}"
    report.finish(line, {"folder": str(folder), "new": new, "digit": side, "ratio": settings.ratio})


@synth.command(cls=PlainCommand)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--train", type=click.IntRange(0), default=1000, show_default=True, help="How many pictures to train.")
@click.option("--test", type=click.IntRange(0), default=200, show_default=True, help="How many pictures to test.")
@click.option("--canvas", default="100", show_default=True, callback=canvas_of, help="Pixels: 100 or 150x100.")
@click.option("--digit", type=click.IntRange(1), default=28, show_default=True, help="Side of the digit in pixels.")
@click.option(
    "--offset",
    type=click.FloatRange(0, 1),
    default=2 / 3,
    show_default="2/3",
    help="How far from the middle the digit may lie, as a share of the free margin.",
)
@click.option("--distractors", type=click.IntRange(0), default=6, show_default=True, help="Pieces of other digits.")
@click.option("--distractor-size", type=click.IntRange(1), default=9, show_default=True, help="Their side in pixels.")
@click.option(
    "--background",
    type=click.Choice(["grey", "binary", "textured"]),
    default="grey",
    show_default=True,
    help="Grey digits on black; black and white alone; grey digits on cloudy noise.",
)
@click.option(
    "--texture",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of a textured background: how bright, as a share of white.",
)
@digits_option
@seed_option
@json_option
def cluttered(
    folder: Path,
    train: int,
    test: int,
    canvas: tuple[int, int],
    digit: int,
    offset: float,
    distractors: int,
    distractor_size: int,
    background: str,
    texture: float,
    digits: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Cluttered digits: one digit somewhere on the canvas, among pieces of other digits.

    FOLDER gets the pictures, metadata.csv with the digit and its box, and the masks in FOLDER/.masks, which `evaluate`
    takes as the truth.
    """
    from ingest.synth.cluttered import ClutteredSet, write_cluttered
    from ingest.synth.writing import MASKS
    from ingest.vision.cluttered import Clutter

    clutter = Clutter(canvas, digit, offset, distractors, distractor_size, background, texture)
    report = Report(as_json)
    with report.progress(train + test, "drawing") as advance:
        new = write_cluttered(folder, ClutteredSet(clutter, digits, seed), {"train": train, "test": test}, advance)
    made = ", ".join(f"{counted(number, 'picture')} to {split}" for split, number in new.items())
    masks = folder / MASKS
    line = f"{made} new → {folder}, masks → {masks} (evaluate --truth masks:{masks})"
    report.finish(line, {"folder": str(folder), "masks": str(masks), "new": new})
