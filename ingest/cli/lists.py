"""Lists of what can be asked for: networks and methods."""

from __future__ import annotations

import click

from ingest.cli.options import json_option, weights_option
from ingest.cli.plain import PlainCommand
from ingest.report import Report


@click.command(cls=PlainCommand)
@click.option("--describe", "key", metavar="KEY", help="Open this model and report what is measured of it.")
@weights_option
@json_option
def models(as_json: bool, key: str | None, weights: str | None) -> None:
    """The models that have a short name, and whether their weights are on this machine; or what one of them is."""
    from ingest.models import describe_model, model_table
    from ingest.status import as_table

    if key is not None:
        lines, found = describe_model(key, weights)
        Report(as_json).finish("\n".join(lines), found)
        return
    if weights is not None:
        raise click.UsageError("--weights goes with --describe KEY")
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
        "words": "words",
        "text": "MB with text",
        "weights": "weights",
    }
    more = (
        "Also: hf:REPOSITORY or hf:FOLDER (transformers), timm:NAME; each with --weights FILE; the folder of a "
        "training of `train ssl`.\n"
        "words: the languages in which a collection can be searched by words (* recommended)."
    )
    shown = [
        {
            **row,
            "words": row["languages"] + " *" * row["recommended_for_words"],
            "text": row["megabytes_with_text"] or "",
            **{name: "" for name in ("layers", "heads", "patch", "prefix_tokens") if row[name] is None},
        }
        for row in rows
    ]
    Report(as_json).finish(f"{as_table(shown, columns)}\n{more}", {"models": rows})


@click.command(cls=PlainCommand)
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
