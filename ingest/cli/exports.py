"""Commands that give something away: features, IIIF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import accumulate_option, collection_option, db_option, images_option, json_option, where_option
from ingest.cli.plain import PlainCommand
from ingest.report import Report
from store.counts import counted


@click.command(cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", "run_id", type=int, help="The run to export.  [default: the newest]")
@click.option("--raw", is_flag=True, help="The vectors as the network gave them.  [default: brought to length 1]")
@db_option
@json_option
def export(file: Path, db: Path, as_json: bool, run_id: int | None, raw: bool) -> None:
    """Write a run's features to FILE: .parquet or .csv with the catalogue, .npz (arrays `paths` and `vectors`), .pkl (a
    pickled dictionary from path to vector).

    The vectors have length 1, so that their products are cosines; with --raw they are as long as the network made them.
    """
    from ingest.export import export_features
    from ingest.runs import newest_run

    run_id = newest_run(db, run_id).run_id
    count = export_features(db, run_id, file, raw)
    kind = "as the network gave them" if raw else "brought to length 1 (--raw: as the network gave them)"
    found = {"features": count, "file": str(file), "raw": raw}
    Report(as_json).finish(f"{counted(count, 'feature')} of run {run_id}, {kind} → {file}", found)


@click.command("export-iiif", cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@collection_option
@images_option
@where_option
@click.option("--tag", help="Only the images with this tag.")
@click.option("--selection", help="Only the images of this saved selection.")
@click.option("--uri", help="The address at which the manifest will lie.  [default: one of example.org]")
@click.option("--label", help="The manifest's title.  [default: the file's name]")
@click.option("--pictures", "folder", metavar="URL", help="Where the pictures of a folder lie on the web.")
@click.option("--service", "services", metavar="URL", help="The image service of a dashboard on this database, …/iiif.")
@click.option("--peaks", "count", type=click.IntRange(0, 100), default=0, help="Mark so many peaks of attention.")
@click.option("--run", "run_id", type=int, help="The run whose maps have the peaks.  [default: the newest]")
@click.option("--method", help="A stored method: cls, rollout, daam …  [default: the run's first]")
@click.option("--target", default="", help="What the maps explain.")
@click.option("--layer", type=click.IntRange(0), help="Of this layer, from 0.  [default: the last]")
@accumulate_option
@click.option("--head", type=click.IntRange(0), help="Of this head, from 0.  [default: the mean of all]")
@click.option("--regions", type=click.Path(dir_okay=False, path_type=Path), help="CSV: image_id,x0,y0,x1,y1,note.")
@click.option("--kept/--no-kept", default=True, help="With the regions kept in the dashboard.  [default: with]")
@db_option
@json_option
def export_iiif(file: Path, db: Path, as_json: bool, collection: str | None, count: int, **options: Any) -> None:
    """Write pictures as IIIF to FILE: .json a manifest with annotations, .csv a link canvas#xywh=… for each place."""
    from ingest import iiif_export
    from ingest.runs import newest_run
    from ingest.sources.registry import list_collection

    chosen = {name: options.pop(name) for name in ("images", "where", "tag", "selection")}
    regions = options.pop("regions")
    run_id, *of_map = (options.pop(name) for name in ("run_id", "method", "target", "layer", "head", "accumulate"))
    ids = iiif_export.choose(db, list_collection(db, collection).collection, **chosen)
    peaks = iiif_export.peaks_for(db, newest_run(db, run_id), count, *of_map) if count else None
    places = iiif_export.read_regions(regions) if regions else None
    made = iiif_export.export_iiif(db, file, ids, peaks=peaks, regions=places, **options)
    line = f"{counted(made['pictures'], 'picture')}, {counted(made['places'], 'place')} marked → {file}"
    if made["left_out"]:
        some = made["left_out"][0]
        line += f" · {len(made['left_out'])} left out, without an address on the web (such as {some})"
        line += ": see --pictures and --service"
    if made["regions_elsewhere"]:
        line += f" · regions of {counted(len(made['regions_elsewhere']), 'other image')} passed over"
    if file.suffix == ".json" and options["uri"] is None:
        line += f" · its address is made up ({made['uri']}): give the real one with --uri"
    Report(as_json).finish(line, made)
