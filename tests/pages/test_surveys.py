"""The other questions of the page Similar: the least typical, near-duplicates, and two runs beside each other."""

import numpy as np
import pytest

from dashboard.compute import neighbours
from dashboard.data import cache
from dashboard.views.similar import analyses
from store import connection, write
from tests.pages import database
from tests.pages.walls import Wall, done, html, ranked, stand_in, vectors_of


@pytest.fixture
def wall(monkeypatch) -> Wall:
    return stand_in(monkeypatch)


def test_the_least_typical_with_their_scores(db, open_page, wall):
    at = open_page("similar", image=1, find="least typical")
    assert not at.exception
    matrix = vectors_of(*range(1, 7))
    scores = {i + 1: float(np.delete(matrix @ matrix[i], i).mean()) for i in range(6)}
    assert wall.ids_of("least_typical") == sorted(scores, key=scores.get)
    meaning, score = wall.of["least_typical"][0]["caption"].split("\n")
    assert meaning.startswith("nearer than ") and score.startswith(f"{min(scores.values()):.3f}")
    assert "pairs of pictures of this collection" in html(at)
    at.segmented_control(key="typical").set_value("the centre of all").run()
    centre = matrix.mean(0)
    assert wall.ids_of("least_typical") == sorted(range(1, 7), key=lambda i: float(vectors_of(i)[0] @ centre))
    assert "to the centre of all" in html(at)
    meanings = [item["caption"].split("\n")[0] for item in wall.of["least_typical"]]
    assert meanings[0] == "farther than 91.6 %" and meanings[-1] == "farther than 8.3 %"  # of six, itself counting half
    wall.answers["least_typical"] = done("subject", 5)
    at.run()
    assert at.session_state["image"] == 5 and at.segmented_control(key="find").value == "neighbours"


def twins(db) -> float:
    """Images 2 and 5 become copies of image 3, and 6 nearly one of image 1; returns how much alike those are."""
    image = vectors_of(1)[0]
    near = image + np.array([0.25, *[0] * 7])
    near /= np.linalg.norm(near)
    with connection.writing(db) as con:
        con.execute(
            "UPDATE feature SET vector = (SELECT vector FROM feature WHERE image_id = 3) WHERE image_id IN (2, 5)"
        )
        con.execute("UPDATE feature SET vector = ? WHERE image_id = 6", [near.tolist()])
    return float(image @ near)


def test_near_duplicates_are_groups_above_a_threshold(db, open_page, wall):
    alike = twins(db)
    assert 0.9 < alike < 0.995
    at = open_page("similar", image=1, find="near-duplicates")
    at.slider(key="alike").set_value(1.0).run()
    assert not at.exception
    assert wall.ids_of("group_1") == [2, 3, 5] and "1 group with 3 of all 6 images" in html(at)
    wall.of.clear()
    at.slider(key="alike").set_value(0.9).run()
    assert wall.ids_of("group_1") == [2, 3, 5] and sorted(wall.ids_of("group_2")) == [1, 6]
    assert wall.of["group_2"][1]["caption"].split("\n")[1].startswith(f"{alike:.3f}")
    wall.answers["group_2"] = done("subject", 6)
    at.run()
    assert at.session_state["image"] == 6 and at.segmented_control(key="find").value == "neighbours"


def test_where_all_is_much_alike_the_threshold_begins_higher(db, open_page, wall):
    """A network that gives all pictures nearly the same feature finds no near-duplicates in them."""
    random = np.random.default_rng(2)
    close = np.eye(8)[0] + 0.05 * random.normal(size=(6, 8))
    with connection.writing(db) as con:
        for image_id, vector in enumerate(close / np.linalg.norm(close, axis=1, keepdims=True), start=1):
            con.execute("UPDATE feature SET vector = ? WHERE image_id = ?", [vector.tolist(), image_id])
    at = open_page("similar", image=1, find="near-duplicates")
    usual = neighbours.ordinary(cache.features(1)[1])
    slider = at.slider(key="alike")
    assert not at.exception and usual > 0.95
    assert (slider.min, slider.value) == pytest.approx((usual + (1 - usual) / 2, usual + 0.9 * (1 - usual)), abs=1e-3)
    assert f"Two arbitrary ones have {usual:.3f}" in html(at) and "group_1" not in wall.of


def test_a_threshold_chosen_for_another_run_gives_way(db, open_page, wall):
    at = open_page("similar", image=1, find="near-duplicates", alike="0.2")
    assert not at.exception and at.slider(key="alike").value == 0.95


def test_without_near_duplicates_there_is_a_sentence(db, open_page, wall):
    at = open_page("similar", image=1, find="near-duplicates", alike="1.0")
    assert not at.exception and "No two images are that much alike" in at.main.info[0].value


def test_groups_beyond_the_first_screen_have_pages(db, open_page, wall, monkeypatch):
    monkeypatch.setattr(analyses, "GROUPS", 1)
    twins(db)
    at = open_page("similar", image=1, find="near-duplicates", alike="0.9", groups_page="2")
    assert not at.exception and "group_1" not in wall.of and sorted(wall.ids_of("group_2")) == [1, 6]
    at.slider(key="alike").set_value(1.0).run()
    assert not at.exception and wall.ids_of("group_1") == [2, 3, 5]


def second_run(db) -> np.ndarray:
    """Another run of the collection, with other features."""
    found = database.results(np.arange(1, 7), [(10, 10)] * 6, seed=9)
    with connection.writing(db) as con:
        run = write.add_run(con, 1, database.run_record(size=112))
        write.add_results(con, run, type(found)(found.image_ids, found.vectors))
    return found.vectors.astype(float)


def test_two_runs_side_by_side_with_the_share_of_common_neighbours(db, open_page, wall):
    vectors = second_run(db)
    at = open_page("similar", image=1, run=1, find="two runs", k=2)
    assert not at.exception
    mine = ranked(vectors_of(1)[0], {1})[:2]
    others = sorted(range(2, 7), key=lambda i: -float(vectors[i - 1] @ vectors[0]))[:2]
    assert (wall.ids_of("under_1"), wall.ids_of("under_2")) == (mine, others)
    both = set(mine) & set(others)
    assert f"{len(both)} of 2 neighbours of The Great Wave off Kanagawa ({50 * len(both)} %) are the same" in html(at)
    marked = {item["image_id"] for item in wall.of["under_2"] if "in both" in item["caption"]}
    assert marked == both
    words, line = wall.of["under_2"][0]["caption"].split("\n")
    assert line.startswith(f"{float(vectors[others[0] - 1] @ vectors[0]):.3f}") and words.startswith("nearer than ")


def test_one_run_alone_says_how_to_make_another(db, open_page, wall):
    at = open_page("similar", image=1, find="two runs")
    assert not at.exception and "There is only this run" in at.main.info[0].value


@pytest.mark.parametrize("find", ["least typical", "near-duplicates", "two runs"])
def test_the_other_questions_to_very_small_collections(tmp_path, monkeypatch, open_page, wall, find):
    path = tmp_path / "small.duckdb"
    database.make(path, names=database.NAMES[:1])
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page("similar", image=1, find=find)
    assert not at.exception and at.main.info


def test_images_that_are_all_the_same_are_one_group(db, open_page, wall):
    with connection.writing(db) as con:
        con.execute("UPDATE feature SET vector = (SELECT vector FROM feature WHERE image_id = 3)")
    at = open_page("similar", image=1, find="near-duplicates")
    assert not at.exception and wall.ids_of("group_1") == [1, 2, 3, 4, 5, 6]
