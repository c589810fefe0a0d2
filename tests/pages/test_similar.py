"""The similar page: whose neighbours are shown, with which scores, and what happens to a picture of one's own."""

import base64
import re

import numpy as np
import pytest

from dashboard.components import crop
from dashboard.components.crop import paste
from dashboard.data import cache
from store import connection, read, write
from tests.pages import database
from tests.pages.test_uploads import png
from tests.pages.walls import Wall, done, html, ranked, stand_in, vectors_of
from tests.support.search import nearest

HARMFUL = '<img src=x onerror="alert(1)"> & $x_1$'


@pytest.fixture
def wall(monkeypatch) -> Wall:
    return stand_in(monkeypatch)


@pytest.fixture
def crops(monkeypatch):
    """The pictures that could be cropped in each run, as (src, alt, box); `answer` is what is drawn next."""

    class Crops(list):
        answer = None

    seen = Crops()

    def crop_(src, alt, key, box=None):
        seen.append((src, alt, box))
        answer, seen.answer = seen.answer, None
        return answer

    monkeypatch.setattr(crop, "crop", crop_)
    return seen


@pytest.fixture
def network(monkeypatch):
    """A network that sees in every picture exactly what it saw in image 4 of the database."""
    calls = []

    def embed(backbone, pictures, fit, size):
        calls.append((backbone, [picture.size for picture in pictures], fit, size))
        ids, matrix = cache.features(1)
        return matrix[ids == 4]

    monkeypatch.setattr(cache, "backbone", lambda run: f"network of run {run.run_id}")
    monkeypatch.setattr("ingest.vision.embedding.embed", embed)
    return calls


def upload(at, data: bytes, name: str = "mine.png"):
    return at.file_uploader[0].set_value((name, data, "image/png")).run()


def test_shows_the_image_its_metadata_and_its_neighbours_with_scores(db, open_page, wall, crops):
    at = open_page("similar", image=1)
    assert not at.exception
    with connection.reading(db) as con:
        expected = nearest(con, 1, 1, 12).to_pylist()
    assert wall.ids == [row["image_id"] for row in expected]
    lines = [item["caption"].split("\n") for item in wall.items]
    assert [line[:5] for _, line in lines] == [f"{row['similarity']:.3f}"[:5] for row in expected]
    every = (vectors_of(*range(1, 7)) @ vectors_of(*range(1, 7)).T)[np.triu_indices(6, 1)]
    for (words, _), row in zip(lines, expected, strict=True):
        below = 100 * np.mean([each < row["similarity"] - 1e-6 for each in every])
        assert abs(float(re.fullmatch(r"nearer than ([\d.]+) %", words)[1]) - below) <= 0.1 + 100 / len(
            every
        )  # itself among them
    page = html(at)
    assert "99 are less alike, by all 15 pairs." in page
    for part in ("The Great Wave off Kanagawa", "Katsushika Hokusai", "hokusai-great-wave-1829.jpg", "665 × 450 px"):
        assert part in page
    assert "cosine similarity" in page and "Tiny test network, run 1" in page
    (src, alt, box) = crops[-1]
    assert src.startswith("data:image/jpeg;base64,") and "Great Wave" in alt and box is None


def test_the_slider_says_how_many(db, open_page, wall):
    at = open_page("similar", image=1)
    assert (at.slider(key="k").max, at.slider(key="k").value) == (5, 5)
    at.slider(key="k").set_value(2).run()
    assert len(wall.items) == 2


def test_a_click_goes_on_from_there(db, open_page, wall):
    at = open_page("similar", image=1)
    wall.click = wall.ids[0]
    first = wall.click
    at.run()
    assert at.session_state["image"] == first
    assert first not in wall.ids and 1 in wall.ids


def test_without_the_original_file_the_thumbnail_stands_in(db, open_page, wall):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
    at = open_page("similar", image=1)
    assert not at.exception
    assert any("this is its thumbnail" in caption.value for caption in at.main.caption)
    with connection.writing(db) as con:
        con.execute("DELETE FROM thumbnail")
    at = open_page("similar", image=1)
    assert not at.exception and at.main.warning and len(wall.ids) == 5


def test_without_features_there_is_a_sentence(db, open_page, wall):
    with connection.writing(db) as con:
        con.execute("DELETE FROM feature WHERE image_id = 1")
    at = open_page("similar", image=1)
    assert not at.exception and "no feature of this image" in at.main.info[0].value
    with connection.writing(db) as con:
        con.execute("DELETE FROM feature")
    at = open_page("similar", image=1)
    assert not at.exception and "no features yet" in at.main.info[0].value


@pytest.mark.parametrize(("count", "alone"), [(1, True), (2, False)])
def test_very_small_collections(tmp_path, monkeypatch, open_page, wall, count, alone):
    path = tmp_path / "small.duckdb"
    database.make(path, names=database.NAMES[:count])
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page("similar", image=1)
    assert not at.exception
    assert any("no other image" in info.value for info in at.main.info) == alone
    assert len(wall.ids) == count - 1


def test_an_empty_database_is_a_page(empty_db, open_page):
    at = open_page("similar")
    assert not at.exception
    assert at.title[0].value == "Nothing to show yet"


def test_hostile_metadata_is_text(db, open_page, wall):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": HARMFUL, HARMFUL: HARMFUL, "list": [1, HARMFUL]}})
    at = open_page("similar", image=1)
    assert not at.exception
    assert "<img src=x" not in html(at) and "&lt;img src=x" in html(at)


# ---- a picture of one's own ---------------------------------------------------------------------------------------


def test_an_uploaded_picture_is_embedded_as_the_run_was(db, open_page, wall, network):
    at = open_page("similar", image=1)
    upload(at, png((40, 30)))
    assert not at.exception
    assert "1 means the same to the network as the picture" in html(at)
    assert network == [("network of run 1", [(40, 30)], "crop", 84)]
    assert wall.ids[0] == 4 and "\n1.000 · " in wall.items[0]["caption"]
    assert len(wall.ids) == 6  # none is left out: the picture is not one of the collection
    assert "mine.png" in html(at)
    assert any("seconds" in caption.value for caption in at.main.caption)
    at.slider(key="k").set_value(3).run()
    assert len(network) == 1 and len(wall.ids) == 3


def test_back_to_the_collection(db, open_page, wall, network):
    at = open_page("similar", image=1)
    upload(at, png())
    next(button for button in at.main.button if "Back" in button.label).click().run()
    assert "mine.png" not in html(at) and 1 not in wall.ids
    upload(at, png())
    wall.click = 2
    at.run()
    assert at.session_state["image"] == 2 and "mine.png" not in html(at)


def test_a_pasted_picture_stays_until_put_aside(db, open_page, wall, network, monkeypatch):
    waiting = ["data:image/png;base64," + base64.b64encode(png()).decode()]
    monkeypatch.setattr(paste, "paste", lambda key: waiting.pop() if waiting else None)
    at = open_page("similar", image=1)
    assert not at.exception and "Pasted picture" in html(at) and wall.ids[0] == 4
    at.run()
    assert "Pasted picture" in html(at)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty."),
        (b"GIF89a", "begins as GIF"),
        (b"<svg/>", "SVG drawing"),
        (png()[:60], "damaged or cut short"),
    ],
)
def test_what_is_no_picture_is_a_sentence(db, open_page, wall, network, data, sentence):
    at = open_page("similar", image=1)
    upload(at, data)
    assert not at.exception and not network
    assert sentence in at.main.error[0].value
    assert len(wall.ids) == 5  # and the collection's image is searched with meanwhile


def test_a_network_that_cannot_be_loaded_is_a_sentence(db, open_page, wall, monkeypatch):
    def gone(run):
        raise OSError("the file tiny.safetensors is gone")

    monkeypatch.setattr(cache, "backbone", gone)
    at = open_page("similar", image=1)
    upload(at, png())
    assert not at.exception
    assert "run 1 cannot be used here" in at.main.error[0].value and r"tiny\.safetensors" in at.main.error[0].value


def test_nothing_is_written(db, open_page, wall, network):
    before = connection.state(db)
    at = open_page("similar", image=1)
    upload(at, png())
    assert connection.state(db) == before
    with connection.reading(db) as con:
        assert read.images(con).num_rows == 6


# ---- more like this, less like that ---------------------------------------------------------------------------------


def test_plus_and_minus_make_examples_which_the_address_keeps(db, open_page, wall):
    at = open_page("similar", image=1)
    wall.answers["neighbours"] = done("like", 4)
    at.run()
    wall.answers["neighbours"] = done("unlike", 2)
    at.run()
    assert not at.exception
    assert (at.query_params["like"], at.query_params["unlike"]) == ("4", "2")
    assert wall.ids_of("like_wall") == [4] and wall.ids_of("unlike_wall") == [2]
    vector = vectors_of(1, 4).mean(0) - vectors_of(2)[0]
    assert wall.ids == ranked(vector, {1, 2, 4})
    score = vectors_of(wall.ids[0])[0] @ vector / np.linalg.norm(vector)
    meaning, cosine = wall.items[0]["caption"].split("\n")  # of a mean of several, pairs say nothing: all pictures do
    assert meaning.startswith("nearer than ") and cosine.startswith(f"{score:.3f}")
    page = html(at)
    assert "the mean of 2 features, those of the picture and the examples minus that of the counter-example" in page
    assert "made of length 1 again" in page


def test_a_link_opens_with_its_examples_and_unknown_ones_are_left_out(db, open_page, wall):
    at = open_page("similar", image=1, like="5,99,5,x", unlike="3")
    assert not at.exception
    assert wall.ids_of("like_wall") == [5] and wall.ids_of("unlike_wall") == [3]
    assert wall.ids == ranked(vectors_of(1, 5).mean(0) - vectors_of(3)[0], {1, 3, 5})
    shares = [float(item["caption"].split("nearer than ")[1].split(" %")[0]) for item in wall.of["neighbours"]]
    assert shares == sorted(shares, reverse=True) and 0 < shares[-1] < shares[0] < 100
    assert "of 100 pictures, 99 are less like it" in html(at)


def test_an_example_is_taken_away_and_changes_sides_by_another_sign(db, open_page, wall):
    at = open_page("similar", image=1, like="4,5")
    wall.answers["like_wall"] = done("away", 4)
    at.run()
    assert wall.ids_of("like_wall") == [5] and 4 in wall.ids
    wall.answers["neighbours"] = done("like", 4)
    at.run()
    wall.answers["neighbours"] = done("unlike", 4)
    at.run()
    assert at.session_state["like"] == (5,) and at.session_state["unlike"] == (4,)


def test_going_on_from_a_picture_drops_the_examples(db, open_page, wall):
    at = open_page("similar", image=1, like="4")
    wall.click = 2
    at.run()
    assert at.session_state["image"] == 2 and "like" not in at.query_params
    assert wall.ids == ranked(vectors_of(2)[0], {2})


def test_examples_that_cancel_out_are_a_sentence(db, open_page, wall):
    with connection.writing(db) as con:
        con.execute("UPDATE feature SET vector = (SELECT vector FROM feature WHERE image_id = 1) WHERE image_id = 3")
    at = open_page("similar", image=1, unlike="3")
    assert not at.exception
    assert any("cancel each other out" in info.value for info in at.main.info)


def test_a_choice_by_metadata_narrows_what_is_found(db, open_page, wall):
    at = open_page("similar", image=1, f="year:1888..1894")
    assert not at.exception
    assert wall.ids == [image_id for image_id in ranked(vectors_of(1)[0], {1}) if image_id in (3, 4)]
    assert "among 2 images with year 1888–1894" in html(at)


def test_a_filter_that_leaves_the_picture_itself_alone_is_a_sentence(db, open_page, wall):
    at = open_page("similar", image=3, f="artist:Vincent van Gogh")
    assert not at.exception
    assert wall.ids == []
    assert "leaves no other picture" in at.main.info[0].value


# ---- a part of the picture ------------------------------------------------------------------------------------------


def test_a_box_is_what_the_network_looks_at(db, open_page, wall, network, crops):
    at = open_page("similar", image=1)
    crops.answer = (0.1, 0.2, 0.6, 1.0)
    at.run()
    assert not at.exception
    assert at.query_params["crop"] == "0.100,0.200,0.600,1.000"
    assert crops[-1][2] == (0.1, 0.2, 0.6, 1.0)
    assert any("is compared with whole pictures" in caption.value for caption in at.caption)
    width, height = cache.picture(1)[0].size
    assert network == [
        ("network of run 1", [(round(0.6 * width) - int(0.1 * width), height - int(0.2 * height))], "crop", 84)
    ]
    assert (
        wall.ids[0] == 4 and 1 not in wall.ids
    )  # it looks like image 4 to this network; the picture itself is left out
    assert "the part of the picture in the box" in html(at)
    at.run()
    assert len(network) == 1
    crops.answer = "whole"
    at.run()
    assert "crop" not in at.query_params and wall.ids == ranked(vectors_of(1)[0], {1})


def test_a_link_opens_with_its_box_and_another_picture_has_none(db, open_page, wall, network, crops):
    at = open_page("similar", image=1, crop="0,0,0.5,0.5")
    assert not at.exception and crops[-1][2] == (0, 0, 0.5, 0.5) and len(network) == 1
    wall.click = 2
    at.run()
    assert crops[-1][2] is None and "crop" not in at.query_params and len(network) == 1


@pytest.mark.parametrize("text", ["", "a,b,c,d", "0,0,1", "0.5,0,0.5,1", "0,0,2,1", "nan,0,1,1", "0,0,inf,1"])
def test_a_box_that_makes_no_sense_is_none(db, open_page, wall, network, crops, text):
    at = open_page("similar", image=1, crop=text)
    assert not at.exception and crops[-1][2] is None and not network


def test_a_box_on_a_picture_of_ones_own(db, open_page, wall, network, crops):
    at = open_page("similar", image=1)
    upload(at, png((40, 30)))
    crops.answer = (0.5, 0.0, 1.0, 1.0)
    at.run()
    assert not at.exception and [call[1] for call in network] == [[(40, 30)], [(20, 30)]]
