"""What all commands have in common: failures in one sentence, exit codes, the last line."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import IO, Any

import click

from ingest.report import Report
from store.counts import counted
from store.sharing import sharing

ROOT = Path(__file__).resolve().parents[2]


# What a command says at once: the libraries of networks take longer to load than anybody waits without a sign.
BEGINNINGS = {
    "run": "listing the pictures of {source} …",
    "scan": "listing the pictures of {source} …",
    "embed": "listing the pictures of the collection …",
    "explain": "listing the pictures of the run …",
    "patches": "listing the pictures of {source} …",
    "objects": "listing the pictures of {source} …",
    "project": "loading what lays pictures out …",
    "film": "opening {source} …",
    "prune": "looking for the files of the collection …",
    "status": "looking for the files of the collections …",
    "export-iiif": "reading the collection …",
    "details": "listing the pictures of the run …",
    "detail": "reading {what} …",
    "recurring": "reading the patches of the run …",
    "words": "reading {file} …",
    "vocabulary": "reading {file} …",
    "ips": "reading {config} …",
    "ssl": "reading the settings …",
    "experiment": "reading {file} …",
    "evaluate": "reading the truth {truth} …",
}


class PlainCommand(click.Command):
    """A command whose failures are one sentence and an exit code: 1 failed, 2 wrong usage. `-v` shows the traceback."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(click.Option(["-v", "--verbose"], is_flag=True, help="Show the traceback of an error."))

    def invoke(self, ctx: click.Context) -> Any:
        verbose = ctx.params.pop("verbose", False)
        if begins := BEGINNINGS.get(self.name or ""):
            click.echo(begins.format_map({name: _shown(value) for name, value in ctx.params.items()}), err=True)
        try:
            with sharing():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise Stopped("stopped; what was finished is stored, and the same command goes on from there") from None
        except Exception as error:
            if verbose:
                raise
            raise failed(*_sentence(error)) from None


class SourceCommand(PlainCommand):
    """A command that reads a source: it has the options of every kind of source, after those that all share."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from ingest.sources import registry

        shared = super().get_params(ctx)
        place = 1 + [each.name for each in shared].index("limit")
        return [*shared[:place], *registry.options(), *shared[place:]]


def _shown(value: Any) -> Any:
    """A parameter as it may be printed: keys and passwords in addresses are hidden."""
    if "://" not in str(value):
        return value
    from ingest.addresses import shown

    return shown(str(value))


class WrongUsage(click.ClickException):
    """Ends a command that was asked for what does not go together."""

    exit_code = 2


class Stopped(click.ClickException):
    """Ends a command as somebody wished who pressed Ctrl-C: exit code 1, and no word of an error."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


def failed(sentence: str, code: int) -> click.ClickException:
    """What ends a command with this sentence and exit code."""
    return WrongUsage(sentence) if code == 2 else click.ClickException(sentence)


def exit_with(good: int, bad: int) -> None:
    """Ends a command: a collection with some damaged files is done, one in which nothing could be read has failed."""
    if bad and not good:
        sys.exit(1)


def finish(report: Report, counts: dict[str, Any]) -> None:
    """The last line of a command that has looked at pictures (`counts` as `workflow.observe_collection` gives them)."""
    parts = [f"{counts['new']} new", f"{counts['already']} already there", f"{counts['failed']} failed"]
    if counts["skipped"]:
        parts.append(f"{counted(counts['skipped'], 'other file')} left out")
    parts += [f"{len(counts[key])} {key}" for key in ("moved", "pruned") if counts.get(key)]
    run = "no run" if counts["run_id"] is None else f"run {counts['run_id']}"
    line = f"{counts['collection']}: {', '.join(parts)} · {run} ({counts['backbone']})"
    if counts["methods"]:
        line += f" · {', '.join(counts['methods'])}" + (f" of {counts['target']}" if counts["target"] else "")
    if counts.get("projections"):
        line += f" · {', '.join(counts['projections'])}"
    if (number := counts.get("objects")) is not None:
        line += f" · {counted(number, 'object')}"
    if found := counts.get("derived"):
        line += (
            f" · {found['collection']}: {found['new']} new, {found['already']} already there, {found['failed']} failed"
        )
    if found := counts.get("details"):
        line += f" · patches of {found['new']} new, {found['already']} already there, {found['failed']} failed"
    if counts.get("projections_failed"):
        line += f" · failed: {', '.join(counts['projections_failed'])}"
    if counts["images_per_second"]:
        line += f" · {counts['images_per_second']:.1f} images/s"
    layouts = counts.get("projections") or counts.get("projections_failed")
    derived = counts.get("derived") or {"new": 0, "failed": 0}
    if not any(each[name] for each in (counts, derived) for name in ("new", "failed")) and not layouts:
        line += " · nothing to do"
    line += f" → {counts['db']}"
    if counts["new"] + counts["already"]:
        counts["next"] = dashboard_command(Path(counts["db"]))
        line += f" · see it with: {counts['next']}"
    report.finish(line, counts)
    exit_with(counts["new"] + counts["already"], counts["failed"])
    exit_with(0, len(counts.get("projections_failed") or ()))


def dashboard_command(db: Path) -> str:
    """What to type here to open the dashboard on a database: make, where there is one and this is its folder, else
    streamlit."""
    usual = "BILDERATLAS_DB" not in os.environ and db == Path("bilderatlas.duckdb")
    at_home = Path.cwd() == ROOT
    if at_home and "$" not in str(db) and (ROOT / "Makefile").exists() and shutil.which("make"):
        return "make dashboard" if usual else f"make dashboard DB={shlex.quote(str(db))}"
    streamlit = "streamlit" if shutil.which("streamlit") else f"{shlex.quote(sys.executable)} -m streamlit"
    start = f"{streamlit} run dashboard/app.py"
    if at_home and usual:
        return start
    quote = (lambda text: f'"{text}"') if os.name == "nt" else shlex.quote
    place = "" if at_home else f"cd {quote(str(ROOT))} && "
    if os.name == "nt":
        return f'{place}set "BILDERATLAS_DB={db.absolute()}" && {start}'
    return f"{place}BILDERATLAS_DB={quote(str(db.absolute()))} {start}"


def _sentence(error: Exception) -> tuple[str, int]:
    from ingest.errors import SourceError
    from ingest.vision.backbones import BackboneError
    from ingest.vision.film import BadFilm
    from ingest.web import WebError
    from store.errors import StoreError

    if isinstance(error, SourceError | BackboneError | ValueError):
        return str(error), 2
    if isinstance(error, StoreError | OSError | BadFilm | WebError):
        return str(error), 1
    return f"{type(error).__name__}: {error} (-v shows where)", 1
