"""Names and outlines of clusters."""

import numpy as np
import pandas as pd
import pytest

from dashboard.compute.clusters import LONGEST, groups, name_of, outline
from dashboard.compute.typical import TypicalTerm

KINDS = {"artist": "text", "technique": "text", "title": "text", "year": "number"}


@pytest.fixture
def made():
    """Three round clusters of 40, 30 and 20 points and 30 elsewhere. The first is Hokusai's woodblock prints, the second
    is of one technique and many artists, the third is like all others."""
    random = np.random.default_rng(0)
    of = np.repeat([1, 2, 3, 0], [40, 30, 20, 30])
    middles = np.array([[30, 30], [0, 0], [20, 0], [0, 20]])[of]
    xy = middles + random.normal(size=(120, 2)) * np.where(of > 0, 1, 8)[:, None]
    artists = np.array([f"artist {i}" for i in random.integers(0, 6, 120)], dtype=object)
    artists[of == 1] = "Hokusai"
    technique = np.where(
        of == 1, "woodblock print", np.where(of == 2, "etching", random.choice(list("abcdefghij"), 120))
    )
    table = pd.DataFrame(
        {
            "artist": artists,
            "technique": technique,
            "title": [f"title {i}" for i in range(120)],
            "year": random.integers(1500, 1900, 120),
        },
        index=pd.Index(np.arange(1, 121), name="image_id"),
    )
    return xy, of, table


def inside(point: np.ndarray, ring: np.ndarray) -> bool:
    x, y = ring.T
    u, v = np.roll(x, -1), np.roll(y, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = ((y > point[1]) != (v > point[1])) & (point[0] < (u - x) * (point[1] - y) / (v - y) + x)
    return bool(cross.sum() % 2)


def test_clusters_are_named_by_what_sets_them_apart(made):
    xy, of, table = made
    found = groups(xy, of, {1: 7, 3: 75}, table, KINDS)
    assert [(group.number, group.count) for group in found] == [(1, 40), (2, 30), (3, 20)]
    assert [group.name for group in found] == ["Hokusai · woodblock print", "etching", "Cluster 3"]
    assert (found[0].image, found[2].image) == (7, 75)
    near = np.linalg.norm(xy - xy[of == 2].mean(0), axis=1)
    assert found[1].image == 1 + np.flatnonzero(of == 2)[near[of == 2].argmin()]  # the medoid where no centre is known


def test_a_name_speaks_of_a_date_and_not_of_the_column_of_its_first_year(made):
    _, of, table = made
    first = pd.Series(np.where(of == 1, 1830, np.random.default_rng(1).integers(1500, 1700, 120)), table.index)
    table = table.assign(
        date=[f"about {i}" for i in table.index],
        date_from=first,
        date_to=first + 9,
        height_cm=np.where(of == 2, 12, of),
    )
    kinds = {"date": "text", "date_from": "number", "date_to": "number"}
    name = name_of(table, of == 1, kinds)
    assert name.startswith("date ") and "date_" not in name and name.count("date") == 1
    assert name_of(table, of == 2, {"height_cm": "number"}).startswith("height cm 12")


def test_a_central_picture_that_is_gone_is_replaced_by_one_that_is_there(made):
    xy, of, table = made
    (first, *_) = groups(xy, of, {1: 999}, table, KINDS)
    assert first.image in table.index[of == 1]


def test_two_clusters_never_have_the_same_name(made):
    xy, of, table = made
    halves = np.where((of == 1) & (np.arange(120) % 2 == 0), 4, of)
    names = [group.name for group in groups(xy, halves, {}, table, KINDS)]
    assert len(set(names)) == 4 and "Hokusai · woodblock print (2)" in names


def test_names_hold_numbers_with_their_column_and_no_endless_texts(made):
    _, of, table = made
    table = table.assign(
        year=np.where(of == 3, 1777, table["year"]), artist=np.where(of == 3, "x" * 200, table["artist"])
    )
    name = name_of(table, of == 3, KINDS)
    assert "year 17" in name and "x" * (LONGEST - 1) + "…" in name
    assert "x" * LONGEST not in name


def test_without_metadata_clusters_have_numbers(made):
    xy, of, table = made
    assert [group.name for group in groups(xy, of, {}, table[[]], {})] == ["Cluster 1", "Cluster 2", "Cluster 3"]
    assert groups(xy, 0 * of, {}, table, KINDS) == []


def test_an_outline_holds_nearly_all_of_its_points_and_little_else(made):
    xy, of, _ = made
    for number in (1, 2, 3):
        mine = xy[of == number]
        rings = [np.array(ring) for ring in outline(mine, np.ptp(xy, axis=0).max())]
        held = [any(inside(point, ring) for ring in rings) for point in mine]
        assert np.mean(held) > 0.9
        others = xy[(of != number) & (of > 0)]
        assert not any(inside(point, ring) for point in others for ring in rings)
        assert all(np.any(ring[0] != ring[-1]) for ring in rings)
        assert sum(map(len, rings)) < 1000


@pytest.mark.parametrize("xy", [np.zeros((1, 2)), np.zeros((5, 2)), np.array([[0.0, 0], [3, 0], [3, 1e-9]])])
def test_a_few_points_in_one_place_have_an_outline_too(xy):
    rings = outline(xy, 10.0)
    assert rings and all(inside(point, np.array(rings[0])) or len(rings) > 1 for point in xy)
    assert np.isfinite(np.array(rings[0])).all()


def test_a_cluster_without_metadata_of_its_own_is_named_by_its_typical_term(made):
    xy, of, table = made
    terms = {number: TypicalTerm("a boat", "motifs", 9.0) for number in (1, 3)}
    found = groups(xy, of, {}, table, KINDS, lambda: terms)
    assert [group.name for group in found] == ["Hokusai · woodblock print", "etching", "a boat"]
    assert [group.vocabulary for group in found] == ["", "", "motifs"]
    found = groups(xy, of, {}, table[[]], {}, lambda: terms)
    assert [group.name for group in found] == ["a boat", "Cluster 2", "a boat (2)"]


def test_terms_are_not_looked_for_where_metadata_name_all(made):
    xy, of, table = made
    named = groups(xy, np.where(of == 3, 0, of), {}, table, KINDS, lambda: pytest.fail("terms were looked for"))
    assert len(named) == 2
