"""The command that selects patches of large pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import (
    db_option,
    device_option,
    images_option,
    json_option,
    model_option,
    source_options,
    weights_option,
    where_option,
)
from ingest.cli.plain import SourceCommand, finish
from ingest.report import Report

# What a trained network has of its own, as the options are called.
OPTIONS = {
    "top": "--top",
    "iteration": "--iteration",
    "how": "--how",
    "patch_size": "--patch-size",
    "stride": "--stride",
}


@click.command(cls=SourceCommand)
@source_options
@db_option
@click.option(
    "--scorer",
    default="attention",
    show_default=True,
    help="attention: where the network looks when it sees the whole picture small; rarity: patches unlike the "
    "collection's others; trained: a network of `train ips`, its file named with --weights.",
)
@model_option
@weights_option
@click.option(
    "--patch-size",
    type=int,
    help="Side of a patch in pixels.  [default: 224, of a trained network its own]",
)
@click.option("--stride", type=int, help="Pixels from one patch to the next.  [default: the side of a patch]")
@click.option(
    "--top",
    type=int,
    help="M: how many patches of a picture are selected.  [default: 20, of a trained network its own]",
)
@click.option(
    "--iteration", type=int, help="I: patches that are read at a time.  [default: 32, of a trained network its own]"
)
@click.option(
    "--how",
    help="exact: the best of all patches; rounds: of M and the next I at a time, as published.  [default: exact, of a "
    "trained network its own]",
)
@click.option("--shuffle", default="none", show_default=True, help="The order of patches in rounds: none or instance.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of shuffling, sampling and masking.")
@click.option("--mask-top", type=int, default=0, show_default=True, help="Mask some of so many highest scores …")
@click.option("--mask-probability", type=float, default=0.0, show_default=True, help="… each with this probability.")
@click.option("--run", "run_id", type=int, help="Continue this run of the view patch_runs, with its settings.")
@images_option
@where_option
@device_option
@click.option("--batch-size", type=click.IntRange(1), help="Patches a batch of the network.  [default: 8]")
@json_option
def patches(
    source: Any,
    db: Path,
    as_json: bool,
    images: str | None,
    where: str | None,
    run_id: int | None,
    device: str,
    batch_size: int | None,
    mask_top: int,
    mask_probability: float,
    **options: Any,
) -> None:
    """Select what is worth seeing of very large pictures: of each the best patches, with box, score, feature and
    thumbnail (view patches).

    Pictures are read by windows, never whole, where their format allows it. Again on the same source: only what is new
    is computed.
    """
    from ingest.explain import narrow
    from ingest.patches.selecting import select_patches
    from ingest.patches.settings import PatchSettings, check, stored_run
    from ingest.patches.trained import KEY, trained_options
    from ingest.sources.registry import list_source

    report = Report(as_json)
    given = {name: value for name, value in options.items() if value is not None}
    own = trained_options(given.get("weights"), given) if given["scorer"] == KEY else {}
    if own:
        report.log(f"as in the network's training: {', '.join(f'{OPTIONS[name]} {own[name]}' for name in own)}")
    settings = PatchSettings(**own, **given, masking=(mask_top, mask_probability))
    check(settings)
    if run_id is not None:
        stored_run(db, run_id)
    listing = narrow(db, list_source(db, source, report), images, where)
    finish(report, select_patches(db, listing, settings, report, run_id, device, batch_size))
