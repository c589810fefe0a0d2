"""Pictures below an address that fsspec knows, such as s3://bucket/folder: here file:// and memory://."""

import duckdb
import fsspec
import pytest
from PIL import Image

from ingest.errors import SourceError
from ingest.remote_files import is_remote
from ingest.sources.remote.files import stored_tasks
from tests.support.commands import TINY
from tests.support.databases import contents
from tests.support.pdfs import pdf
from tests.support.pictures import save_picture


@pytest.fixture
def letters(tmp_path):
    """A PDF of three pages, a TIFF of two, a TIFF of one, a picture, a damaged PDF, and a table of all of them."""
    folder = tmp_path / "letters"
    (folder / "box 1").mkdir(parents=True)
    (folder / "box 1" / "diary.pdf").write_bytes(pdf([(1, 0, 0), (0, 1, 0), (0, 0, 1)]))
    sheets = [Image.linear_gradient("L").resize((90 + 30 * i, 60)) for i in range(2)]
    sheets[0].save(folder / "two.tif", save_all=True, append_images=sheets[1:])
    sheets[1].save(folder / "one.tif")
    save_picture(folder / "photo.jpg", 7, (120, 80))
    (folder / "cut.pdf").write_bytes(b"%PDF-1.4 and no more")
    (folder / "metadata.csv").write_text("file,place\nbox 1/diary.pdf,Wien\ntwo.tif,Prag\nphoto.jpg,Graz\n")
    return folder


@pytest.fixture
def bucket(letters):
    """The same in a store that is no folder."""
    system = fsspec.filesystem("memory")
    system.put(str(letters), "/bucket", recursive=True)
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


def test_pages_and_tables_at_an_address_are_those_of_a_folder(letters, bucket, command, tmp_path):
    there = command("run", bucket, *TINY, "--json", db=tmp_path / "there.duckdb")
    here = command("run", letters, *TINY, "--json", db=tmp_path / "here.duckdb")
    for key in ("new", "failed", "already"):
        assert there.counts[key] == here.counts[key]
    assert there.counts["metadata"]["described"] == 6
    for found, expected in zip(*(contents(tmp_path / f"{name}.duckdb") for name in ("there", "here")), strict=True):
        assert found == expected
    assert "cut.pdf" in there.err and "damaged" in there.err
    query = "SELECT path, place, page, pages FROM catalogue ORDER BY path"
    rows = [duckdb.connect(str(tmp_path / f"{name}.duckdb"), read_only=True).sql(query).fetchall() for name in ("there", "here")]  # fmt: skip
    assert rows[0] == rows[1] and ("box 1/diary.pdf#page=2", "Wien", 2, 3) in rows[0]
    again = command("run", bucket, *TINY, "--json", db=tmp_path / "there.duckdb")
    assert (again.counts["new"], again.counts["already"]) == (0, 7)
    more = command("embed", "--model", "tiny:vit", "--json", db=tmp_path / "there.duckdb")
    assert (more.counts["new"], more.counts["failed"]) == (7, 0)


def test_of_documents_at_an_address_the_first_page_may_be_enough(bucket, command):
    assert command("run", bucket, *TINY, "--pages", "first", "--json").counts["new"] == 4


def test_a_table_may_lie_at_another_address(letters, bucket, command):
    fsspec.filesystem("memory").pipe("/bucket/lists/all.csv", b"name;year\ntwo;1900\n")
    result = command("run", letters, *TINY, "--metadata", "memory://bucket/lists/all.csv", "--json")
    assert result.counts["metadata"]["described"] == 2
    result = command("run", bucket, *TINY, "--metadata", "memory://bucket/lists/none.csv")
    assert result.code == 2 and "none.csv could not be read" in result.err


def test_an_address_is_a_source(folder, command):
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    result = command("run", f"file://{folder}", *TINY, "--json")
    assert (result.counts["collection"], result.counts["new"], result.counts["skipped"]) == ("scans", 9, 1)
    assert result.counts["metadata"]["described"] == 9
    assert command("run", f"file://{folder}", *TINY, "--json").counts["new"] == 0
    other = command("run", folder, *TINY)
    assert other.code == 2 and "--collection NAME" in other.err
    # what it holds can be read again from where it lies
    assert command("embed", "--model", "tiny:vit", "--json").counts["new"] == 9
    assert command("run", folder, *TINY, "--collection", "plain", "--json").counts["new"] == 9
    images, features, *_ = contents(command.db)
    assert len(images) == 18 and len({image[:2] for image in images}) == 9


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nosuch://a/b", "cannot be read|no address"),
        ("memory://nothing/here", "no pictures"),
        ("file:///no/such", "no pictures"),
    ],
)
def test_addresses_that_cannot_be_used(address, reason):
    assert is_remote(address)
    with pytest.raises(SourceError, match=reason):
        stored_tasks(address)


def test_what_is_no_such_address():
    assert not any(map(is_remote, ("https://a.org/manifest.json", "scans", "/tmp/scans", "C:\\scans")))


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--every", "2"), "--every is for films, and memory://scans is not a film"),
        (("--side", "900"), "are for IIIF manifests, and memory://scans is none"),
    ],
)
def test_options_of_other_sources_are_refused(option, sentence, command):
    result = command("scan", "memory://scans", *option)
    assert result.code == 2 and sentence in result.err and not command.db.exists()
