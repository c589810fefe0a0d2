"""The figures of the page Heads and their words, without the page."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dashboard.drawing import head_figures


def table(layers: int, count: int, seed: int = 0) -> pd.DataFrame:
    layer, head = (part.ravel() for part in np.meshgrid(range(layers), range(count), indexing="ij"))
    mean = np.random.default_rng(seed).random(len(layer)) * 100
    rows = {"layer": layer, "head": head, "mean": mean, "spread": mean / 10, "images": 9, "name": "", "note": ""}
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("layers", "count"), [(1, 1), (12, 6), (2, 9), (40, 24)])
def test_heads_stand_in_their_order_about_their_layer(layers, count):
    data = table(layers, count)
    places = head_figures.places(data)
    assert (np.round(places) == data["layer"]).all()
    assert (np.diff(places) > 0).all()
    figure = head_figures.figure(data, head_figures.STATISTICS["distance"])
    assert len(figure.data[1].x) == layers * count
    assert (figure.data[1].text is None) == (layers * count > head_figures.NUMBERED)


def test_the_line_is_the_mean_of_each_layer():
    data = table(4, 3)
    line = head_figures.figure(data, head_figures.STATISTICS["distance"]).data[0]
    assert line.y == pytest.approx(data["mean"].to_numpy().reshape(4, 3).mean(1))


def test_few_heads_have_colours_of_their_own_and_many_a_scale():
    assert len(set(head_figures.tints(table(2, 8), "head").of)) == 8
    assert head_figures.tints(table(2, 12), "head").bar == (0, 11)


def test_a_selection_is_a_head_or_nothing():
    assert head_figures.selected([{"customdata": [3, 5]}]) == (3, 5)
    assert head_figures.selected([{"x": 1}, {"customdata": [4, 0]}]) == (4, 0)
    assert head_figures.selected([]) is None


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("distance", 74.46, "74.5 px"),
        ("distance", 1234.5, "1,234 px"),
        ("mass_cls", 0.257, "26\u00a0%"),
        ("entropy", 2.5, "2.5 nats"),
        ("importance", 0.001234, "0.00123"),
    ],
)
def test_numbers_have_the_digits_that_matter(key, value, words):
    assert head_figures.STATISTICS[key].words(value) == words


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("class:predicted", "the class that is predicted for each image"),
        ("neighbours:20", "similarity to the 20 nearest neighbours"),
        ("label:artist=Hokusai", "artist=Hokusai against the rest"),
        ("something else", "something else"),
    ],
)
def test_scores_are_said_in_words(target, words):
    assert head_figures.scored(target) == words


def test_a_map_by_itself_is_flat_squares_from_dark_to_bright():
    picture = np.asarray(head_figures.bare(np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]), side=30))
    assert picture.shape == (20, 30, 3)
    squares = picture.reshape(2, 10, 3, 10, 3)
    assert (squares == squares[:, :1, :, :1]).all()
    brightness = squares[:, 0, :, 0].sum(-1).ravel()
    assert (np.diff(brightness.astype(int)) > 0).all()


def test_the_csv_has_a_row_for_each_head_and_runs_no_formulas():
    data = table(2, 3)
    data.loc[4, "name"] = "=1+1"
    text = head_figures.csv(data, head_figures.STATISTICS["distance"], run=7, of="all images", target="").decode(
        "utf-8-sig"
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["mean"]) for row in rows] == pytest.approx(data["mean"].tolist())
    assert [(row["layer"], row["head"]) for row in rows][3:5] == [("1", "0"), ("1", "1")]
    assert rows[4]["name"] == "'=1+1"
    assert rows[0] | {"run": "7", "statistic": "distance", "unit": "px", "images": "9"} == rows[0]


@pytest.mark.parametrize("by", head_figures.BY)
@pytest.mark.parametrize(("layers", "count"), [(1, 1), (12, 6), (24, 16)])
def test_the_figure_for_print_says_what_it_shows(by, layers, count):
    data = table(layers, count)
    data.loc[0, "name"] = "faces & $x$"
    svg = head_figures.printed(
        data, head_figures.STATISTICS["distance"], by, True, "Means over 9 images.", "svg"
    ).decode()
    for words in ("Mean attention distance (px)", "Layer", "Head", "Means over 9 images.", "faces &amp; $x$"):
        assert words in svg
    if by == "name":
        png = head_figures.printed(data, head_figures.STATISTICS["distance"], by, False, "Means.", "png")
        width, height = Image.open(io.BytesIO(png)).size
        assert width == 2160 and height > 1000
