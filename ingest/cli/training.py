"""The commands that train networks."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.options import db_option, device_option, json_option
from ingest.cli.plain import PlainCommand, exit_with
from ingest.report import Report


@click.group()
def train() -> None:
    """Train a network on your own pictures."""


@train.command(cls=PlainCommand)
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The settings, a YAML file."
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the checkpoint and the trained weights.  [default: trainings/NAME]",
)
@click.option("--name", help="What the training is called.  [default: the name of the file]")
@db_option
@device_option
@json_option
def ips(config: Path, folder: Path | None, name: str | None, db: Path, device: str, as_json: bool) -> None:
    """Train the selection of patches in large pictures, on labels that a table has.

    The page Training shows its curves while it goes on. The same command goes on with a training that was stopped.
    """
    from ingest.training.config import IPSConfig, read_config
    from ingest.training.ips import Training, train_ips

    report, name = Report(as_json), name or config.stem
    settings = read_config(config, IPSConfig)
    found = train_ips(Training(db, settings, name, folder or Path("trainings") / name, device), report)
    tested = [f"{task} {value:.3f}" for task, value in found["metrics"].items() if task.startswith("test ")]
    new = found["epochs"] - found["already"]
    line = f"{name}: training {found['training_id']} · {new} new, {found['already']} already there · "
    report.finish(f"{line}{', '.join(tested)} · {found['model']} → {db}", found)


@click.command(cls=PlainCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the pictures, checkpoints and weights.  [default: experiments/NAME]",
)
@db_option
@device_option
@json_option
def experiment(file: Path, folder: Path | None, db: Path, device: str, as_json: bool) -> None:
    """Train a network with every combination of some settings, several times each, as FILE (YAML) says.

    What is trained already is not trained again. The page Training shows the results with their spread.
    """
    from ingest.training.experiment import describe, run_experiment

    report = Report(as_json)
    found = run_experiment(db, file, folder or Path("experiments") / file.stem, device, report)
    for row in describe(found["results"]):
        report.note(row)
    line = f"{file.stem}: {found['new']} trained, {found['already']} already there, {found['failed']} failed → {db}"
    report.finish(line, found)
    exit_with(found["new"] + found["already"], found["failed"])
