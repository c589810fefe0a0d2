"""The command line: `python -m ingest run FOLDER` does everything; the other commands do one step each."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

import ingest
from ingest.report import Report
from store.connection import default_path


class PlainCommand(click.Command):
    """A command whose failures are one sentence and an exit code: 1 failed, 2 wrong usage. `-v` shows the traceback."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(click.Option(["-v", "--verbose"], is_flag=True, help="Show the traceback of an error."))

    def invoke(self, context: click.Context) -> Any:
        verbose = context.params.pop("verbose", False)
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise _failed("stopped; what was finished is stored, and the same command goes on from there", 1) from None
        except Exception as error:
            if verbose:
                raise
            raise _failed(*_sentence(error)) from None


def _sentence(error: Exception) -> tuple[str, int]:
    from ingest.sources.folder import SourceError
    from ingest.vision.backbones import BackboneError
    from ingest.vision.film import BadFilm
    from ingest.web import WebError
    from store.errors import StoreError

    if isinstance(error, SourceError | BackboneError | ValueError):
        return str(error), 2
    if isinstance(error, StoreError | OSError | BadFilm | WebError):
        return str(error), 1
    return f"{type(error).__name__}: {error} (-v shows where)", 1


def _failed(sentence: str, code: int) -> click.ClickException:
    failure = click.ClickException(sentence)
    failure.exit_code = code
    return failure


def _names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    from ingest.explain import split_names

    return tuple(dict.fromkeys(split_names(value or "")))


def _step(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from ingest.sources.film import parse_step

    try:
        return None if value is None else parse_step(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _options(*options: Callable) -> Callable:
    def add(function: Callable) -> Callable:
        for option in reversed(options):
            function = option(function)
        return function

    return add


db_option = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    default=default_path,
    show_default="$BILDERATLAS_DB or bilderatlas.duckdb",
    help="The database file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the last line as JSON.")
collection_option = click.option("--collection", help="Name of the collection.  [default: that of the source]")
source_options = _options(
    click.argument("source"),
    collection_option,
    click.option(
        "--metadata",
        "table",
        help="Table of the pictures: CSV, TSV, XLSX, JSON, JSONL, Parquet.  [default: the folder's metadata.csv …]",
    ),
    click.option("--file-column", help="Its column that names the files.  [default: the one that fits best]"),
    click.option(
        "--pages", type=click.Choice(["all", "first"]), default="all", show_default=True, help="Of each PDF and TIFF."
    ),
    click.option("--limit", type=click.IntRange(1), help="Take only the first N pictures."),
    click.option(
        "--every", callback=_step, help="Of a film: a frame every 0.5s, 500ms, 1:00; 0 for all.  [default: 1s]"
    ),
)
allow_host_option = click.option(
    "--allow-host", "allow_hosts", multiple=True, metavar="NAME", help="Ask this host though its address is private."
)
_WISHES = _options(
    click.option("--language", help="Of a IIIF manifest: the language of its metadata.  [default: English, else any]"),
    click.option("--canvases", type=click.Choice(["all", "first"]), help="Of each IIIF manifest.  [default: all]"),
    click.option(
        "--keep", type=click.Choice(["thumbnails", "nothing"]), help="Of IIIF pictures.  [default: thumbnails]"
    ),
    click.option(
        "--side", type=click.IntRange(32, 8192), help="Shorter side to ask IIIF servers for, in pixels.  [default: 768]"
    ),
    click.option(
        "--per-second", type=click.FloatRange(0.01, 100), help="Requests a second to one IIIF server.  [default: 4]"
    ),
    allow_host_option,
)


def iiif_options(function: Callable) -> Callable:
    """Adds the options of IIIF sources, which reach the command together as `wishes`, None if there are none."""

    @functools.wraps(function)
    def collected(*args: Any, **kwargs: Any) -> Any:
        from ingest.sources.iiif import Wishes

        names = ("language", "canvases", "keep", "side", "per_second", "allow_hosts")
        given = {name: value for name in names if (value := kwargs.pop(name)) not in (None, ())}
        return function(*args, wishes=Wishes(**given) if given else None, **kwargs)

    return _WISHES(collected)


_FIT = click.option(
    "--fit",
    type=click.Choice(["auto", "crop", "stretch", "pad", "aspect"]),
    default="auto",
    show_default=True,
    help="auto: as the last run did, or what suits the network; crop: its own centre cut; aspect: the whole picture.",
)
model_options = _options(
    click.option(
        "--model", default="auto", show_default=True, help="A name of `models`, hf:REPO, timm:NAME, packaged."
    ),
    click.option("--weights", help="A .safetensors or PyTorch file with the model's weights."),
    click.option("--layer", type=click.IntRange(0), help="Take the feature after this block (from 0)."),
    _FIT,
    click.option("--size", type=click.IntRange(1), help="Side of the network's input in pixels."),
)
machine_options = _options(
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 … or mps."),
    click.option("--batch-size", type=click.IntRange(1), help="Pictures a batch.  [default: chosen from the machine]"),
    click.option("--workers", type=click.IntRange(1), help="Decoding threads; of a cluster, networks."),
)
engine_options = _options(
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="This machine; a cluster.",
    ),
    click.option("--address", help="Of the Ray cluster.  [default: $RAY_ADDRESS, else this machine]"),
    click.option("--parts", help="Where a cluster leaves its parts: a folder, s3://…  [default: beside the database]"),
)
methods_option = click.option(
    "--methods",
    default="cls,rollout",
    show_default=True,
    callback=_names,
    help="Attention to store; none for features alone.",
)
project_option = click.option(
    "--project", "layouts", default="umap,tsne,pca", show_default=True, callback=_names, help="Layouts to compute."
)


@click.group()
@click.version_option(ingest.__version__, prog_name="bilderatlas")
def main() -> None:
    """Bilderatlas: what a vision transformer sees in a collection of pictures."""


@main.command(cls=PlainCommand)
@source_options
@iiif_options
@db_option
@model_options
@methods_option
@project_option
@machine_options
@engine_options
@click.option("--prune", "prunes", is_flag=True, help="Forget the pictures whose files are gone, as `prune` does.")
@json_option
def run(
    source: str,
    db: Path,
    as_json: bool,
    collection: str | None,
    table: str | None,
    file_column: str | None,
    pages: str,
    limit: int | None,
    every: float | None,
    wishes: Any,
    layouts: tuple[str, ...],
    prunes: bool,
    engine: str,
    address: str | None,
    parts: str | None,
    **settings: Any,
) -> None:
    """Read a folder of pictures, a film, the address of a IIIF manifest or of a store (s3://…) into a database:
    thumbnails, features, attention, layouts.

    Again on the same source: only what is new is computed.
    """
    from ingest.projections import check_layouts, project
    from ingest.workflow import Settings, list_source, observe_collection

    report = Report(as_json)
    check_layouts(layouts)
    with _engine(engine, source, address, parts, settings) as cluster:
        listing = list_source(db, source, collection, table, limit, report, every, wishes, file_column, pages)
        pruned = _pruned(db, listing) if prunes else None
        counts = observe_collection(db, listing, Settings(**settings, engine=cluster), "run", report)
    if pruned is not None:
        counts |= {"pruned": pruned, "gone": []}
    counts["projections"] = project(db, counts["run_id"], list(layouts), report.tell)
    _finish(report, counts)


@main.command(cls=PlainCommand)
@source_options
@iiif_options
@db_option
@click.option("--workers", type=click.IntRange(1))
@json_option
def scan(
    source: str,
    db: Path,
    as_json: bool,
    collection: str | None,
    table: str | None,
    file_column: str | None,
    pages: str,
    limit: int | None,
    every: float | None,
    wishes: Any,
    workers: int | None,
) -> None:
    """Only list the pictures of a folder, a film or a IIIF manifest, with thumbnails and metadata."""
    from ingest import workflow

    report = Report(as_json)
    listing = workflow.list_source(db, source, collection, table, limit, report, every, wishes, file_column, pages)
    counts = workflow.scan(db, listing, workers, report)
    already = len(listing.tasks) - counts.done - counts.failed
    line = f"{listing.collection}: {counts.done} new, {already} already there, {counts.failed} failed → {db}"
    report.finish(
        line,
        {
            "db": str(db),
            "collection": listing.collection,
            "new": counts.done,
            "already": already,
            "failed": counts.failed,
            **listing.notes(),
        },
    )
    _exit(counts.done + already, counts.failed)


@main.command(cls=PlainCommand)
@collection_option
@db_option
@model_options
@machine_options
@allow_host_option
@json_option
def embed(db: Path, as_json: bool, collection: str | None, allow_hosts: tuple[str, ...], **settings: Any) -> None:
    """Compute features alone, of a collection that the database already holds."""
    from ingest.workflow import Settings, list_collection, observe_collection

    report = Report(as_json)
    listing = list_collection(db, collection, allow_hosts)
    _finish(report, observe_collection(db, listing, Settings(**settings, methods=()), "embed", report))


@main.command(cls=PlainCommand)
@click.option("--run", "run_id", type=int, help="The run to add to.  [default: the newest]")
@click.option(
    "--methods",
    callback=_names,
    help="Methods of `methods`, options in brackets: rollout(fusion=max).  [default: cls,rollout; with a target daam]",
)
@click.option(
    "--target",
    help="What is explained: class:predicted, class:NAME, neighbours:20, image:ID, label:COLUMN=VALUE, vote:COLUMN.",
)
@click.option("--images", help="Only these images, by id: 3,5,7.")
@click.option("--where", help="Only the images for which this holds in the catalogue: \"artist = 'Hokusai'\".")
@db_option
@machine_options
@allow_host_option
@json_option
def explain(
    db: Path,
    as_json: bool,
    run_id: int | None,
    images: str | None,
    where: str | None,
    allow_hosts: tuple[str, ...],
    **settings: Any,
) -> None:
    """Add maps to the images of a run: more methods, or maps that explain a target.

    Again with the same words: only what is missing is computed.
    """
    from ingest.explain import narrow
    from ingest.workflow import Settings, list_collection, observe_collection, settings_for_run

    report = Report(as_json)
    settings["methods"] = settings["methods"] or (("daam",) if settings["target"] else ("cls", "rollout"))
    collection, continued = settings_for_run(db, run_id, Settings(**settings))
    listing = narrow(db, list_collection(db, collection, allow_hosts), images, where)
    _finish(report, observe_collection(db, listing, continued, "explain", report))


@main.command(cls=PlainCommand)
@json_option
def methods(as_json: bool) -> None:
    """The methods of attention and attribution, with their options and sources."""
    from ingest.status import as_table
    from ingest.vision.attention import methods as registry

    rows = [
        {
            "key": method.key,
            "kind": method.kind,
            "title": method.title,
            "options": ", ".join(f"{option.key}={option.default}" for option in method.options),
            "target": "yes" if method.needs_target else "",
            "explanation": method.explanation,
            "formula": method.formula,
            "source": method.source,
        }
        for method in registry().values()
    ]
    columns = {"key": "method", "kind": "kind", "target": "target", "options": "options", "title": "title"}
    Report(as_json).finish(as_table(rows, columns), {"methods": rows})


@main.command(cls=PlainCommand)
@click.argument("source", metavar="FILM", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The film to write, .mp4 or .gif.  [default: FILM-METHOD.mp4]"
)
@click.option("--method", default="cls", show_default=True, help="A method of `methods`: cls, rollout, daam …")
@click.option("--target", help="What an attribution explains: class:predicted, class:NAME, neighbours:20, image:ID …")
@click.option("--run", "run_id", type=int, help="Where a target finds its neighbours.  [default: the newest run]")
@click.option("--layer", type=click.IntRange(0), help="Of this layer, from 0.  [default: the last]")
@click.option("--head", default="mean", show_default=True, help="A head, from 0; or mean or max of all.")
@click.option("--view", type=click.Choice(["overlay", "side", "map", "original"]), default="overlay", show_default=True)
@click.option(
    "--scale",
    type=click.Choice(["shared", "absolute", "map"]),
    default="shared",
    show_default=True,
    help="One for the whole film; times uniform attention; or each frame its own.",
)
@click.option(
    "--colours",
    type=click.Choice(["inferno", "viridis", "magma", "cividis", "turbo", "greys"]),
    default="inferno",
    show_default=True,
)
@click.option("--opacity", type=click.FloatRange(0, 1), default=0.6, show_default=True)
@click.option("--smooth/--sharp", default=True, show_default=True, help="Blended, or one flat square for each patch.")
@click.option("--every", callback=_step, default="0", help="A frame every 0.5s, 500ms, 1:00.  [default: all frames]")
@click.option("--side", type=click.IntRange(16), help="Longest side in pixels.  [default: 1280, of a GIF 640]")
@click.option("--model", default="auto", show_default=True, help="A name of `models`, hf:REPO, timm:NAME, packaged.")
@click.option("--weights", help="A .safetensors or PyTorch file with the model's weights.")
@_FIT
@click.option("--size", type=click.IntRange(1), help="Side of the network's input in pixels.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 … or mps.")
@click.option("--batch-size", type=click.IntRange(1), help="Frames a batch.  [default: chosen from the machine]")
@db_option
@json_option
def film(source: Path, out: Path | None, db: Path, as_json: bool, run_id: int | None, **options: Any) -> None:
    """Draw what a network attends to over every frame of a film."""
    from ingest.film import Drawing, check_output, describe, draw_film, open_eye
    from ingest.vision.film import survey
    from ingest.workflow import Settings

    report = Report(as_json)
    settings = {name: options.pop(name) for name in FILM_SETTINGS}
    drawing = Drawing(**options)
    out = out or Path(f"{source.stem}-{drawing.method}.mp4")
    check_output(out, source)
    found = survey(source)
    if found.complaint:
        report.tell(f"{source.name}: {found.complaint}")
    eye = None
    if drawing.view != "original":
        eye, drawing = open_eye(db, Settings(**settings), drawing, report, run_id)
    try:
        made = draw_film(found, out, drawing, eye, report)
    except KeyboardInterrupt:
        raise _failed("stopped; no film was written", 1) from None
    damaged = f" ({made['damaged']} more are damaged)" if made["damaged"] else ""
    report.finish(
        f"{made['frames']} frames{damaged}, {made['fps']:.5g} a second · {describe(made)} → {out}",
        made | ({"model": eye.backbone.key, "backbone": eye.backbone.title} if eye else {}),
    )


@main.command(cls=PlainCommand)
@click.option("--run", "run_id", type=int, help="The run whose features are laid out.  [default: the newest]")
@click.option("--methods", "layouts", default="umap,tsne,pca", show_default=True, callback=_names)
@click.option("--extend", is_flag=True, help="Place the images that have no point yet; move none of the others.")
@db_option
@json_option
def project(db: Path, as_json: bool, run_id: int | None, layouts: tuple[str, ...], extend: bool) -> None:
    """Lay the images of a run out on a map: UMAP, t-SNE, PCA."""
    from ingest.projections import check_layouts
    from ingest.projections import project as lay_out
    from ingest.workflow import newest_run

    report = Report(as_json)
    check_layouts(layouts)
    run_id = newest_run(db, run_id)["run_id"]
    if extend:
        _extend(report, db, run_id, list(layouts))
        return
    made = lay_out(db, run_id, list(layouts), report.tell)
    report.finish(
        f"run {run_id}: made {', '.join(made)}" if made else f"run {run_id}: all layouts are there already",
        {"run_id": run_id, "projections": made},
    )


@main.command(cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@collection_option
@click.option("--file-column", help="The column that names the files.  [default: the one that fits best]")
@click.option("--replace", is_flag=True, help="Drop the columns that the table lacks.")
@db_option
@json_option
def metadata(
    file: Path, db: Path, as_json: bool, collection: str | None, file_column: str | None, replace: bool
) -> None:
    """Add or correct metadata from the table FILE: CSV, TSV, XLSX, JSON, JSON Lines, Parquet.

    Columns of the table replace those of the same name; features and maps stay as they are.
    """
    from ingest.metadata import describe_collection

    report = Report(as_json)
    found = describe_collection(db, file.expanduser(), collection, file_column, replace)
    report.tell(found.pop("line"))
    changed = found["changed"]
    report.finish(f"{found['collection']}: the metadata of {changed} pictures changed → {db}", found)


@main.command(cls=PlainCommand)
@collection_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@db_option
@json_option
def prune(db: Path, as_json: bool, collection: str | None, yes: bool) -> None:
    """Forget pictures whose files are gone, with their thumbnails, features, maps, points and tags.

    A file that was only moved is found again by `run`: do that first.
    """
    from ingest import changes

    report = Report(as_json)
    row, _, gone = changes.prunable(db, collection)
    for name in gone[:20]:
        report.tell(name)
    if len(gone) > 20:
        report.tell(f"… and {len(gone) - 20} more")
    if gone and not yes:
        click.confirm(f"Forget {len(gone)} pictures of {row['name']}?", abort=True, err=True)
    found = changes.prune(db, row["name"])
    report.finish(f"{found['collection']}: {len(found['pruned'])} forgotten, {found['left']} left → {db}", found)


@main.command(cls=PlainCommand)
@db_option
@json_option
def status(db: Path, as_json: bool) -> None:
    """What the database holds, and what has become of the files."""
    from ingest.status import describe, gather

    found = gather(db)
    Report(as_json).finish(describe(found), found)


@main.command(cls=PlainCommand)
@json_option
def models(as_json: bool) -> None:
    """The models that have a short name, and whether their weights are on this machine."""
    from ingest.models import model_table
    from ingest.status import as_table

    rows = model_table()
    columns = {
        "key": "model",
        "layers": "layers",
        "heads": "heads",
        "patch": "patch",
        "prefix_tokens": "prefix",
        "megabytes": "MB",
        "here": "here",
        "licence": "licence",
        "weights": "weights",
    }
    more = "Also: hf:REPOSITORY or hf:FOLDER (transformers), timm:NAME; each with --weights FILE."
    Report(as_json).finish(f"{as_table(rows, columns)}\n{more}", {"models": rows})


@main.command(cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", "run_id", type=int, help="The run to export.  [default: the newest]")
@db_option
@json_option
def export(file: Path, db: Path, as_json: bool, run_id: int | None) -> None:
    """Write a run's features with the catalogue to FILE: .parquet, .csv, or .npz (arrays `paths` and `vectors`)."""
    from ingest.export import export_features
    from ingest.workflow import newest_run

    run_id = newest_run(db, run_id)["run_id"]
    count = export_features(db, run_id, file)
    Report(as_json).finish(f"{count} features of run {run_id} → {file}", {"features": count, "file": str(file)})


@main.command("export-iiif", cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@collection_option
@click.option("--images", help="Only these images, by id: 3,5,7.")
@click.option("--where", help="Only the images for which this holds in the catalogue: \"artist = 'Hokusai'\".")
@click.option("--tag", help="Only the images with this tag.")
@click.option("--selection", help="Only the images of this saved selection.")
@click.option("--uri", help="The address at which the manifest will lie.  [default: one of example.org]")
@click.option("--label", help="The manifest's title.  [default: the file's name]")
@click.option("--pictures", "folder", metavar="URL", help="Where the pictures of a folder lie on the web.")
@click.option("--peaks", "count", type=click.IntRange(0, 100), default=0, help="Mark so many peaks of attention.")
@click.option("--run", "run_id", type=int, help="The run whose maps have the peaks.  [default: the newest]")
@click.option("--method", help="A stored method: cls, rollout, daam …  [default: the run's first]")
@click.option("--target", default="", help="What the maps explain.")
@click.option("--layer", type=click.IntRange(0), help="Of this layer, from 0.  [default: the last]")
@click.option("--head", type=click.IntRange(0), help="Of this head, from 0.  [default: the mean of all]")
@click.option("--regions", type=click.Path(dir_okay=False, path_type=Path), help="CSV: image_id,x0,y0,x1,y1,note.")
@db_option
@json_option
def export_iiif(file: Path, db: Path, as_json: bool, collection: str | None, count: int, **options: Any) -> None:
    """Write pictures as IIIF to FILE: .json a manifest with annotations, .csv a link canvas#xywh=… for each place."""
    from ingest import iiif_export
    from ingest.workflow import list_collection, newest_run

    chosen = {name: options.pop(name) for name in ("images", "where", "tag", "selection")}
    regions = options.pop("regions")
    run_id, *of_map = (options.pop(name) for name in ("run_id", "method", "target", "layer", "head"))
    ids = iiif_export.choose(db, list_collection(db, collection).collection, **chosen)
    peaks = iiif_export.peaks_for(db, newest_run(db, run_id), count, *of_map) if count else None
    places = iiif_export.read_regions(regions) if regions else None
    made = iiif_export.export_iiif(db, file, ids, peaks=peaks, regions=places, **options)
    line = f"{made['pictures']} pictures, {made['places']} places marked → {file}"
    if made["left_out"]:
        some = made["left_out"][0]
        line += f" · {len(made['left_out'])} left out, without an address on the web (such as {some}): see --pictures"
    if made["regions_elsewhere"]:
        line += f" · regions of {len(made['regions_elsewhere'])} other images passed over"
    if file.suffix == ".json" and options["uri"] is None:
        line += f" · its address is made up ({made['uri']}): give the real one with --uri"
    Report(as_json).finish(line, made)


@main.command(cls=PlainCommand)
@db_option
def migrate(db: Path) -> None:
    """Bring a database made by an older Bilderatlas up to date."""
    from store.connection import writing

    if not db.exists():
        raise ValueError(f"there is no database {db}")
    with writing(db):
        pass
    click.echo(f"{db} is up to date")


FILM_SETTINGS = ("model", "weights", "fit", "size", "device", "batch_size", "target")


def _extend(report: Report, db: Path, run_id: int, layouts: list[str]) -> None:
    from ingest.extending import extend

    made = extend(db, run_id, layouts, report.tell)
    said = "every image has its place already"
    if made:
        parts = [f"{each.placed} placed into {each.method} by {each.rule}" for each in made]
        said = f"{'; '.join(parts)}; no other image has moved"
    report.finish(f"run {run_id}: {said}", {"run_id": run_id, "extended": [vars(each) for each in made]})


def _engine(
    name: str, source: str, address: str | None, parts: str | None, settings: dict[str, Any]
) -> AbstractContextManager[Any]:
    """The cluster that is to do the work, None for this process."""
    if name == "local":
        if address or parts:
            raise ValueError("--address and --parts are for a cluster: add --engine ray")
        return nullcontext()
    from ingest.engines.ray import open_cluster, refuse_source

    refuse_source(source)
    return open_cluster(address, parts, settings["device"], settings["batch_size"], settings["workers"])


def _pruned(db: Path, listing: Any) -> list[str]:
    from ingest import changes

    return changes.prune(db, listing.collection, sure=True)["pruned"]


def _finish(report: Report, counts: dict[str, Any]) -> None:
    parts = [f"{counts['new']} new", f"{counts['already']} already there", f"{counts['failed']} failed"]
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} other file{'s' * (counts['skipped'] > 1)} left out")
    parts += [f"{len(counts[key])} {key}" for key in ("moved", "pruned") if counts.get(key)]
    line = f"{counts['collection']}: {', '.join(parts)} · run {counts['run_id']} ({counts['backbone']})"
    if counts["methods"]:
        line += f" · {', '.join(counts['methods'])}" + (f" of {counts['target']}" if counts["target"] else "")
    if counts.get("projections"):
        line += f" · {', '.join(counts['projections'])}"
    if counts["images_per_second"]:
        line += f" · {counts['images_per_second']:.1f} images/s"
    if not counts["new"] and not counts["failed"] and not counts.get("projections"):
        line += " · nothing to do"
    report.finish(f"{line} → {counts['db']}", counts)
    _exit(counts["new"] + counts["already"], counts["failed"])


def _exit(good: int, failed: int) -> None:
    # A collection with some damaged files is done; one in which nothing could be read has failed.
    if failed and not good:
        sys.exit(1)
