"""Films as collections, and films drawn over with maps: what is planted on their frames is found again."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from ingest import film as drawing
from ingest.notation import parse_step
from ingest.vision.attention import Maps
from ingest.vision.backbones import load
from ingest.vision.colour_maps import colour_table
from ingest.vision.encode import Encoder
from ingest.vision.film import FrameReader, frame_at, scan_film
from ingest.vision.geometry import fit_image
from tests.support import ROOT
from tests.support.commands import TINY
from tests.support.databases import ask
from tests.support.films import cut, grey, number_of, write_film, write_sound
from tests.support.pictures import save_picture

VIT = ("--model", "tiny:vit", "--device", "cpu")


@pytest.fixture
def film(tmp_path) -> Path:
    """Four seconds, ten frames each; the grey level of a frame tells its number."""
    (tmp_path / "films").mkdir()
    return write_film(tmp_path / "films" / "film.mp4", map(grey, range(40)), g="10")


def paths(db):
    return [path for (path,) in ask(db, "SELECT path FROM images ORDER BY path")]


# ---- a film becomes a collection --------------------------------------------------------------------------------------


def test_the_frames_of_a_film_become_images_with_time_codes(film, command):
    result = command("run", film, *TINY, "--every", "0.5s", "--json")
    assert result.code == 0 and "64 × 48 pixels, 00:00:04.000 long, 10 frames a second, 8 of 40" in result.err
    counts = result.counts
    assert (counts["collection"], counts["found"], counts["new"], counts["failed"]) == ("film", 8, 8, 0)
    assert paths(command.db) == [f"film.mp4#t={half / 2:.3f}" for half in range(8)]
    rows = ask(command.db, "SELECT title, film, seconds, timecode FROM catalogue ORDER BY seconds")
    assert rows[5] == ("film 00:00:02.500", "film.mp4", 2.5, "00:00:02.500") and len(rows) == 8
    for at, jpeg in ask(command.db, "SELECT seconds, jpeg FROM thumbnail JOIN catalogue USING (image_id)"):
        assert number_of(Image.open(io.BytesIO(jpeg))) == round(10 * at)
    assert ask(command.db, "SELECT count(DISTINCT sha256), min(width), max(height) FROM images") == [(8, 64, 48)]
    counted = "SELECT (SELECT count(*) FROM features), (SELECT count(*) FROM frames), (SELECT count(*) FROM attention)"
    assert ask(command.db, counted) == [(8, 8, 8 * 9)]


def test_again_and_finer_computes_only_what_is_new(film, command):
    command("run", film, *TINY)
    assert paths(command.db) == [f"film.mp4#t={second}.000" for second in range(4)]
    features = ask(command.db, "SELECT image_id, vector FROM features ORDER BY 1")
    again = command("run", film, *TINY)
    assert "0 new, 4 already there, 0 failed" in again.out and "nothing to do" in again.out
    finer = command("run", film, *TINY, "--every", "250ms", "--json").counts
    assert (finer["new"], finer["already"], finer["run_id"]) == (12, 4, 1)
    assert ask(command.db, "SELECT image_id, vector FROM features ORDER BY 1")[:4] == features
    assert command("run", film, *TINY, "--every", "0", "--json").counts["new"] == 40 - 8  # at 0.25 no frame begins
    for at, jpeg in ask(command.db, "SELECT seconds, jpeg FROM thumbnail JOIN catalogue USING (image_id)"):
        assert number_of(Image.open(io.BytesIO(jpeg))) == int(10 * at + 1e-6)


def test_scan_limit_and_other_steps_for_a_stored_film(film, command):
    assert command("scan", film, "--every", "0", "--limit", "6", "--json").counts["new"] == 6
    assert paths(command.db)[-1] == "film.mp4#t=0.500"
    assert command("scan", film, "--every", "0.2", "--json").counts["new"] == 17
    assert command("embed", "--model", "tiny:dinov2", "--json").counts["new"] == 23
    assert command("explain", "--json").counts["new"] == 23
    features = dict(ask(command.db, "SELECT path, vector FROM images JOIN features USING (image_id)"))
    other = film.parent / "other.duckdb"
    command("run", film, *TINY, "--every", "0.2", "--db", other, db=None)
    for path, vector in ask(other, "SELECT path, vector FROM images JOIN features USING (image_id)"):
        np.testing.assert_allclose(vector, features[path], atol=1e-6)


def test_slides_that_stand_longer_than_a_step_are_counted_as_both(tmp_path, command):
    slides = write_film(tmp_path / "slides.mp4", map(grey, range(2)), fps=1)
    result = command("scan", slides, "--every", "0.5s")
    assert f"2 frames to process, at {len(paths(command.db))} moments" in result.err and len(paths(command.db)) > 2


def test_frames_are_read_in_the_films_order_by_several_workers(film, command, monkeypatch):
    command("run", film, *TINY, "--every", "0.5")
    asked, real = [], FrameReader.at
    monkeypatch.setattr(FrameReader, "at", lambda reader, seconds: asked.append(seconds) or real(reader, seconds))
    command("run", film, *TINY, "--every", "0", "--workers", "4", "--batch-size", "3")
    command("embed", "--model", "tiny:vit", "--workers", "4")  # the database holds the halves of seconds first
    first, second = asked[1:33], asked[34:]
    assert len(first) == 32 and first == sorted(first)
    assert len(second) == 40 and second == sorted(second)


def test_a_changed_film_is_read_again(film, command):
    command("run", film, *TINY)
    write_film(film, (grey(number // 2) for number in range(40)))
    os.utime(film, (1e9, 1e9))
    assert command("run", film, *TINY, "--json").counts["new"] == 4
    ((jpeg,),) = ask(command.db, "SELECT jpeg FROM thumbnail JOIN catalogue USING (image_id) WHERE seconds = 3")
    assert number_of(Image.open(io.BytesIO(jpeg))) == 15


def test_a_film_cut_short_gives_its_frames_and_a_failure(tmp_path, command):
    film = write_film(tmp_path / "film.mp4", map(grey, range(40)), mux={"movflags": "faststart"}, g="10")
    whole = film.read_bytes()
    cut(film, 0.8)
    counts = command("run", film, *TINY, "--every", "0.1", "--json").counts
    assert 10 < counts["new"] < 40 and counts["failed"] >= 1
    failures = dict(ask(command.db, "SELECT path, error FROM failures"))
    assert "cut short" in failures.pop("film.mp4") and len(failures) == counts["failed"] - 1
    assert counts["new"] + len(failures) == len(scan_film(film).times)
    again = command("run", film, *TINY, "--every", "0.1", "--json").counts
    assert (again["new"], again["already"], again["failed"]) == (0, counts["new"], counts["failed"])
    film.write_bytes(whole)
    assert command("run", film, *TINY, "--every", "0.1", "--json").counts["failed"] == 0
    assert ask(command.db, "SELECT count(*) FROM failures") == [(0,)] and len(paths(command.db)) == 40


def test_a_stored_film_that_is_gone_is_a_failure_of_each_frame(film, command):
    command("scan", film)
    film.unlink()
    result = command("embed", "--model", "tiny:dinov2")
    assert result.code == 1 and "4 failed" in result.out
    assert ask(command.db, "SELECT DISTINCT error FROM failures") == [("There is no such file.",)]


def test_several_films_and_pictures_of_a_folder_in_one_collection(film, command):
    second = write_film(film.parent / "a second film.mkv", map(grey, range(20)))
    save_picture(film.parent / "still#t=1.000.png", 5)
    for source in (film, second):
        assert command("run", source, *TINY, "--collection", "all", "--every", "1", "--json").code == 0
    result = command("run", film.parent, *TINY, "--collection", "all")
    assert "1 new" in result.out and "2 other files left out" in result.out
    assert "film.mp4: a film (.mp4): give the film itself as the source" in result.err
    assert len(paths(command.db)) == 4 + 2 + 1
    assert command("embed", "--model", "tiny:vit", "--json").counts["new"] == 7


def test_the_same_name_from_another_folder(film, command, tmp_path):
    command("run", film, *TINY)
    (tmp_path / "moved").mkdir()
    moved = Path(shutil.copy2(film, tmp_path / "moved"))
    result = command("run", moved, *TINY)
    assert result.code == 2 and "give this film a name of its own with --collection NAME" in result.err
    film.unlink()
    assert command("run", moved, *TINY, "--json").counts["new"] == 0


def test_a_table_can_describe_the_film(film, command):
    table = film.parent / "films.csv"
    table.write_text("file,director,year\nfilm.mp4,Ella Bergmann-Michel,1932\n")
    command("run", film, *TINY)
    assert command("run", film, *TINY, "--metadata", table, "--json").counts["new"] == 0
    assert ask(command.db, "SELECT DISTINCT director, year FROM catalogue") == [("Ella Bergmann-Michel", 1932)]
    assert ask(command.db, "SELECT count(DISTINCT timecode) FROM catalogue") == [(4,)]


def test_the_page_shows_the_frame_and_not_its_thumbnail(film):
    from ingest.vision.originals import original

    assert number_of(original(film.parent, "film.mp4#t=2.300")) == 23
    # A picture that only happens to be called like a frame
    save_picture(film.parent / "picture.png", 5, (30, 20))
    (film.parent / "picture.png").rename(film.parent / "film.mp4#t=2.000")
    assert original(film.parent, "film.mp4#t=2.000").size == (30, 20)


@pytest.mark.parametrize(
    "text, seconds",
    [("0.5s", 0.5), ("2", 2), ("500ms", 0.5), ("1:00", 60), ("0:01:02.5", 62.5), ("1.5 min", 90), ("0", 0), ("0,5", 0.5), (".25", 0.25), ("1h", 3600)],
)  # fmt: skip
def test_steps_as_people_write_them(text, seconds):
    assert parse_step(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "banana", "-1", "1:2:3:4", "0.5 frames", "0.0001", "1:", "nan", "s"])
def test_steps_that_are_none(text):
    with pytest.raises(ValueError):
        parse_step(text)


# ---- a film is drawn over ---------------------------------------------------------------------------------------------


def bright_cells(backbone, pixels, method, frame, size):
    """In place of a network: a map whose weights are the mean brightness of the patches, the same for two heads."""
    count, rows = len(pixels), frame.rows
    means = pixels.mean(axis=3).reshape(count, rows, -1, rows, pixels.shape[2] // rows).mean(axis=(2, 4))
    weights = torch.from_numpy(means.reshape(count, 1, -1)).float() / 1000
    return Maps(method, (0, 0), (0, 1), weights.repeat(1, 2, 1))


def square_film(path: Path, levels: list[int]) -> tuple[Path, list[int]]:
    """A bright square that moves to the right along the second row of patches: 128 × 64 pixels, of which tiny:vit sees
    the square from (36, 4) to (92, 60) in patches of 14; the level of the square on each frame."""
    places = [36 + 14 * (number % 4) for number in range(len(levels))]
    frames = []
    for place, level in zip(places, levels, strict=True):
        pixels = np.zeros((64, 128, 3), np.uint8)
        pixels[18:32, place : place + 14] = level
        frames.append(pixels)
    return write_film(path, frames, qp="0"), places


def pictures_of(file: Path) -> list[np.ndarray]:
    """The frames of a film as int (height, width, 3)."""
    with av.open(str(file)) as container:
        return [np.asarray(frame.to_image(), int) for frame in container.decode(video=0)]


GREY = ("--view", "map", "--colours", "greys", "--sharp")


def test_a_moving_square_is_found_where_it_is(tmp_path, command, monkeypatch):
    monkeypatch.setattr(drawing, "_observe", bright_cells)
    film, places = square_film(tmp_path / "film.mp4", [250] * 12)
    out = tmp_path / "out.mp4"
    counts = command("film", film, *VIT, "--out", out, *GREY, "--json").counts
    assert (counts["frames"], counts["fps"], counts["damaged"], counts["layer"]) == (12, 10, 0, 0)
    assert (counts["width"], counts["height"]) == (128, 64)
    found = pictures_of(out)
    assert len(found) == 12
    for picture, place in zip(found, places, strict=True):
        ys, xs = np.nonzero(picture.mean(axis=2) > 128)
        assert (ys.min(), ys.max(), xs.min(), xs.max()) == pytest.approx((18, 31, place, place + 13), abs=1)
        rim = np.concatenate([picture[:, :34], picture[:, 94:]], axis=1)
        assert rim.max() < 50 and rim.min() > 5  # the plain ground: the network has not seen it


@pytest.mark.parametrize("scale, share", [("shared", 0.4), ("absolute", 0.4), ("map", 1.0)])
def test_one_scale_for_the_whole_film(tmp_path, command, monkeypatch, scale, share):
    """In the second half the square is weaker: it stays so, unless each frame is asked to have its own scale."""
    monkeypatch.setattr(drawing, "_observe", bright_cells)
    film, places = square_film(tmp_path / "film.mp4", [250] * 6 + [100] * 6)
    result = command("film", film, *VIT, "--out", tmp_path / "out.mp4", *GREY, "--scale", scale, "--json")
    peaks = np.array(
        [
            picture[25, place + 7].mean()
            for picture, place in zip(pictures_of(tmp_path / "out.mp4"), places, strict=True)
        ]
    )
    assert np.ptp(peaks[:6]) < 6 and np.ptp(peaks[6:]) < 6
    assert peaks[6:].mean() / peaks[:6].mean() == pytest.approx(share, abs=0.06)
    limits = {"shared": pytest.approx([0, 0.25], abs=0.01), "absolute": [0, 8], "map": None}[scale]
    assert result.counts["limits"] == limits
    if scale != "absolute":
        assert peaks[:6].min() > 245


def test_a_film_of_a_network_is_what_its_maps_say(tmp_path, command):
    """Limits, head, layer and place, computed here directly from the network."""
    from ingest.vision.overlay import overlay

    frames = [
        np.random.default_rng(number).integers(0, 256, (5, 9, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        for number in range(5)
    ]
    film = write_film(tmp_path / "film.mp4", frames, qp="0")
    out = tmp_path / "out.mp4"
    words = ("film", film, *VIT, "--layer", "1", "--head", "1", "--batch-size", "2", "--out", out, "--opacity", "1")
    result = command(*words, "--json")
    backbone = load("tiny:vit")
    fitted = [fit_image(frame_at(film, number / 10), backbone.rule) for number in range(5)]
    batch = torch.from_numpy(np.stack([pixels for pixels, _ in fitted]))
    maps = drawing._observe(drawing.FilmModel(backbone), batch.numpy(), "cls", fitted[0][1], (144, 80))
    which = [at for at in range(len(maps.layers)) if (maps.layers[at], maps.heads[at]) == (1, 1)]
    weights = maps.weights[:, which].numpy().reshape(5, 4, 4)
    low, high = float(weights.min()), float(weights.max())
    assert result.counts["limits"] == pytest.approx([low, high], rel=1e-5)
    assert f"one scale for the film, {low:.3g} to {high:.3g}" in command(*words).out
    lut = colour_table("inferno")
    for number, picture in enumerate(pictures_of(out)):
        values = (weights[number] - low) / (high - low)
        expected = overlay(frame_at(film, number / 10), values, fitted[0][1], (144, 80), lut, 1.0, dim=drawing.DIM)
        assert np.abs(picture - np.asarray(expected, int)).mean() < 3
    with av.open(str(out)) as container:
        assert "cls · layer 1 · head 1" in container.metadata["comment"]


@pytest.mark.parametrize(("fit", "grid"), [("crop", "4 rows × 4 columns"), ("aspect", "3 rows × 4 columns")])
def test_a_film_tells_how_the_network_saw_it(film, command, fit, grid):
    result = command(
        "film", film, "--model", "tiny:dinov2", "--fit", fit, "--every", "2s", "--out", film.parent / "o.mp4"
    )
    assert result.code == 0 and f"fit {fit}, {grid} of patches" in result.out


@pytest.mark.parametrize("head, joined", [("mean", "mean"), ("max", "amax"), ("0", None)])
def test_heads_are_joined_as_asked(tmp_path, command, monkeypatch, head, joined):
    heads = torch.tensor([[[0.1, 0.4], [0.2, 0.0]]]).repeat_interleave(8, dim=2)  # (1 frame, 2 heads, 16 patches)
    monkeypatch.setattr(drawing, "_observe", lambda backbone, pixels, method, *_: Maps(method, (5, 5), (0, 1), heads))
    film = write_film(tmp_path / "film.mp4", [grey(3)])
    counts = command("film", film, *VIT, "--head", head, "--out", tmp_path / "out.mp4", "--json").counts
    expected = heads[0, 0] if joined is None else getattr(torch, joined)(heads[0], dim=0)
    assert counts["limits"] == pytest.approx([float(expected.min()), float(expected.max())]) and counts["layer"] == 5


def test_evidence_for_a_class_and_for_neighbours_in_a_run(film, folder, command, tmp_path):
    out, classifier = tmp_path / "out.mp4", ("--model", "tiny:timm-classifier")
    words = ("film", film, *classifier, "--method", "daam", "--out", out)
    result = command(*words, "--target", "class:3", "--layer", "1", "--json")
    assert result.code == 0 and result.counts["target"] == "class:3" and result.counts["limits"][1] > 0
    assert "daam of class:3 · accumulated to block 1" in command(*words, "--target", "class:3", "--layer", "1").out
    assert command("run", folder, *classifier, "--project", "none").code == 0
    assert command(*words, "--target", "neighbours:3", "--json").counts["target"] == "neighbours:3"
    refused = command(*words, "--target", "neighbours:3", "--run", "4")
    assert refused.code == 2 and "no run 4" in refused.err
    assert "no uniform share" in command(*words, "--target", "class:3", "--scale", "absolute").err


def test_words_are_found_by_the_films_own_network_whatever_the_database_holds(film, command, tmp_path):
    words = (
        "film",
        film,
        "--method",
        "daam",
        "--out",
        tmp_path / "out.mp4",
        "--target",
        "words:a boat",
        "--every",
        "2s",
    )
    result = command(*words, "--model", "tiny:siglip", "--json")
    assert result.code == 0 and result.counts["target"] == "words:a boat" and result.counts["limits"][1] > 0
    refused = command(*words, "--model", "tiny:vit")
    assert refused.code == 2 and refused.err.count("Error:") == 1 and "lie in no space with texts" in refused.err


@pytest.mark.parametrize(
    ("words", "blocks", "says"),
    [
        ((), [0, 1, 2], "accumulated to block 2"),
        (("--layer", "1"), [0, 1], "accumulated to block 1"),
        (("--layer", "1", "--alone"), [1], "block 1 alone"),
        (("--alone",), [2], "block 2 alone"),
    ],
)
def test_daam_accumulates_and_one_block_is_drawn_on_request(tmp_path, command, words, blocks, says):
    """Against the maps of the network itself, added up here."""
    from ingest.vision.targets import make_target

    frames = [np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8) for number in range(3)]
    film, model = write_film(tmp_path / "film.mp4", frames, qp="0"), "tiny:timm-classifier"
    target = ("--model", model, "--device", "cpu", "--method", "daam", "--target", "class:3", "--fit", "crop")
    result = command("film", film, *target, *words, "--out", tmp_path / "out.mp4", "--json")
    backbone = load(model)
    fitted = [fit_image(frame_at(film, number / 10), backbone.rule) for number in range(3)]
    film_model = drawing.FilmModel(backbone, target=make_target("class:3", backbone))
    maps = drawing._observe(film_model, np.stack([pixels for pixels, _ in fitted]), "daam", fitted[0][1], (64, 64))
    sums = maps.weights[:, blocks].double().sum(dim=1)
    assert result.counts["limits"] == pytest.approx([float(sums.min()), float(sums.max())], rel=1e-5)
    assert (result.counts["accumulated"], result.counts["layer"]) == ("--alone" not in words, blocks[-1])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert f"daam of class:3 · {says} · heads joined" in container.metadata["comment"]


def test_each_frame_as_a_picture_of_its_own(film, command, tmp_path, monkeypatch):
    """Without loss; a second time nothing is done; what is missing is added; what is there is never overwritten."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "single"
    words = ("film", film, *VIT, "--every", "0.5", "--frames", folder, "--json")
    counts = command(*words).counts
    names = [f"frame-{number:06d}.png" for number in range(1, 9)]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert (counts["pictures"], counts["already"], counts["frames"], counts["file"]) == (8, 0, 8, None)
    assert not list(tmp_path.glob("*.mp4"))
    with Image.open(folder / names[0]) as picture:
        assert picture.size == (64, 48) and "cls · layer 2 · mean of 2 heads" in picture.info["Description"]
    before = {name: (folder / name).read_bytes() for name in names}
    (folder / names[2]).unlink()
    both = command(*words[:-1], "--out", tmp_path / "film-cls.mp4")
    assert both.code == 0 and "film-cls.mp4; " in both.out and "1 PNG, 7 were there already" in both.out
    assert {name: (folder / name).read_bytes() for name in names} == before
    assert len(pictures_of(tmp_path / "film-cls.mp4")) == 8
    for other in (("--colours", "greys"), ("--layer", "0"), ("--every", "1"), ("--side", "32"), ("--fit", "stretch")):
        refused = command(*words, *other)
        assert refused.code == 2 and "holds frames of something else" in refused.err
    (folder / "frame-000099.png").write_text("mine")
    assert "frame-000099.png is of another film" in command(*words).err
    (folder / "frame-000099.png").rename(folder / "mine.png")
    assert command(*words).code == 0 and (folder / "mine.png").read_text() == "mine"
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_frames_that_could_not_be_finished_are_good_and_the_rest_is_added(film, command, tmp_path, monkeypatch):
    from ingest.frame_folder import FrameFolder

    folder, real = tmp_path / "single", FrameFolder.write

    def stops_at_the_fourth(self, number, picture):
        if self.written == 3:
            raise KeyboardInterrupt
        real(self, number, picture)

    monkeypatch.setattr(FrameFolder, "write", stops_at_the_fourth)
    words = ("film", film, *VIT, "--every", "0.5", "--frames", folder)
    stopped = command(*words)
    assert stopped.code == 1 and "the same command adds the others" in stopped.err and "Error" not in stopped.err
    assert len(list(folder.iterdir())) == 3
    monkeypatch.setattr(FrameFolder, "write", real)
    assert "5 PNGs, 3 were there already" in command(*words).out


def test_rollout_and_a_network_without_cls(film, command, tmp_path):
    out = tmp_path / "out.mp4"
    result = command("film", film, *VIT, "--method", "rollout", "--every", "1", "--out", out)
    assert result.code == 0 and "rollout · layer 2 · heads joined" in result.out
    result = command("film", film, "--model", "tiny:siglip", "--every", "1", "--out", out)
    assert "has no CLS token" in result.err and "received · layer 2 · mean of 2 heads" in result.out


def test_the_views(film, command, tmp_path):
    sizes = {"overlay": (64, 48), "side": (128, 48), "map": (64, 48), "original": (64, 48)}
    for view, size in sizes.items():
        counts = command("film", film, *VIT, "--view", view, "--out", tmp_path / f"{view}.mp4", "--json").counts
        assert (counts["width"], counts["height"], counts["frames"]) == (*size, 40)
    originals, sides = pictures_of(tmp_path / "original.mp4"), pictures_of(tmp_path / "side.mp4")
    for number in range(40):
        assert number_of(originals[number]) == number == number_of(sides[number][:, :60])
    assert np.abs(sides[20][:, 66:] - originals[20][:, 2:]).max() > 20


def test_odd_sides_a_longest_side_and_a_pace(tmp_path, command):
    film = write_film(tmp_path / "film.mkv", [grey(number, (130, 98)) for number in range(20)], 29.97)
    out = tmp_path / "out.mp4"
    counts = command("film", film, *VIT, "--side", "65", "--out", out, "--json").counts
    assert (counts["width"], counts["height"]) == (65, 49) and pictures_of(out)[0].shape == (50, 66, 3)
    with av.open(str(out)) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(29.97, abs=0.02)
    # Padding reaches the network, but not the film.
    counts = command("film", film, *VIT, "--fit", "pad", "--every", "0.2", "--out", out, "--json").counts
    assert (counts["frames"], counts["fps"], counts["width"]) == (4, 5, 130)


def test_a_film_as_gif_under_the_name_that_is_offered(film, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("film", film, *VIT, "--every", "0.5", "--out", "out.gif").code == 0
    gif = Image.open(tmp_path / "out.gif")
    assert (gif.n_frames, gif.info["loop"], gif.info["duration"], gif.size) == (8, 0, 500, (64, 48))
    assert "film-cls.mp4" in command("film", film, *VIT, "--every", "1").out
    assert len(pictures_of(tmp_path / "film-cls.mp4")) == 4
    command("film", film, *VIT, "--every", "2", "--out", "film-cls.mp4")  # written over
    assert len(pictures_of(tmp_path / "film-cls.mp4")) == 2


def test_a_film_cut_short_is_drawn_as_far_as_it_goes(tmp_path, command):
    film = write_film(tmp_path / "film.mp4", map(grey, range(40)), mux={"movflags": "faststart"}, g="10")
    whole = len(scan_film(cut(film, 0.8)).times)
    result = command("film", film, *VIT, "--out", tmp_path / "out.mp4", "--json")
    assert result.code == 0 and "cut short" in result.err
    assert result.counts["frames"] + result.counts["damaged"] == whole < 40 and result.counts["damaged"] < 4


@pytest.mark.parametrize(
    "words, code, says",
    [
        (("{film}", "--method", "clss"), 2, "no attention method 'clss'"),
        (("{film}", "--method", "daam"), 2, "explains a target"),
        (("{film}", "--method", "daam", "--target", "class:1"), 2, "has no classifier"),
        (("{film}", "--method", "daam", "--target", "neighbours:3"), 1, "There is no database"),
        (("{film}", "--target", "words:a boat"), 2, "cls explains no target: leave --target out"),
        (("{film}", "--method", "rollout(fusion=sum)"), 2, "mean, max, min"),
        (("{film}", "--layer", "3"), 2, "there is no layer 3: cls has maps of the layers 0 to 2"),
        (("{film}", "--head", "2"), 2, "there is no head 2: layer 2 has the heads 0 to 1"),
        (("{film}", "--head", "median"), 2, "mean, max or the number"),
        (("{film}", "--head", "-1"), 2, "mean, max or the number"),
        (("{film}", "--method", "rollout", "--head", "1"), 2, "has joined its heads"),
        (("{film}", "--every", "often"), 2, "no length of time"),
        (("{film}", "--size", "57"), 2, "56 would be"),
        (("{film}", "--device", "cuda:7"), 2, "this machine has"),
        (("{film}", "--model", "dinov2-smal"), 2, "perhaps dinov2-small"),
        (("{film}", "--out", "{folder}/out.avi"), 2, "should end in .mp4 or .gif"),
        (("{film}", "--out", "{folder}/no/out.mp4"), 2, "there is no folder"),
        (("{film}", "--out", "{film}"), 2, "is the film itself"),
        (("{film}", "--frames", "{film}"), 2, "is a file; --frames names a folder"),
        (("{film}", "--frames", "{folder}/no/frames"), 2, "there is no folder"),
        (("{folder}/nowhere.mp4",), 2, "does not exist"),
        (("{folder}/sound.mp4",), 1, "only sound"),
        (("{folder}/empty.mp4",), 1, "empty"),
        (("{folder}/text.mp4",), 1, "not a film"),
        (("{folder}/index.mp4",), 1, "index of its frames is missing"),
    ],
)  # fmt: skip
def test_on_wrong_input_nothing_is_written(words, code, says, film, command, tmp_path, monkeypatch):
    folder = film.parent
    write_sound(folder / "sound.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("I am no film " * 900)
    cut(write_film(folder / "index.mp4", map(grey, range(20))), 0.5)
    monkeypatch.chdir(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    result = command("film", *VIT, *(word.format(film=film, folder=folder) for word in words))
    assert result.code == code and says in result.err
    assert "Traceback" not in result.err and result.out == ""
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["sound", "empty", "text", "index"])
def test_run_on_what_is_no_film(name, tmp_path, command):
    write_sound(tmp_path / "sound.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("I am no film " * 900)
    cut(write_film(tmp_path / "index.mp4", map(grey, range(20))), 0.5)
    result = command("run", tmp_path / f"{name}.mp4", *TINY)
    assert result.code == 1 and "Traceback" not in result.err and not command.db.exists()


def test_every_is_for_films_alone(folder, command):
    result = command("run", folder, *TINY, "--every", "2")
    assert result.code == 2 and "is not a film" in result.err


@pytest.mark.parametrize("error, code", [(OSError(28, "No space left on device"), 1), (KeyboardInterrupt(), 1)])
def test_a_film_that_could_not_be_finished_leaves_the_old_one(film, command, tmp_path, monkeypatch, error, code):
    out = tmp_path / "out" / "out.mp4"
    out.parent.mkdir()
    out.write_bytes(b"an older film")
    written, real = [], Encoder.write

    def fails_at_the_fourth(encoder, *picture):
        written.append(1)
        if len(written) == 4:
            raise error
        real(encoder, *picture)

    monkeypatch.setattr(Encoder, "write", fails_at_the_fourth)
    result = command("film", film, *VIT, "--out", out)
    assert result.code == code and ("No space left" in result.err or "no film was written" in result.err)
    assert [file.name for file in out.parent.iterdir()] == ["out.mp4"] and out.read_bytes() == b"an older film"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_film(tmp_path):
    pattern = np.random.default_rng(0).integers(0, 256, (15, 20, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    peaks = {}
    for seconds in (10, 60):
        frames = (np.roll(pattern, number, axis=1) for number in range(25 * seconds))
        film = write_film(tmp_path / f"{seconds}.mp4", frames, 25, preset="ultrafast")
        peaks[seconds] = peak_of("film", film, *VIT, "--out", tmp_path / "out.mp4", "--db", tmp_path / "no.duckdb")
        assert len(scan_film(tmp_path / "out.mp4").times) == 25 * seconds
    print(f"peak memory: {peaks[10]:.0f} MB for 10 s, {peaks[60]:.0f} MB for 60 s")
    assert peaks[60] <= 1.3 * peaks[10]
    # Most of it is torch: beside that, not even a fifth of the further frames would have found room.
    assert peaks[60] - peaks[10] < 25 * 50 * pattern.nbytes / 2**20 / 5


def peak_of(*words) -> float:
    """The greatest resident memory of `python -m ingest ...` in MB."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen([sys.executable, "-m", "ingest", *map(str, words)], cwd=ROOT, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
