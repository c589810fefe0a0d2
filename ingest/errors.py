"""What is raised for what a user has named and cannot be used."""

from __future__ import annotations


class SourceError(Exception):
    """A source that cannot be used; the message says why, and what to type instead, in plain sentences."""
