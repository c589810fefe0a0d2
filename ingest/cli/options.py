"""The options that several commands share. Those of a source, and those of an engine, reach a command as one noun."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingest.notation import ALLOW_HOST, split_names
from store.place import default_path


def _names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(split_names(value or "")))


def _options(*options: Callable) -> Callable:
    def add(function: Callable) -> Callable:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _gathered(into: str, make: Callable, *options: Callable) -> Callable:
    """Options that reach the command together: as what `make` makes of them, under the name `into`."""
    names = tuple(inspect.signature(make).parameters)

    def add(function: Callable) -> Callable:
        @functools.wraps(function)
        def command(*args: Any, **given: Any) -> Any:
            chosen = {name: given.pop(name) for name in names}
            return function(*args, **{into: make(**chosen)}, **given)

        return _options(*options)(command)

    return add


def table_options(encoding: str | None, sheet: str | None, delimiter: str | None) -> Any:
    """What the user knows of the table."""
    from ingest.tables.tabular import TableOptions

    return TableOptions(encoding, sheet, delimiter)


@dataclass(frozen=True)
class Engine:
    """What is to do the work: this process, or the cluster at an address, which leaves its parts somewhere."""

    engine: str
    address: str | None
    parts: str | None

    def refuse_source(self, address: str) -> None:
        """SourceError for a source that a cluster cannot read."""
        if self.engine != "local":
            from ingest.engines.ray import refuse_source

            refuse_source(address)

    def refuse(self, tasks: Iterable[Any], target: str | None = None) -> None:
        """SourceError for pictures that a cluster cannot read, ValueError for maps that it cannot make."""
        if self.engine != "local":
            from ingest.engines.ray import refuse_tasks

            if target:
                raise ValueError("--engine ray makes maps without a target; leave --engine out")
            refuse_tasks(tasks)

    def opened(self, settings: dict[str, Any]) -> AbstractContextManager[Any]:
        """The cluster, for the machines that the settings mean; None for this process."""
        if self.engine != "local":
            from ingest.engines.ray import open_cluster

            machines = (settings[name] for name in ("device", "batch_size", "workers"))
            return open_cluster(self.address, self.parts, *machines)
        if self.address or self.parts:
            raise ValueError("--address and --parts are for a cluster: add --engine ray")
        return nullcontext()


db_option = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    default=default_path,
    show_default="$BILDERATLAS_DB or bilderatlas.duckdb",
    help="The database file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the last line as JSON.")
collection_option = click.option("--collection", help="Name of the collection.  [default: that of the source]")
images_option = click.option("--images", help="Only these images, by id: 3,5,7.")


def _condition(_context: click.Context, _option: click.Parameter, where: str | None) -> str | None:
    if where is not None and not where.strip():
        raise click.BadParameter("it is empty: give a condition, such as \"artist = 'Hokusai'\", or leave --where out")
    return where


where_option = click.option(
    "--where",
    callback=_condition,
    help="Only the images for which this holds in the catalogue: \"artist = 'Hokusai'\".",
)
accumulate_option = click.option(
    "--accumulate/--alone",
    default=True,
    show_default=True,
    help="Of daam: all blocks up to --layer added up, or this block alone.",
)
allow_host_option = click.option("--allow-host", "allow_hosts", **ALLOW_HOST)
# How to read the table of the pictures, where its looks do not tell.
_table_reading = (
    click.option("--file-column", help="Its column that names the files.  [default: the one that fits best]"),
    click.option("--encoding", help="Of a CSV, TSV or JSON table: utf-8, cp1252, cp932 …  [default: as it seems]"),
    click.option("--sheet", help="Of a workbook.  [default: the visible one that names the most pictures]"),
    click.option("--delimiter", help="Of a CSV table: comma, semicolon, tab or any sign.  [default: as it seems]"),
)
table_reading_options = _gathered("options", table_options, *_table_reading[1:])


def source_options(command: Callable) -> Callable:
    """The options of a command that reads a source: those that all kinds of source share. Those of single kinds are
    `SourceCommand`'s. All reach the command as one Request, `source`."""

    @functools.wraps(command)
    def gathered(*args: Any, source: str, encoding: Any, sheet: Any, delimiter: Any, **rest: Any) -> Any:
        from ingest.sources import registry
        from ingest.sources.request import Request

        shared = {name: rest.pop(name) for name in ("collection", "table", "file_column", "limit")}
        own = {option.name: rest.pop(option.name) for option in registry.options()}
        reading = table_options(encoding, sheet, delimiter)
        request = Request(source, **shared, table_options=reading, options=registry.given(own))
        return command(*args, source=request, **rest)

    return _options(
        click.argument("source"),
        collection_option,
        click.option(
            "--metadata",
            "table",
            help="Table of the pictures: CSV, TSV, XLSX, ODS, JSON, JSONL, Parquet.  "
            "[default: the folder's metadata.csv]",
        ),
        *_table_reading,
        click.option("--limit", type=click.IntRange(1), help="Take only the first N pictures."),
    )(gathered)


model_option = click.option(
    "--model", default="auto", show_default=True, help="A name of `models`, hf:REPO, timm:NAME, packaged."
)
weights_option = click.option("--weights", help="A .safetensors or PyTorch file with the model's weights.")
fit_option = click.option(
    "--fit",
    type=click.Choice(["auto", "model", "crop", "stretch", "pad", "aspect"]),
    default="auto",
    show_default=True,
    help="auto: as the last run did, else aspect for DINOv2, model for others; model: as the network's own processor "
    "does; crop: the short side resized, the centre cut out; stretch: all of it squeezed into a square; pad: all of it "
    "on a ground; aspect: all of it in its own shape.",
)
size_option = click.option("--size", type=click.IntRange(1), help="Side of the network's input in pixels.")
model_options = _options(
    model_option,
    weights_option,
    click.option("--layer", type=click.IntRange(0), help="Take the feature after this block (from 0)."),
    fit_option,
    size_option,
)
device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 … or mps.")
machine_options = _options(
    device_option,
    click.option("--batch-size", type=click.IntRange(1), help="Pictures a batch.  [default: chosen from the machine]"),
    click.option("--workers", type=click.IntRange(1), help="Decoding threads; of a cluster, networks."),
)
engine_options = _gathered(
    "engine",
    Engine,
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
explained_option = click.option(
    "--methods",
    callback=_names,
    help="Methods of `methods`, options in brackets: rollout(fusion=max).  [default: cls,rollout; with a target daam]",
)


class LayoutsOption(click.Option):
    """An option whose default are the usual projections: who asks for it has time to look for them."""

    def get_default(self, ctx: click.Context, call: bool = True) -> str:
        from ingest.vision.projections import projections

        return ",".join(key for key, each in projections().items() if each.usual)


def layouts_option(flag: str) -> Callable:
    """The layouts to compute, under a flag of this name."""
    return click.option(
        flag, "layouts", cls=LayoutsOption, show_default=True, callback=_names, help="Layouts to compute."
    )
