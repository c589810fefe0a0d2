"""The page Parts: which pictures share their colours, where these are drawn, and the network before any picture."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dashboard.components import patches
from dashboard.data import cache
from dashboard.drawing import anatomy, figure
from dashboard.drawing.panels import Scene
from dashboard.selection import actions
from dashboard.views.parts import patch_colours
from dashboard.views.parts.patch_colours import Coloured, Palette, Style
from ingest.vision.backbones import load
from ingest.vision.colour_maps import colour_table
from ingest.vision.geometry import Frame
from store import connection, write
from tests.pages import database
from tests.support.pages import HARMFUL, choose


class Stand:
    """A component that remembers what it was given and answers what it is told to."""

    def __init__(self):
        self.given, self.answer = None, None

    def __call__(self, given, *args, **more):
        self.given, self.args, self.more = list(given), args, more
        answer, self.answer = self.answer, None
        return answer

    @property
    def ids(self) -> list[int]:
        return [item["image_id"] for item in self.given]

    def pictures(self) -> list[np.ndarray]:
        data = [base64.b64decode(item["src"].partition(",")[2]) for item in self.given]
        return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB"), float) for one in data]


@pytest.fixture
def wall(monkeypatch) -> Stand:
    stand = Stand()
    monkeypatch.setattr(actions, "gallery", stand)
    return stand


@pytest.fixture
def pane(monkeypatch) -> Stand:
    stand = Stand()
    monkeypatch.setattr(patches, "patches", stand)
    return stand


def add(db, model: str, **other) -> int:
    """A run of a network that can be loaded here."""
    settings = {"title": f"Network {model}", "model": model}
    with connection.writing(db) as con:
        rows = con.execute("SELECT image_id, width, height FROM image ORDER BY 1").fetchall()
        ids, sizes = np.array([row[0] for row in rows]), [row[1:] for row in rows]
        other = {"weights_sha256": f"{abs(hash(model)):064x}"[:64], "size": 56} | other
        return database.add_run(con, 1, ids, sizes, settings=settings, **other)


@pytest.fixture
def live(db) -> int:
    return add(db, "tiny:dinov2")


def texts(at) -> str:
    return "".join(element.value for element in [*at.main.html, *at.main.markdown, *at.main.caption])


# ---- pictures -------------------------------------------------------------------------------------------------------


def test_shows_the_picture_in_view_and_its_nearest_neighbours(live, wall, open_page):
    at = open_page("parts", run=live, image=3)
    assert not at.exception and at.title[0].value == "Parts"
    assert wall.ids == [3, *cache.nearest(live, 3, 5)["image_id"].tolist()]
    choose(at, "parts_count", 3)
    assert wall.ids == [3, *cache.nearest(live, 3, 2)["image_id"].tolist()]
    choose(at, "parts_count", 1)
    assert not at.exception and wall.ids == [3]
    assert "1 picture went through the network" in texts(at)


def test_pictures_are_the_first_that_the_filter_leaves(live, wall, open_page):
    at = open_page("parts", run=live, image=3)
    choose(at, "parts_of", "first")
    assert wall.ids == list(range(1, 7))
    choose(at, "parts_count", 4)
    assert wall.ids == list(range(1, 5))
    catalogue = cache.catalogue("paintings")
    hokusai = catalogue.loc[catalogue["artist"] == "Katsushika Hokusai", "image_id"].tolist()
    at = open_page("parts", run=live, image=3, parts_of="first", f="artist:Katsushika Hokusai")
    assert wall.ids == sorted(hokusai) and len(hokusai) == 2
    assert "patches of 2 pictures together" in texts(at)
    assert "**2** of 6 pictures: the pictures below come from these alone" in texts(at)


def test_neighbours_come_from_what_the_filter_leaves(live, wall, open_page):
    at = open_page("parts", run=live, image=3, f="artist:Katsushika Hokusai")
    assert not at.exception
    among = cache.features(live)[0] < 3  # both are his, and the picture in view is not
    assert wall.ids == [3, *cache.nearest(live, 3, 5, among)["image_id"].tolist()] and sorted(wall.ids) == [1, 2, 3]


def test_a_link_reproduces_the_view(live, wall, open_page):
    open_page("parts", run=live, image=2, parts_count=2, parts_foreground="true", edges="smooth", parts_opacity=40)
    linked = wall.pictures()
    at = open_page("parts", run=live, image=2)
    choose(at, "parts_count", 2)
    choose(at, "parts_foreground", True)
    choose(at, "edges", "smooth")
    choose(at, "parts_opacity", 40)
    assert len(linked) == 2
    assert all(np.array_equal(one, other) for one, other in zip(linked, wall.pictures(), strict=True))


@pytest.mark.parametrize(("key", "value"), [("edges", "smooth"), ("parts_opacity", 30), ("parts_foreground", True)])
def test_each_control_changes_the_colours_but_not_the_picture(live, wall, open_page, key, value):
    at = open_page("parts", run=live, image=3)
    before = wall.pictures()
    choose(at, key, value)
    for one, other, item in zip(before, wall.pictures(), wall.given, strict=True):
        row = cache.image(item["image_id"])
        axis = 0 if row["width"] > row["height"] else 1
        (kept, colours), (same, changed) = (np.split(picture, 2, axis) for picture in (one, other))
        # JPEG blocks reach over the edge between the two.
        inner = tuple(slice(0, size - 16) for size in kept.shape[:2])
        assert np.abs(kept[inner] - same[inner]).max() <= 2
        assert np.abs(colours - changed).mean() > 1


def test_the_network_looks_once(live, wall, open_page, monkeypatch):
    from ingest.vision import token_pca

    real, computed = token_pca.patch_tokens, []
    monkeypatch.setattr(token_pca, "patch_tokens", lambda *args: computed.append(args[2:4]) or real(*args))
    at = open_page("parts", run=live, image=5, parts_count=4)
    choose(at, "parts_foreground", True)
    choose(at, "parts_opacity", 20)
    assert computed == [("crop", 56)] * 4


def test_says_what_was_done(live, wall, open_page):
    at = open_page("parts", run=live, image=3)
    for part in (
        "as colours that several pictures share",
        "The arrow on a picture goes on from it",
        "The colours show",
        "6 pictures went through the network",
        "Principal components of the patch tokens after the final norm, all patches of 6 pictures together",
        "Network tiny:dinov2",
        f"run {live} of paintings, input of 56 × 56 px, fit crop",
    ):
        assert part in texts(at)
    assert "Foreground" not in texts(at)
    choose(at, "parts_foreground", True)
    assert "of the patches count as foreground" in texts(at) and "the foreground patches of 6" in texts(at)


def test_the_arrow_on_a_picture_goes_on_from_it(live, wall, open_page):
    at = open_page("parts", run=live, image=3)
    assert (actions.SUBJECT,) in wall.args
    wall.answer = actions.Done("subject", 5, 5)
    at.run()
    assert at.session_state["image"] == 5 and wall.ids[0] == 5


def test_weights_that_are_not_here_are_a_sentence(db, wall, open_page):
    for show in ("pictures", "network"):
        at = open_page("parts", run=1, image=3, show=show)
        assert not at.exception
        assert "The network of run 1 cannot be used here" in at.main.error[0].value


def test_without_the_originals_the_network_sees_thumbnails_and_the_page_says_so(db, live, wall, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
        con.execute("DELETE FROM thumbnail WHERE image_id = 3")
    at = open_page("parts", run=live, image=3)
    assert not at.exception and 3 not in wall.ids and len(wall.ids) == 5
    assert "1 could not be read" in texts(at) and "Of 5 the original file is not where it was" in texts(at)


def test_without_any_picture_there_is_a_sentence(db, live, wall, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
        con.execute("DELETE FROM thumbnail")
    at = open_page("parts", run=live, image=3)
    assert not at.exception and "nothing to look at" in at.main.error[0].value


def test_a_picture_without_a_feature_is_shown_alone(db, live, wall, open_page):
    with connection.writing(db) as con:
        con.execute("DELETE FROM feature WHERE run_id = ? AND image_id = 3", [live])
    at = open_page("parts", run=live, image=3)
    assert not at.exception and wall.ids == [3]


def test_an_empty_database_is_a_page(empty_db, open_page):
    at = open_page("parts")
    assert not at.exception and at.title[0].value == "Nothing to show yet"


def test_hostile_titles_are_text(db, wall, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[2]: {"title": HARMFUL}})
    run = add(db, "tiny:vit")
    at = open_page("parts", run=run, image=3)
    assert not at.exception and wall.given[0]["title"] == HARMFUL
    assert "<img src=x" not in texts(at)


# ---- drawing, without the page ----------------------------------------------------------------------------------------


def scene(width: int = 80, height: int = 60, frame: Frame | None = None) -> Scene:
    return Scene(
        Image.new("RGB", (width, height), (100, 100, 100)), (width, height), frame or Frame(0, 0, 80, 60, 3, 4)
    )


def coloured(frame: Frame, picture: int = 1) -> Coloured:
    colours = np.zeros((frame.rows, frame.cols, 3), np.float32)
    colours[0, 0], colours[1, 2] = (1, 0, 0), (0, 0.5, 1)
    return Coloured(picture, frame, colours)


def test_colours_lie_on_exactly_their_patches():
    shown = scene()
    drawn = np.asarray(patch_colours.draw(coloured(shown.frame), shown, Style(opacity=1.0)))
    assert (drawn[:20, :20] == (255, 0, 0)).all() and (drawn[20:40, 40:60] == (0, 128, 255)).all()
    assert (drawn[40:] == 0).all() and (drawn[:20, 20:] == 0).all()


def test_opacity_mixes_and_smooth_interpolates():
    shown = scene()
    half = np.asarray(patch_colours.draw(coloured(shown.frame), shown, Style(opacity=0.5)))
    assert abs(half[10, 10].astype(int) - [178, 50, 50]).max() <= 1
    smooth = np.asarray(patch_colours.draw(coloured(shown.frame), shown, Style(opacity=1.0, smooth=True)))
    assert smooth[10, 10, 0] > smooth[10, 18, 0] > smooth[10, 26, 0] > 0


def test_background_and_what_was_not_seen_keep_the_picture_dimmed():
    frame = Frame(20, 0, 80, 60, 3, 3)
    one = coloured(frame)
    one.colours[2] = np.nan
    drawn = np.asarray(patch_colours.draw(one, scene(frame=frame), Style(opacity=1.0)))
    assert len(np.unique(drawn[:, :20])) == 1 and 40 < drawn[0, 0, 0] < 100
    assert len(np.unique(drawn[40:, 20:])) == 1 and drawn[0, 0, 0] < drawn[50, 50, 0] < 100
    assert (drawn[:20, 20:40] == (255, 0, 0)).all()


def test_a_pair_keeps_both_in_one_shape():
    broad, tall = scene(), scene(60, 80, Frame(0, 0, 60, 80, 4, 3))
    assert patch_colours.pair(coloured(broad.frame), broad, Style()).size == (80, 120)
    assert patch_colours.pair(coloured(tall.frame), tall, Style()).size == (120, 80)


def test_the_legend_goes_along_the_first_component():
    frame = Frame(0, 0, 80, 60, 8, 8)
    red = np.linspace(0, 1, 64).reshape(8, 8)
    shown = np.random.default_rng(1).permuted(np.stack([red, 1 - red, np.full((8, 8), 0.5)], -1), axis=0)
    shown[0, 0] = np.nan
    bar = patch_colours.legend(Palette((Coloured(1, frame, shown),), (0.5, 0.2, 0.1)))
    assert bar.lut.shape == (256, 3) and bar.lut.dtype == np.uint8
    assert (np.diff(bar.lut[:, 0].astype(int)) >= 0).all() and bar.lut[-1, 0] > 245 and bar.lut[0, 0] < 12


def test_variance_in_words():
    assert patch_colours.variance(Palette((), (0.5, 0.2, 0.03))) == (
        "The colours show 73\u00a0% of what tells the patches of these pictures apart (their variance): "
        "red 50\u00a0%, green 20\u00a0%, blue 3\u00a0%."
    )


def test_the_printed_figure_has_every_pair_title_and_caption():
    frames = [Frame(0, 0, 800, 600, 3, 4), Frame(0, 0, 600, 800, 4, 3)]
    palette = Palette(tuple(coloured(frame, number) for number, frame in enumerate(frames)), (0.5, 0.2, 0.1))
    shown = [scene(800, 600, frames[0]), scene(600, 800, frames[1])]
    shown[1] = replace(shown[1], picture=shown[1].picture.resize((60, 80)))  # a small original is enlarged
    shown = [Scene(s.picture, s.size, s.frame, name) for s, name in zip(shown, ("Lion", "A" * 60), strict=True)]
    plate = patch_colours.plate(palette, shown, Style(), "Parts: Lion", "Network: tiny, run 1.", 300)
    sizes = {picture.size for _, picture in plate.panels}
    assert sizes == {(300, 300)}  # 200 × 300 and 300 × 200, on white
    assert [picture.getpixel((290, 290)) for _, picture in plate.panels] == [(255, 255, 255)] * 2
    assert [label for label, _ in plate.panels] == ["Lion", "A" * 39 + "…"]
    assert figure.png(plate).startswith(b"\x89PNG")
    assert "Network: tiny, run 1." in " ".join(figure.svg(plate).decode().split())


# ---- the network itself -----------------------------------------------------------------------------------------------


def test_shows_filters_and_positions(live, pane, open_page):
    at = open_page("parts", run=live, image=3, show="network")
    assert not at.exception and not at.main.error
    assert [header.value for header in at.main.header] == ["Patch filters", "Positions"]
    assert "The first 32 of" in texts(at) and "their own grid of 4 × 4" in texts(at)
    (shown,) = pane.given
    assert (shown.rows, shown.cols) == (4, 4) and shown.title == "Row 2, column 2"
    from ingest.vision.anatomy import position_similarity

    expected = position_similarity(load("tiny:dinov2")).cosine[10]
    np.testing.assert_allclose([float(value) for value in shown.values], expected, atol=6e-4)


def test_a_click_and_the_fields_choose_the_place(live, pane, open_page):
    at = open_page("parts", run=live, image=3, show="network", parts_row=1)
    assert pane.given[0].title == "Row 1, column 2" and pane.more["chosen"] == (0.5, 0.25, 0.75, 0.5)
    pane.answer = patches.Patch(0, 3, 0)
    at.run()
    assert not at.exception and pane.given[0].title == "Row 3, column 0"
    assert at.number_input(key="parts_row").value == 3 and at.query_params["parts_row"] in ("3", ["3"])
    choose(at, "parts_col", 1)
    assert pane.given[0].title == "Row 3, column 1"
    before = pane.given[0].values
    choose(at, "parts_similarity", "dot")
    assert pane.given[0].values != before


def test_a_place_outside_the_grid_of_another_network_becomes_the_middle(live, pane, open_page):
    at = open_page("parts", run=live, image=3, show="network", parts_row=30)
    assert not at.exception and pane.given[0].title == "Row 2, column 2"


@pytest.mark.parametrize(
    ("model", "sentences"),
    [
        ("tiny:dinov3", ["no table of learnt positions"]),
        ("tiny:timm-xcit", ["cuts its patches by several layers", "no table of learnt positions"]),
    ],
)
def test_what_a_network_does_not_have_is_a_sentence(db, pane, open_page, model, sentences):
    at = open_page("parts", run=add(db, model), image=3, show="network")
    assert not at.exception and not at.main.error
    assert [sentence in info.value for sentence, info in zip(sentences, at.main.info, strict=True)] == [True] * len(
        sentences
    )
    assert pane.given is None


def test_filters_stand_in_rows_of_sixteen_with_nothing_between():
    filters = np.random.default_rng(2).random((20, 3, 3, 3))
    wall = np.asarray(anatomy.filter_wall(filters, scale=2, gap=1))
    assert wall.shape == (2 * 7 - 1, 16 * 7 - 1, 4)
    assert (wall[:6, 7:13, :3] == np.rint(255 * filters[1]).astype(np.uint8).repeat(2, 0).repeat(2, 1)).all()
    assert (wall[7:, 21:27, :3] == np.rint(255 * filters[19]).astype(np.uint8).repeat(2, 0).repeat(2, 1)).all()
    assert (wall[6] == 0).all() and (wall[7:, 28:] == 0).all() and (wall[:6, :6, 3] == 255).all()


@pytest.mark.parametrize(("rows", "cols"), [(3, 5), (40, 20)])
def test_each_cell_of_the_grid_is_the_map_of_its_place(rows, cols):
    similarity = np.random.default_rng(3).random((rows * cols, rows * cols)).astype(np.float32)
    picture, step = anatomy.grid_of_maps(similarity, rows, cols, 0.0, 1.0)
    assert step == (1 if rows < 16 else 3)
    places = np.arange(rows)[step // 2 :: step], np.arange(cols)[step // 2 :: step]
    times = picture.width // (len(places[1]) * (cols + 1) - 1)
    small = np.asarray(picture)[::times, ::times]
    assert small.shape == (len(places[0]) * (rows + 1) - 1, len(places[1]) * (cols + 1) - 1, 4)
    for at, (i, j) in (((1, 2), (places[0][1], places[1][2])), ((0, 0), (places[0][0], places[1][0]))):
        top, left = at[0] * (rows + 1), at[1] * (cols + 1)
        cell = small[top : top + rows, left : left + cols]
        values = similarity[i * cols + j].reshape(rows, cols)
        expected = colour_table(anatomy.COLOURS)[np.rint(255 * values).astype(np.uint8)]
        assert (cell[..., :3] == expected).all() and (cell[..., 3] == 255).all()


def test_what_a_place_is_to_itself_does_not_stretch_the_scale():
    similarity = np.array([[9.0, 1.0, 2.0], [1.0, 9.0, 3.0], [2.0, 3.0, 9.0]])
    assert anatomy.limits(similarity) == (1.0, 3.0)
    assert anatomy.limits(np.ones((1, 1))) == (0.0, 1.0)


def test_the_wall_of_filters_prints():
    wall = anatomy.filter_wall(np.random.default_rng(4).random((4, 3, 3, 3)))
    plate = anatomy.plate("Patch filters", wall, anatomy.filter_legend(), "Network: tiny.")
    assert plate.panels[0][1].getpixel((12, 0)) == (255, 255, 255)  # between two filters
    assert figure.png(plate).startswith(b"\x89PNG")
