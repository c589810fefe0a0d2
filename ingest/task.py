"""A picture to read, as sources list them and the pipeline takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.vision.loader import Decoded


@dataclass(frozen=True)
class Task:
    """A picture to read: its file, its name in the collection and what the user's table says of it.

    `read` gives the picture where it is not a file of its own, as a page or a film's frame is not; `in_order` ones are
    read one after the other, as the tasks come. Of a picture that is not to be kept no thumbnail is stored.
    """

    file: Path
    name: str
    bytes: int
    modified: float
    metadata: dict[str, Any] = field(default_factory=dict)
    read: Callable[[], Decoded] | None = None
    in_order: bool = False
    keep: bool = True
