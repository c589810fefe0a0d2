"""The similar page: whose neighbours are shown, with which scores, and what happens to a picture of one's own."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from dashboard import cache, components, uploads
from dashboard.components import paste
from store import connection, read, search, write
from tests.pages import database

HARMFUL = '<img src=x onerror="alert(1)"> & $x_1$'


class Wall:
    """A gallery that remembers what it was given and answers what it is told to."""

    def __init__(self):
        self.items, self.click = [], None

    def __call__(self, items, key, *args, **more):
        if key != "neighbours":
            return None
        self.items = list(items)
        clicked, self.click = self.click, None
        return clicked

    @property
    def ids(self) -> list[int]:
        return [item["image_id"] for item in self.items]


@pytest.fixture
def wall(monkeypatch) -> Wall:
    gallery = Wall()
    monkeypatch.setattr(components, "gallery", gallery)
    return gallery


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


def test_shows_the_image_its_metadata_and_its_neighbours_with_scores(db, open_page, wall):
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
    assert "data:image/jpeg;base64," in page


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
    assert "run 1 cannot be used here" in at.main.error[0].value and "tiny.safetensors" in at.main.error[0].value


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
