"""The command that draws maps over a film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import (
    accumulate_option,
    db_option,
    device_option,
    fit_option,
    json_option,
    model_option,
    size_option,
    weights_option,
)
from ingest.cli.plain import PlainCommand, Stopped
from ingest.notation import step
from ingest.report import Report
from ingest.vision.colour_maps import COLOUR_MAPS
from store.counts import counted

SETTINGS = ("model", "weights", "fit", "size", "device", "batch_size", "target")


@click.command(cls=PlainCommand)
@click.argument("source", metavar="FILM", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The film to write, .mp4 or .gif.  [default: FILM-METHOD.mp4]"
)
@click.option(
    "--frames",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Each frame as a PNG in this folder; a film only with --out.",
)
@click.option("--method", default="cls", show_default=True, help="A method of `methods`: cls, rollout, daam …")
@click.option("--target", help="What an attribution explains: class:predicted, class:NAME, neighbours:20, image:ID …")
@click.option("--run", "run_id", type=int, help="Where a target finds its neighbours.  [default: the newest run]")
@click.option("--layer", type=click.IntRange(0), help="Of this layer, from 0.  [default: the last]")
@accumulate_option
@click.option("--head", default="mean", show_default=True, help="A head, from 0; or mean or max of all.")
@click.option(
    "--view",
    type=click.Choice(["overlay", "side", "map", "original"]),
    default="overlay",
    show_default=True,
    help="The map over the picture, beside it, alone; or the film without a map.",
)
@click.option(
    "--scale",
    type=click.Choice(["shared", "absolute", "map"]),
    default="shared",
    show_default=True,
    help="One for the whole film; times uniform attention; or each frame its own.",
)
@click.option(
    "--colours",
    type=click.Choice(list(COLOUR_MAPS)),
    default="inferno",
    show_default=True,
    help="The colours of the map.",
)
@click.option("--opacity", type=click.FloatRange(0, 1), default=0.6, show_default=True, help="Of the map.")
@click.option("--smooth/--sharp", default=True, show_default=True, help="Blended, or one flat square for each patch.")
@click.option("--every", callback=step, default="0", help="A frame every 0.5s, 500ms, 1:00.  [default: all frames]")
@click.option("--side", type=click.IntRange(16), help="Longest side in pixels.  [default: 1280, of a GIF 640]")
@model_option
@weights_option
@fit_option
@size_option
@device_option
@click.option("--batch-size", type=click.IntRange(1), help="Frames a batch.  [default: chosen from the machine]")
@db_option
@json_option
def film(
    source: Path,
    out: Path | None,
    folder: Path | None,
    db: Path,
    as_json: bool,
    run_id: int | None,
    **options: Any,
) -> None:
    """Draw what a network attends to over every frame of a film."""
    from ingest.film import Drawing, check_output, describe, draw_film, open_film_model
    from ingest.frame_folder import check_folder
    from ingest.runs import Settings
    from ingest.vision.film import scan_film

    report = Report(as_json)
    settings = {name: options.pop(name) for name in SETTINGS}
    drawing = Drawing(**options)
    if folder:
        check_folder(folder)
    if out is None and folder is None:
        out = Path(f"{source.stem}-{drawing.method}.mp4")
    if out:
        check_output(out, source)
    found = scan_film(source)
    if found.complaint:
        report.log(f"{source.name}: {found.complaint}")
    film_model = None
    if drawing.view != "original":
        film_model, drawing = open_film_model(db, Settings(**settings), drawing, report, run_id)
    try:
        made = draw_film(found, out, drawing, film_model, report, folder)
    except KeyboardInterrupt:
        words = "stopped; no film was written"
        if folder:
            words += f". The frames in {folder} are good, and the same command adds the others"
        raise Stopped(words) from None
    places = [str(out)] if out else []
    if folder:
        already = f", {made['already']} were there already" if made["already"] else ""
        places.append(f"{folder}: {counted(made['pictures'], 'PNG')}{already}")
    damaged = f" ({made['damaged']} more {'is' if made['damaged'] == 1 else 'are'} damaged)" if made["damaged"] else ""
    rate = f"{counted(made['frames'], 'frame')}{damaged}, {made['fps']:.5g} a second"
    report.finish(
        f"{rate} · {describe(made)} → {'; '.join(places)}",
        made | ({"model": film_model.backbone.key, "backbone": film_model.backbone.title} if film_model else {}),
    )
