import pytest

from ingest.vision.backbones import Backbone, load


@pytest.fixture(scope="session")
def packaged() -> Backbone:
    """The network with the packaged weights, opened once: it takes a second. Change nothing about it."""
    return load("packaged")
