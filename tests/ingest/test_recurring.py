"""`recurring`: details that were copied from picture to picture are found, and a search that was killed goes on."""

import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from ingest.details.budget import Budget, parse_budget
from ingest.vision.details import measuring
from ingest.vision.details.crops import overlap
from ingest.vision.details.recurring import boxes
from store import recurring
from store.connection import reading, writing
from store.errors import StoreError
from store.write import delete_images
from tests.support import ROOT, commands
from tests.support.databases import ask
from tests.vision.test_details import textured

HERE, THERE = (60, 40, 160, 130), (100, 50, 220, 158)  # a piece of the first picture, and where the second has it
GROUPS = "SELECT * FROM recurring_details ORDER BY ALL"
BOXES = 24  # of a picture: fewer than there are, which would take longer
# The command in a process of its own, which stores each picture by itself, and after the second waits to be killed.
PICTURE_BY_PICTURE = f"""
import sys, time
from ingest.details import recurring
from ingest.vision.details.recurring import boxes
from ingest.cli import main
boxes.MOST, recurring.CHUNK_SECONDS = {BOXES}, 0
commit, stored = recurring._commit, []
def commit_twice(*args):
    commit(*args)
    stored.append(args)
    if len(stored) == 2:
        time.sleep(3600)
recurring._commit = commit_twice
main(["recurring", "--db", sys.argv[1]])
"""
LINKS = "SELECT * EXCLUDE (link_id) FROM recurring_links ORDER BY ALL"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Five pictures with patches: a piece of the first in the second, the fourth once more as the fifth, smaller."""
    folder = tmp_path_factory.mktemp("recurring")
    scans = folder / "scans"
    scans.mkdir()
    pictures = [textured(260, 200, 120 + number) for number in range(4)]
    pictures[1].paste(pictures[0].crop(HERE).resize((120, 108), Image.Resampling.BICUBIC), THERE[:2])
    pictures.append(pictures[3].resize((221, 170), Image.Resampling.BICUBIC))
    for number, picture in enumerate(pictures):
        picture.save(scans / f"p{number}.png")
    (scans / "metadata.csv").write_text("file,year\n" + "\n".join(f"p{n}.png,{1500 + n}" for n in range(5)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "CROPS", 4)
        patch.setattr(measuring, "SIDES", (8,))
        result = commands.run("run", scans, *commands.TINY, "--methods", "none", "--patches", db=folder / "a.duckdb")
    assert result.code == 0, result.err
    return folder / "a.duckdb"


@pytest.fixture(autouse=True, scope="module")
def few_boxes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boxes, "MOST", BOXES)
        yield


@pytest.fixture(scope="module")
def whole(made):
    """The database after a search of everything, and what the command said."""
    db = made.with_name("whole.duckdb")
    shutil.copy(made, db)
    return db, commands.run("recurring", db=db)


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copy(made, tmp_path / "copy.duckdb")


def test_copied_pieces_and_pictures_are_groups(whole):
    db, result = whole
    assert result.code == 0, result.err
    assert "5 of 5 pictures" in result.out and "1 group of recurring details, 1 of pictures" in result.out
    rows = ask(db, "SELECT kind, image_id, x0, y0, x1, y1, stage, matches, mirrored, pictures FROM recurring_details")
    detail = {row[1]: row for row in rows if row[0] == "detail"}
    assert detail.keys() == {1, 2} and {row[6] for row in rows} == {"key points"} and {row[9] for row in rows} == {2}
    assert overlap(detail[1][2:6], HERE) > 0.6 and overlap(detail[2][2:6], THERE) > 0.6 and detail[1][7] >= 8
    assert {row[1] for row in rows if row[0] == "same picture"} == {4, 5}
    assert ask(db, "SELECT count(*) FROM recurring_links WHERE NOT same_picture AND image_id < other_id") == [(1,)]
    ((pictures, searched, condition),) = ask(db, "SELECT pictures, boxes, condition FROM recurring_searches")
    assert (pictures, condition) == (5, "") and f"searched {searched:,} of {searched:,} boxes" in result.out


def test_a_budget_is_told_and_the_next_call_goes_on(copy, whole):
    first = commands.run("recurring", "--budget", "2 pictures", "--json", db=copy)
    assert "the budget of 2 pictures covers" in first.err and "boxes in 2 pictures" in first.err
    assert (first.counts["pictures_searched"], first.counts["pictures"], first.counts["new"]) == (2, 5, 2)
    assert 0 < first.counts["boxes_searched"] < first.counts["boxes"]
    second = commands.run("recurring", "--budget", "1 box", "--json", db=copy)
    assert "those of 2 pictures are searched already" in second.err and second.counts["new"] == 1
    third = commands.run("recurring", "--budget", "5 min", db=copy)
    assert "covers about" in third.err and "5 of 5 pictures" in third.out
    assert ask(copy, GROUPS) == ask(whole[0], GROUPS) and ask(copy, LINKS) == ask(whole[0], LINKS)
    again = commands.run("recurring", "--json", db=copy)
    assert "nothing is left; another --seed searches for other boxes" in again.err and again.counts["new"] == 0
    assert ask(copy, GROUPS) == ask(whole[0], GROUPS)
    other = commands.run("recurring", "--seed", "3", "--budget", "1 picture", "--json", db=copy).counts
    assert (other["seed"], other["pictures_searched"]) == (3, 1) and other["groups"] >= 1


def test_a_killed_search_goes_on_and_finds_the_same(copy, whole):
    """Killed when some pictures are stored and others are not."""
    process = subprocess.Popen([sys.executable, "-c", PICTURE_BY_PICTURE, copy], cwd=ROOT, stderr=subprocess.DEVNULL)
    while process.poll() is None and searched(copy) < 2:
        time.sleep(0.25)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and searched(copy) == 2
    result = commands.run("recurring", "--json", db=copy)
    assert result.code == 0 and result.counts["new"] == 3
    assert ask(copy, GROUPS) == ask(whole[0], GROUPS) and ask(copy, LINKS) == ask(whole[0], LINKS)


def searched(db) -> int:
    """How many pictures are stored as searched; 0 while another process has the file."""
    try:
        with reading(db) as con:
            return sum(each["pictures"] for each in recurring.searches(con, 1))
    except StoreError:
        return 0


def test_a_condition_leaves_only_some_pictures(copy):
    found = commands.run("recurring", "--where", "year >= 1502", "--json", db=copy).counts
    assert (found["pictures"], found["groups"], found["same_pictures"]) == (3, 0, 1)
    assert ask(copy, "SELECT condition FROM recurring_searches") == [("year >= 1502",)]
    one = commands.run("recurring", "--where", "year = 1502", db=copy)
    assert one.code == 2 and "two or more pictures are needed" in one.err and "holds for 1 picture of them" in one.err


def test_pictures_that_are_gone_leave_no_group_behind(whole, tmp_path):
    db = shutil.copy(whole[0], tmp_path / "gone.duckdb")
    with writing(db) as con:
        delete_images(con, [2])
    assert ask(db, "SELECT DISTINCT kind FROM recurring_details") == [("same picture",)]
    assert ask(db, "SELECT count(*) FROM recurring_links WHERE 2 IN (image_id, other_id)") == [(0,)]
    assert commands.run("recurring", "--json", db=db).counts["groups"] == 0
    ends = "SELECT count(*) FROM recurring_end GROUP BY link_id"
    assert set(ask(db, ends)) == {(2,)} and ask(db, "SELECT count(*) FROM recurring_link") == [(len(ask(db, ends)),)]


def test_a_picture_without_texture_or_original_stops_nothing(made, tmp_path, monkeypatch):
    scans = tmp_path / "scans"
    shutil.copytree(made.parent / "scans", scans)
    Image.new("RGB", (200, 200), (200, 190, 180)).save(scans / "p9.png")
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "CROPS", 4)
        patch.setattr(measuring, "SIDES", (8,))
        db = tmp_path / "a.duckdb"
        assert commands.run("run", scans, *commands.TINY, "--methods", "none", "--patches", db=db).code == 0
    (scans / "p2.png").unlink()
    result = commands.run("recurring", "--json", db=db)
    assert result.code == 0 and result.counts["pictures_searched"] == 6 and result.counts["boxes_plain"] >= 20
    assert "the original is not at hand: their thumbnails took its place (such as p2.png)" in result.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--budget", "soon"), "minutes, boxes or pictures are expected"),
        (("--budget", "0 pictures"), "minutes, boxes or pictures are expected"),
        (("--run", "7"), "there is no run 7"),
        (("--seed", "-1"), "is not in the range"),
        (("--where", "no such thing"), "--where 'no such thing' cannot be asked"),
    ],
)
def test_wrong_input_gets_a_sentence(made, words, sentence):
    result = commands.run("recurring", *words, db=made)
    assert result.code == 2 and sentence in result.err and "Traceback" not in result.err


def test_a_run_without_patches_says_what_to_type(made, tmp_path):
    db = tmp_path / "plain.duckdb"
    assert commands.run("run", made.parent / "scans", *commands.TINY, "--methods", "none", db=db).code == 0
    result = commands.run("recurring", db=db)
    assert result.code == 2 and "python -m ingest details --run 1" in result.err


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("20 minutes", Budget(20, "minutes")),
        ("0.5m", Budget(0.5, "minutes")),
        ("15", Budget(15, "minutes")),
        ("500 Boxes", Budget(500, "boxes")),
        ("1 picture", Budget(1, "pictures")),
        ("0", None),
        ("-3 boxes", None),
        ("3 cows", None),
        ("", None),
    ],
)
def test_budgets_as_people_write_them(text, budget):
    assert parse_budget(text) == budget
