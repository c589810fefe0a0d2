"""Options that several kinds of source have."""

import click

PAGES = click.Option(
    ["--pages"], type=click.Choice(["all", "first"]), default="all", show_default=True, help="Of each PDF and TIFF."
)
