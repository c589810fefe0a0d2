"""The command that says which maps deserve belief."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.cli.options import allow_host_option, db_option, device_option, json_option, where_option
from ingest.cli.plain import PlainCommand
from ingest.report import Report
from store.counts import counted


@click.command(cls=PlainCommand)
@click.option("--run", "run_id", type=int, help="The run whose maps are measured.  [default: the newest]")
@click.option(
    "--truth",
    required=True,
    help="masks:FOLDER (files named as the pictures), boxes:COLUMN (of the metadata, [[x,y,width,height],…]), regions "
    "(drawn in the dashboard), regions:NOTE (those with this note), tag:TAG (those of the pictures with this tag).",
)
@where_option
@click.option(
    "--random-weights", is_flag=True, help="Baseline: pass the pictures through the network with random weights too."
)
@click.option("--random-run", type=int, help="Baseline: a stored run of a model with random weights.")
@click.option(
    "--faithfulness",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Deletion and insertion of so many maps, the best ones; some 140 passes a map and picture.",
)
@click.option(
    "--faithful-pictures",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="On so many held-out pictures at most.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the halves, intervals and random weights."
)
@db_option
@device_option
@click.option("--batch-size", type=click.IntRange(1), help="Pictures a batch of the network.  [default: 8]")
@allow_host_option
@json_option
def evaluate(run_id: int | None, db: Path, as_json: bool, **options: Any) -> None:
    """How well each method, layer and head shows what is known to be in the pictures (view evaluations, page Trust).

    Beside every figure stand its interval, chance (the area of the truth) and, if asked for, the same network with
    random weights. Again with the same truth: the figures take the place of the old ones.
    """
    from ingest.evaluation.evaluating import EvaluationSettings, evaluate

    report = Report(as_json)
    found = evaluate(db, run_id, EvaluationSettings(**options), report)
    line = (
        f"{found['collection']}, run {found['run_id']}: {counted(found['maps'], 'map')} of each of "
        f"{counted(found['images'], 'picture')} measured by {found['truth']}, {len(found['left_out'])} left out, "
        f"{found['unknown']} without a truth{_best(found['best'])} → {db}"
    )
    report.finish(line, found)


def _best(best: dict[str, Any] | None) -> str:
    """The best map in words."""
    if best is None:
        return ""
    head = "" if best["head"] is None else f" head {best['head']}"
    named = f"{best['method']}{' ' + best['target'] if best['target'] else ''} layer {best['layer']}{head}"
    interval = "" if best["low"] is None else f" [{best['low']:.2f}, {best['high']:.2f}]"
    random = "" if best["random"] is None else f", random weights {best['random']:.2f}"
    return (
        f" · best by energy inside on one half: {named}; on the other half {best['held_out']:.2f}{interval} "
        f"(chance {best['area']:.2f}{random})"
    )
