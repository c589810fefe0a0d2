"""Patches of very large pictures, and which of them are worth processing: iterative patch selection."""

from __future__ import annotations

from ingest.vision.patches.grid import PatchGrid
from ingest.vision.patches.positions import positions
from ingest.vision.patches.selection import (
    HOW,
    SHUFFLES,
    Masking,
    Selected,
    SelectionSettings,
    chunks_of,
    select,
    take,
    visiting_order,
)

__all__ = [
    "HOW",
    "SHUFFLES",
    "Masking",
    "PatchGrid",
    "Selected",
    "SelectionSettings",
    "chunks_of",
    "positions",
    "select",
    "take",
    "visiting_order",
]
