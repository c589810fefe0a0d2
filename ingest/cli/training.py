"""The commands that train networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import Engine, db_option, device_option, engine_options, json_option
from ingest.cli.plain import PlainCommand, exit_with
from ingest.report import Report

LONGEST = 100  # letters of a name


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
    from ingest.training.config import IPSConfig
    from ingest.training.ips import Training, train_ips
    from ingest.training.reading import read_config

    check_name(name)
    report, name = Report(as_json), name or config.stem
    settings = read_config(config, IPSConfig)
    found = train_ips(Training(db, settings, name, folder or Path("trainings") / name, device), report)
    tested = [f"{task} {value:.3f}" for task, value in found["metrics"].items() if task.startswith("test ")]
    new = found["epochs"] - found["already"]
    line = f"{name}: training {found['training_id']} · {new} new, {found['already']} already there · "
    report.finish(f"{line}{', '.join(tested)} · {found['model']} → {db}", found)


@train.command(cls=PlainCommand)
@click.argument("source", required=False)
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="The settings, a YAML file.")
@click.option("--preset", help="Where nothing else is said: digits, fine-tune, study.  [default: fine-tune]")
@click.option("--name", help="What the training is called.  [default: the name of the file or the folder]")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of checkpoint and network.  [default: trainings/NAME]",
)
@click.option("--collection", help="Name of the collection.  [default: that of the source]")
@click.option("--limit", type=click.IntRange(1), help="Take only the first N pictures.")
@click.option("--label", help="A column of the table by which k-NN accuracy is measured; nothing is learned from it.")
@click.option("--model", help="What is trained: a name of `models`, timm:NAME, hf:FOLDER, packaged, resnet50.")
@click.option("--weights", help="To begin with: pretrained, random, or a file.")
@click.option("--loss", type=click.Choice(["dino", "nce"]), help="Cross-entropy with the teacher, or InfoNCE.")
@click.option("--size", type=click.IntRange(1), help="Side of a view in pixels.")
@click.option("--augment", type=click.Choice(["photographs", "prints", "binary", "none"]), help="How views are drawn.")
@click.option("--epochs", type=click.IntRange(1), help="How many times all pictures are seen.")
@click.option("--batch-size", type=click.IntRange(2), help="Pictures a batch, over all processes.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="The highest.")
@click.option("--seed", type=click.IntRange(0), help="Of all that is random.")
@click.option("--probe-every", type=click.IntRange(0), help="Store the attention of some pictures every N epochs.")
@click.option("--probes", type=click.IntRange(1), help="Of how many pictures.  [default: 8]")
@click.option("--probe", "probe_names", multiple=True, help="Of this picture of the collection; repeatable.")
@click.option("--tensorboard", is_flag=True, help="Write event files for TensorBoard too.")
@click.option("--workers", type=click.IntRange(1), help="Processes of a cluster.  [default: its GPUs, or CPUs / 2]")
@engine_options
@db_option
@device_option
@json_option
def ssl(
    source: str | None,
    config: Path | None,
    preset: str | None,
    name: str | None,
    folder: Path | None,
    tensorboard: bool,
    workers: int | None,
    engine: Engine,
    db: Path,
    device: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a network on the pictures of SOURCE without labels: a student learns to see in a picture what a teacher,
    its own average, sees in another view of it.

    The page Training shows the curves while it goes on. The same command goes on with a training that was stopped. At
    its end `run SOURCE --model trainings/NAME` uses the network like any other.
    """
    from ingest.training.ssl.config import OPTIONS, read_ssl_config
    from ingest.training.ssl.training import SSLTraining, train_ssl

    report = Report(as_json)
    given = {setting: None if options[name] == () else options[name] for name, setting in OPTIONS.items()}
    if source and Path(source).expanduser().exists():  # whoever goes on with it may do so from another folder
        source = str(Path(source).expanduser().resolve())
    settings = read_ssl_config(config, {**given, "data.source": source, "preset": preset})
    check_name(name)
    name = name or (config.stem if config else Path(settings.data.source.rstrip("/")).stem).replace("@", "-")
    name = name or "training"
    job = SSLTraining(db, settings, name, folder or Path("trainings") / name, device, tensorboard)
    with engine.opened({"device": device, "batch_size": None, "workers": workers}) as cluster:
        if cluster is None:
            found = train_ssl(job, report)
        else:
            from ingest.training.ssl.cluster import train_on_cluster

            engine.refuse_source(settings.data.source)
            found = train_on_cluster(cluster, job, report)
    if not found.pop("first"):
        return
    new = found["epochs"] - found["already"]
    measured = [f"{task} {value:.3f}" for task, value in found["metrics"].items() if task.endswith("knn_accuracy")]
    loss = [f"loss {found['metrics']['train loss']:.3f}"] if "train loss" in found["metrics"] else []
    line = f"{name}: training {found['training_id']} · {new} new, {found['already']} already there"
    report.finish(" · ".join([line, *loss, *measured, f"{found['model']} → {db}"]), found)


def check_name(name: str | None) -> None:
    """ValueError for a name that cannot be a training's."""
    if name is None:
        return
    if not set("@/\\").isdisjoint(name) or not name.isprintable() or not name.strip(". ") or len(name) > LONGEST:
        raise ValueError(
            f"a training's name has letters, at most {LONGEST}, and no @ and no slash in it, unlike {name[:40]!r}; "
            "--out names a folder"
        )


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
    from ingest.training.reading import read_yaml

    report = Report(as_json)
    folder = folder or Path("experiments") / file.stem
    if "conditions" in read_yaml(file):
        _clutter_experiment(db, file, folder, device, report)
        return
    found = run_experiment(db, file, folder, device, report)
    for row in describe(found["results"]):
        report.note(row)
    line = f"{file.stem}: {found['new']} trained, {found['already']} already there, {found['failed']} failed → {db}"
    report.finish(line, found)
    exit_with(found["new"] + found["already"], found["failed"])


def _clutter_experiment(db: Path, file: Path, folder: Path, device: str, report: Report) -> None:
    """An experiment of conditions, as examples/configs/clutter.yml is one."""
    from ingest.training.ssl.experiment import describe_clutter, run_clutter_experiment

    found = run_clutter_experiment(db, file, folder, device, report)
    for row in describe_clutter(found["results"]):
        report.note(row)
    report.finish(f"{file.stem}: {found['done']} measured, {found['failed']} failed → {folder}", found)
    exit_with(found["done"], found["failed"])
