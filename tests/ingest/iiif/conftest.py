"""A museum on the web, and a book in it."""

import pytest

from ingest import web
from tests.ingest.iiif.server import Museum


@pytest.fixture
def museum(monkeypatch):
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.01)
    made = Museum()
    yield made
    made.close()


@pytest.fixture
def book(museum):
    """A manifest of Presentation 3 with three pages."""
    canvases = [museum.canvas(name, museum.image(name)) for name in ("p1", "p2", "p3")]
    return museum.manifest("/book/manifest.json", canvases)
