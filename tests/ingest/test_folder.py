"""What a folder holds: pictures in natural order, everything else with a reason, whatever its names and links."""

import os
import random
import re

import pytest

from ingest.errors import SourceError
from ingest.files import find
from ingest.vision.paths import natural_key, printable, raw_name

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"


def fill(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def names(found):
    return [file.name for file in found.files]


def test_pictures_of_all_folders_in_natural_order(tmp_path):
    wanted = ["a/plate 2.jpg", "a/plate 10.jpg", "A2/x.TIF", "b.png", "B2.Jpeg", "b10/1/deep.webp", "z.jpg"]
    fill(tmp_path, dict.fromkeys(wanted, JPEG))
    found = find(tmp_path)
    assert names(found) == wanted
    assert found.skipped == []
    assert [str(file.path) for file in found.files] == [str(tmp_path / name) for name in wanted]


def test_length_and_time_come_along(tmp_path):
    fill(tmp_path, {"a.jpg": b"12345"})
    os.utime(tmp_path / "a.jpg", (1_000, 2_000.5))
    (file,) = find(tmp_path).files
    assert (file.bytes, file.modified) == (5, 2_000.5)


def test_hidden_files_and_system_folders_do_not_count(tmp_path):
    fill(
        tmp_path,
        dict.fromkeys(
            [".hidden.jpg", "._a.jpg", ".git/x.jpg", "b/.c/d.jpg", "__MACOSX/a.jpg", "@eaDir/a.jpg", "a.jpg"], JPEG
        ),
    )
    found = find(tmp_path)
    assert names(found) == ["a.jpg"] and found.skipped == []


def test_a_hidden_folder_that_was_asked_for_counts(tmp_path):
    fill(tmp_path, {".cache/a.jpg": JPEG})
    assert names(find(tmp_path / ".cache")) == ["a.jpg"]


def test_other_files_are_skipped_with_a_reason(tmp_path):
    others = ["metadata.csv", "notes.TXT", "atlas.duckdb", "book.docx", "page.xml", "scan.nef", "film.mp4"]
    fill(tmp_path, dict.fromkeys(others, b"\xff\xd8\xff") | {"a.jpg": JPEG})
    found = find(tmp_path)
    assert names(found) == ["a.jpg"]
    assert sorted(name for name, _ in found.skipped) == sorted(others)
    reasons = dict(found.skipped)
    assert reasons["notes.TXT"] == "not a picture (.txt)"
    assert "raw file (.nef): export" in reasons["scan.nef"]


def test_unknown_suffixes_are_told_by_their_first_bytes(tmp_path):
    fill(
        tmp_path,
        {
            "0001": JPEG,
            "scan.v2": b"\x89PNG\r\n\x1a\n",
            "plate.orig": b"II*\0",
            "README": b"some words",
            "part.xyz": b"BM is how this text begins",
            "empty": b"",
            "saved": b"<!DOCTYPE html>",
        },
    )
    found = find(tmp_path)
    assert names(found) == ["0001", "plate.orig", "scan.v2"]
    assert [name for name, _ in found.skipped] == ["empty", "part.xyz", "README", "saved"]
    assert "web page" in dict(found.skipped)["saved"]


def test_a_broken_file_with_a_pictures_suffix_is_kept_for_its_failure(tmp_path):
    fill(tmp_path, {"broken.jpg": b"no picture", "phone.heic": b"", "empty.png": b""})
    (tmp_path / "link.tif").symlink_to("nowhere.tif")
    (tmp_path / "loop.gif").symlink_to("loop.gif")
    os.mkfifo(tmp_path / "pipe.bmp")
    found = find(tmp_path)
    assert names(found) == ["broken.jpg", "empty.png", "link.tif", "loop.gif", "phone.heic", "pipe.bmp"]
    assert (found.files[2].bytes, found.files[2].modified) == (0, 0.0)


def test_pipes_and_devices_are_never_opened(tmp_path):
    fill(tmp_path, {"a.jpg": JPEG})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "nowhere").symlink_to("missing")
    found = find(tmp_path)
    assert names(found) == ["a.jpg"]
    assert [name for name, _ in found.skipped] == ["nowhere", "pipe", "zero"]


def test_links_in_a_circle_end(tmp_path):
    fill(tmp_path, {"a/x.jpg": JPEG, "a/b/y.jpg": JPEG})
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "0-alias").symlink_to("a")
    found = find(tmp_path)
    assert names(found) == ["a/b/y.jpg", "a/x.jpg"]  # under the real name, though the alias comes first
    assert [name for name, _ in found.skipped] == ["0-alias/", "a/b/up/"]


def test_links_out_of_the_folder_are_followed_once(tmp_path):
    fill(tmp_path, {"elsewhere/x.jpg": JPEG, "elsewhere/deep/y.jpg": JPEG, "root/a.jpg": JPEG})
    (tmp_path / "root/one").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/two").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/file.jpg").symlink_to(tmp_path / "elsewhere/x.jpg")
    found = find(tmp_path / "root")
    assert names(found) == ["a.jpg", "file.jpg", "one/deep/y.jpg", "one/x.jpg"]
    assert [name for name, _ in found.skipped] == ["two/"]


def test_a_link_to_a_folder_around_this_one(tmp_path):
    fill(tmp_path, {"root/a.jpg": JPEG, "b.jpg": JPEG})
    (tmp_path / "root/up").symlink_to("..")
    assert names(find(tmp_path / "root")) == ["a.jpg", "up/b.jpg"]


def test_the_folder_may_itself_be_a_link(tmp_path):
    fill(tmp_path, {"real/a.jpg": JPEG})
    (tmp_path / "link").symlink_to("real")
    found = find(tmp_path / "link")
    assert names(found) == ["a.jpg"]
    assert found.files[0].path == tmp_path / "link" / "a.jpg"


def test_a_folder_that_cannot_be_read_is_skipped(tmp_path, monkeypatch):
    fill(tmp_path, {"a.jpg": JPEG, "closed/b.jpg": JPEG})
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    found = find(tmp_path)
    assert names(found) == ["a.jpg"]
    assert found.skipped == [("closed/", "the folder could not be read: Permission denied")]
    with pytest.raises(SourceError, match="Permission denied"):
        find(tmp_path / "closed")


def test_limit_takes_the_first(tmp_path):
    fill(tmp_path, {f"{number}.jpg": JPEG for number in range(20)})
    assert names(find(tmp_path, limit=3)) == ["0.jpg", "1.jpg", "2.jpg"]
    assert len(find(tmp_path, limit=99).files) == 20


def test_one_picture_is_a_source_too(tmp_path):
    fill(tmp_path, {"sub/a.jpg": JPEG, "sub/table.csv": b"file"})
    found = find(tmp_path / "sub/a.jpg")
    assert names(found) == ["a.jpg"] and found.files[0].path == tmp_path / "sub/a.jpg"
    with pytest.raises(SourceError, match=r"not a folder, and no picture either \(not a picture \(.csv\)\)"):
        find(tmp_path / "sub/table.csv")


def test_folders_that_cannot_be_a_source(tmp_path):
    with pytest.raises(SourceError, match=r"no folder .*missing"):
        find(tmp_path / "missing")
    with pytest.raises(SourceError, match="it is empty"):
        find(tmp_path)
    fill(tmp_path, {"notes.txt": b""})
    with pytest.raises(SourceError, match=r"no pictures in .*1 other entries, such as notes.txt: not a picture"):
        find(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="neither a folder nor a picture"):
        find(tmp_path / "pipe")


def test_names_that_are_not_utf8_survive_and_lead_back(tmp_path):
    raw = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n1.jpg")
    with open(raw, "wb") as file:
        file.write(JPEG)
    fill(tmp_path, {"café.jpg": JPEG, "back\\slash.jpg": JPEG})
    found = find(tmp_path)
    assert set(names(found)) == {"caf\\xe9\\x0a1.jpg", "café.jpg", "back\\\\slash.jpg"}
    for file in found.files:
        file.name.encode()  # goes into any database
        assert file.name.isprintable()
        assert os.path.exists(tmp_path / raw_name(file.name))
        assert file.path.read_bytes() == JPEG


@pytest.mark.parametrize(
    "name", ["a", "\\", "\\x41", "\\\\x41", "a\udce9\\", "\n\t\x7f", "ü\u0085\ud800", "\udc80\udcff"]
)
def test_printable_names_are_reversible(name):
    assert raw_name(printable(name)) == name
    printable(name).encode()


def test_natural_order_of_awkward_names():
    ordered = ["", "1", "1a", "2", "10", "a", "a/b", "a.b", "a1", "a01b", "²", "٣"]
    assert sorted(reversed(ordered), key=natural_key) == ordered


def test_names_sort_as_by_their_pieces():
    def pieces(text: str) -> list:
        return [int(part) if place % 2 else part for place, part in enumerate(re.split("([0-9]+)", text))]

    def key(name: str) -> tuple:
        parts = [os.path.splitext(part) for part in name.casefold().split("/")]
        return [(pieces(stem), pieces(suffix)) for stem, suffix in parts], name

    letters = random.Random(1)
    names = {"".join(letters.choices("aBé0127. /-", k=letters.randrange(10))) for _ in range(5000)}
    assert sorted(names, key=natural_key) == sorted(names, key=key)
