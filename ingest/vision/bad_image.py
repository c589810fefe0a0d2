"""What is raised for a picture that cannot be read."""

from __future__ import annotations


class BadImage(Exception):
    """A picture that cannot be read; `reason` says why in a plain sentence."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class TooLarge(BadImage):
    """A picture with more pixels than are read, or none, as its header says."""
