"""The similar page: whose neighbours are shown, with which scores, and what happens to a picture of one's own."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dashboard import cache, components, neighbours, surveys, uploads
from dashboard.components import crop, paste, ranking
from store import connection, read, search, write
from tests.pages import database

HARMFUL = '<img src=x onerror="alert(1)"> & $x_1$'


class Wall:
    """All walls of pictures on the page: they remember what they were given and answer what they are told to.

    `items` are the neighbours; `of` has those of every wall in the last run, by its key. `click` opens a neighbour;
    `answers` says by key what another wall answers next.
    """

    def __init__(self):
        self.items, self.click, self.of, self.answers = [], None, {}, {}

    def gallery(self, items, key, *args, **more):
        self.of[key] = list(items)
        return self.answers.pop(key, None)

    def ranking(self, items, key, *args, **more):
        self.items = self.of[key] = list(items)
        clicked, self.click = self.click, None
        return self.answers.pop(key, None) if clicked is None else ranking.Answer(clicked, "open")

    def ids_of(self, key: str) -> list[int]:
        return [item["image_id"] for item in self.of[key]]

    @property
    def ids(self) -> list[int]:
        return [item["image_id"] for item in self.items]


@pytest.fixture
def wall(monkeypatch) -> Wall:
    walls = Wall()
    monkeypatch.setattr(components, "gallery", walls.gallery)
    monkeypatch.setattr(ranking, "ranking", walls.ranking)
    return walls


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

    monkeypatch.setattr(cache, "backbone", lambda run: f"network of run {run['run_id']}")
    monkeypatch.setattr("ingest.vision.embedding.embed", embed)
    return calls


def html(at) -> str:
    return "".join(element.value for element in at.main.html)


def png(size=(40, 30), mode="RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 200 if mode == "L" else None).save(file, "PNG")
    return file.getvalue()


def upload(at, data: bytes, name: str = "mine.png"):
    return at.file_uploader[0].set_value((name, data, "image/png")).run()


def test_shows_the_image_its_metadata_and_its_neighbours_with_scores(db, open_page, wall, crops):
    at = open_page("similar", image=1)
    assert not at.exception
    with connection.reading(db) as con:
        nearest = search.nearest(con, 1, 1, 12).to_pylist()
    assert wall.ids == [row["image_id"] for row in nearest]
    assert [item["caption"][:5] for item in wall.items] == [f"{row['similarity']:.3f}"[:5] for row in nearest]
    page = html(at)
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
    assert wall.ids[0] == 4 and wall.items[0]["caption"].startswith("1.000")
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
    ("data", "said"),
    [
        (b"", "The file is empty."),
        (b"GIF89a", "begins as GIF"),
        (b"<svg/>", "SVG drawing"),
        (png()[:60], "damaged or cut short"),
    ],
)
def test_what_is_no_picture_is_a_sentence(db, open_page, wall, network, data, said):
    at = open_page("similar", image=1)
    upload(at, data)
    assert not at.exception and not network
    assert said in at.main.error[0].value
    assert len(wall.ids) == 5  # and the collection's image is searched with meanwhile


def test_a_network_that_cannot_be_loaded_is_a_sentence(db, open_page, wall, monkeypatch):
    def gone(run):
        raise OSError("the file tiny.safetensors is gone")

    monkeypatch.setattr(cache, "backbone", gone)
    at = open_page("similar", image=1)
    upload(at, png())
    assert not at.exception
    assert "run 1 cannot be used here" in at.main.error[0].value and r"tiny\.safetensors" in at.main.error[0].value


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    decoded = []
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: decoded.append(self))
    with pytest.raises(uploads.BadPicture, match="60 megapixels"):
        uploads.decode(png((12_000, 6_000), "L"))
    assert not decoded


def test_too_many_bytes_are_refused(monkeypatch):
    with pytest.raises(uploads.BadPicture, match="at most 20 MB"):
        uploads.decode(b"x" * (20 * 2**20 + 1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_all_modes_become_rgb(mode):
    file = io.BytesIO()
    kind = "PNG" if mode in ("1", "L", "LA", "P", "RGBA", "I;16") else "JPEG"
    Image.new(mode, (8, 6)).save(file, kind)
    picture = uploads.decode(file.getvalue())
    assert (picture.mode, picture.size) == ("RGB", (8, 6))


def test_transparency_is_white_and_16_bits_become_8_and_exif_turns():
    file = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(file, "PNG")
    assert uploads.decode(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)
    file = io.BytesIO()
    Image.fromarray(np.full((2, 2), 32768, np.uint16)).save(file, "PNG")
    assert abs(uploads.decode(file.getvalue()).getpixel((0, 0))[0] - 128) <= 1
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(file, "JPEG", exif=exif)
    assert uploads.decode(file.getvalue()).size == (4, 8)


@pytest.mark.parametrize(
    "text", ["", "data:text/html;base64,PGI+", "data:image/png,plain", "data:image/png;base64,@@@"]
)
def test_data_urls_that_are_no_pictures_are_refused(text):
    with pytest.raises(uploads.BadPicture):
        uploads.from_data_url(text)


def test_nothing_is_written(db, open_page, wall, network):
    before = connection.state(db)
    at = open_page("similar", image=1)
    upload(at, png())
    assert connection.state(db) == before
    with connection.reading(db) as con:
        assert read.images(con).num_rows == 6


# ---- more like this, less like that ---------------------------------------------------------------------------------


def vectors_of(*image_ids) -> np.ndarray:
    ids, matrix = cache.features(1)
    return np.stack([matrix[ids == image_id][0] for image_id in image_ids]).astype(float)


def ranked(vector: np.ndarray, left_out: set[int]) -> list[int]:
    """Every image but some by its cosine with a vector, best first."""
    scored = [(-float(vectors_of(i)[0] @ vector / np.linalg.norm(vector)), i) for i in range(1, 7) if i not in left_out]
    return [image_id for _, image_id in sorted(scored)]


def test_plus_and_minus_make_examples_which_the_address_keeps(db, open_page, wall):
    at = open_page("similar", image=1)
    wall.answers["neighbours"] = ranking.Answer(4, "like")
    at.run()
    wall.answers["neighbours"] = ranking.Answer(2, "unlike")
    at.run()
    assert not at.exception
    assert (at.query_params["like"], at.query_params["unlike"]) == ("4", "2")
    assert wall.ids_of("like_wall") == [4] and wall.ids_of("unlike_wall") == [2]
    vector = vectors_of(1, 4).mean(0) - vectors_of(2)[0]
    assert wall.ids == ranked(vector, {1, 2, 4})
    score = vectors_of(wall.ids[0])[0] @ vector / np.linalg.norm(vector)
    assert wall.items[0]["caption"].startswith(f"{score:.3f}")
    said = html(at)
    assert "the mean of 2 features, those of the picture and the examples minus that of the counter-example" in said
    assert "made of length 1 again" in said


def test_a_link_opens_with_its_examples_and_unknown_ones_are_left_out(db, open_page, wall):
    at = open_page("similar", image=1, like="5,99,5,x", unlike="3")
    assert not at.exception
    assert wall.ids_of("like_wall") == [5] and wall.ids_of("unlike_wall") == [3]
    assert wall.ids == ranked(vectors_of(1, 5).mean(0) - vectors_of(3)[0], {1, 3, 5})


def test_an_example_is_taken_away_by_a_click_and_changes_sides_by_another_sign(db, open_page, wall):
    at = open_page("similar", image=1, like="4,5")
    wall.answers["like_wall"] = 4
    at.run()
    assert wall.ids_of("like_wall") == [5] and 4 in wall.ids
    wall.answers["neighbours"] = ranking.Answer(4, "like")
    at.run()
    wall.answers["neighbours"] = ranking.Answer(4, "unlike")
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


# ---- the whole run --------------------------------------------------------------------------------------------------


def test_the_least_typical_with_their_scores(db, open_page, wall):
    at = open_page("similar", image=1, find="least typical")
    assert not at.exception
    matrix = vectors_of(*range(1, 7))
    scores = {i + 1: float(np.delete(matrix @ matrix[i], i).mean()) for i in range(6)}
    assert wall.ids_of("least_typical") == sorted(scores, key=scores.get)
    assert wall.of["least_typical"][0]["caption"].startswith(f"{min(scores.values()):.3f}")
    at.segmented_control(key="typical").set_value("the centre of all").run()
    centre = matrix.mean(0)
    assert wall.ids_of("least_typical") == sorted(range(1, 7), key=lambda i: float(vectors_of(i)[0] @ centre))
    assert "to the centre of all" in html(at)
    wall.answers["least_typical"] = 5
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
    assert wall.of["group_2"][1]["caption"].startswith(f"{alike:.3f}")
    wall.answers["group_2"] = 6
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
    at = open_page("similar", image=1, find="near-duplicates")
    at.session_state["alike"] = 0.2
    at.run()
    assert not at.exception and at.slider(key="alike").value == 0.95


def test_without_near_duplicates_there_is_a_sentence(db, open_page, wall):
    at = open_page("similar", image=1, find="near-duplicates", alike="1.0")
    assert not at.exception and "No two images are that much alike" in at.main.info[0].value


def test_groups_beyond_the_first_screen_have_pages(db, open_page, wall, monkeypatch):
    monkeypatch.setattr(surveys, "GROUPS", 1)
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
    assert wall.of["under_2"][0]["caption"].startswith(f"{float(vectors[others[0] - 1] @ vectors[0]):.3f}")


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
