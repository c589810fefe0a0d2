"""What it takes to add a colour map: one line. It is then a choice of the Attention page, and of the command line."""

import importlib

import matplotlib
import numpy as np
import pytest
from click.testing import CliRunner

from ingest.cli import films
from ingest.vision import colour_maps
from ingest.vision.colour_maps import COLOUR_MAPS, colour_table


@pytest.fixture
def plasma(monkeypatch):
    """The line that the documents ask for; the command line reads its choices when it is imported."""
    with monkeypatch.context() as patch:
        patch.setitem(colour_maps.COLOUR_MAPS, "plasma", "plasma")
        yield importlib.reload(films).film
    importlib.reload(films)


def test_one_line_adds_a_colour_map(plasma, db, open_page):
    at = open_page("attention", image=1, colours="plasma")
    assert not at.exception and at.selectbox(key="colours").value == "plasma"
    help_ = CliRunner().invoke(plasma, ["--help"]).stdout
    assert "|".join(COLOUR_MAPS) in "".join(help_.split())


@pytest.mark.parametrize(("name", "of_matplotlib"), COLOUR_MAPS.items())
def test_each_has_256_colours_of_matplotlib(name, of_matplotlib):
    table = colour_table(name)
    assert table.shape == (256, 3) and table.dtype == np.uint8
    expected = matplotlib.colormaps[of_matplotlib](np.linspace(0, 1, 256))[:, :3] * 255
    assert np.abs(table - expected).max() <= 0.5
