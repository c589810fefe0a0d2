"""IIIF manifests and collections of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.notation import ALLOW_HOST
from ingest.sources.request import Request
from ingest.sources.source import Source, StoredCollection

if TYPE_CHECKING:
    from ingest.report import Report
    from ingest.sources.listing import Listing
    from ingest.task import Task


class IiifSource(Source):
    """A IIIF manifest or collection on the web or in a file, or a file with the addresses of some."""

    noun = "IIIF"
    options = (
        click.Option(
            ["--language"], help="Of a IIIF manifest: the language of its metadata.  [default: English, else any]"
        ),
        click.Option(
            ["--canvases"], type=click.Choice(["all", "first"]), help="Of each IIIF manifest.  [default: all]"
        ),
        click.Option(
            ["--keep"], type=click.Choice(["thumbnails", "nothing"]), help="Of IIIF pictures.  [default: thumbnails]"
        ),
        click.Option(
            ["--side"],
            type=click.IntRange(32, 8192),
            help="Shorter side to ask IIIF servers for, in pixels.  [default: 768]",
        ),
        click.Option(
            ["--per-second"],
            type=click.FloatRange(0.01, 100),
            help="Requests a second to one IIIF server.  [default: 4]",
        ),
        click.Option(["--allow-host", "allow_hosts"], **ALLOW_HOST),
    )
    misplaced = (
        "--language, --canvases, --keep, --side, --per-second and --allow-host are for IIIF manifests, "
        "and {address} is none"
    )
    columns = ("iiif_*",)
    one_machine = True

    def recognises(self, address: str) -> bool:
        from ingest.sources.iiif.tasks import is_iiif

        return is_iiif(address)

    def list_pictures(self, db: Path, request: Request, report: Report) -> Listing:
        from ingest.sources.iiif.listing import list_iiif

        return list_iiif(db, request, report)

    def read_again(self, stored: StoredCollection) -> list[Task]:
        if not stored.sizes:
            return []
        from ingest.sources.iiif.tasks import IiifOptions, with_pictures

        web = IiifOptions(allow_hosts=stored.allow_hosts).open()
        stored.closing.callback(web.close)
        return with_pictures(stored.files(), stored.known, stored.sizes, web)
