"""The command line: `python -m ingest run FOLDER` does everything; the other commands do one step each."""

from __future__ import annotations

import click

import ingest
from ingest.cli import (
    collections,
    details,
    evaluation,
    exports,
    films,
    layouts,
    lists,
    objects,
    patches,
    reading,
    synth,
    training,
    words,
)


@click.group()
@click.version_option(ingest.__version__, prog_name="bilderatlas")
def main() -> None:
    """Bilderatlas: what a vision transformer sees in a collection of pictures."""


for room in (
    reading,
    layouts,
    collections,
    lists,
    exports,
    films,
    words,
    details,
    patches,
    objects,
    synth,
    training,
    evaluation,
):
    commands = [each for each in vars(room).values() if isinstance(each, click.Command)]
    inner = [each for group in commands if isinstance(group, click.Group) for each in group.commands.values()]
    for command in commands:
        if command not in inner:
            main.add_command(command)
