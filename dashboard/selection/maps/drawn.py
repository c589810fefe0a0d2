"""Drawn maps, remembered: a click that changes nothing about them draws nothing anew."""

from __future__ import annotations

import hashlib

from dashboard.data import cache
from dashboard.drawing import panels
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.panels import MapStyle, Panel, Scene
from dashboard.selection.maps.lookup import Subject
from store.maps import AttentionMaps


def draw(
    subject: Subject, maps: AttentionMaps, scene: Scene, style: MapStyle, only: int | None = None
) -> tuple[list[Panel], ColourBar]:
    """The same as `panels.draw` of maps of this subject, `scene` being its picture in some size. Shared by all:
    read-only."""
    facts = (maps.layers, maps.heads, maps.unit, maps.titles)
    own = hashlib.sha256(maps.weights.tobytes() + repr(facts).encode()).hexdigest()
    shown = (subject.digest, subject.original, scene.picture.size, scene.size, scene.frame, scene.name)
    return cache.remembered(
        lambda: panels.draw(maps, scene, style, only), "panels", own, maps.grid, repr(shown), repr(style), only
    )
