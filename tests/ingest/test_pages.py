"""Files with many pages from the folder to the page: names, resuming, metadata, failures, the original."""

import duckdb
import pytest
from PIL import Image

from ingest.sources import pages as source
from ingest.vision import pages
from tests.support.databases import ask
from tests.support.pdfs import pdf
from tests.support.pictures import save_picture

TINY = ("--model", "tiny:vit", "--project", "none")
RED, GREEN, BLUE = (1, 0, 0), (0, 1, 0), (0, 0, 1)


def paths(db):
    return [path for (path,) in ask(db, "SELECT path FROM images ORDER BY image_id")]


def save_pages(path, *colours):
    made = [Image.new("RGB", (40, 30), colour) for colour in colours]
    made[0].save(path, "TIFF", save_all=True, append_images=made[1:])


@pytest.fixture
def papers(tmp_path):
    """A photograph, a letter of one page, a box of three, a TIFF of two."""
    folder = tmp_path / "papers"
    (folder / "letters").mkdir(parents=True)
    save_picture(folder / "photo.jpg", 1)
    (folder / "letters/one.pdf").write_bytes(pdf([RED]))
    (folder / "letters/box.pdf").write_bytes(pdf([RED, GREEN, BLUE]))
    save_pages(folder / "scan.tif", "red", "lime")
    return folder


ALL = [
    "letters/box.pdf#page=1", "letters/box.pdf#page=2", "letters/box.pdf#page=3", "letters/one.pdf", "photo.jpg",
    "scan.tif#page=1", "scan.tif#page=2",
]  # fmt: skip


def test_each_page_is_an_image(papers, command):
    counts = command("run", papers, *TINY, "--json").counts
    assert (counts["new"], counts["failed"]) == (7, 0)
    assert paths(command.db) == ALL
    rows = ask(command.db, "SELECT title, document, page, pages FROM catalogue WHERE path = 'letters/box.pdf#page=2'")
    assert rows == [("box, page 2", "letters/box.pdf", 2, 3)]
    sizes = dict(ask(command.db, "SELECT path, (width, height) FROM images"))
    assert sizes["letters/box.pdf#page=1"] == (1667, 833) and sizes["scan.tif#page=2"] == (40, 30)
    assert ask(command.db, "SELECT count(DISTINCT sha256), count(DISTINCT image_id) FROM images") == [(7, 7)]
    assert ask(command.db, "SELECT count(DISTINCT vector) > 3, count(*) FROM features") == [(True, 7)]


def test_again_nothing_is_read(papers, command, monkeypatch):
    command("run", papers, *TINY)
    monkeypatch.setattr(pages.Document, "picture", lambda *_: pytest.fail("read again"))
    assert "0 new, 7 already there" in command("run", papers, *TINY).out


def test_what_was_cut_off_is_continued(papers, command):
    assert command("run", papers, *TINY, "--limit", "2", "--json").counts["new"] == 2
    assert paths(command.db) == ALL[:2]
    assert command("run", papers, *TINY, "--json").counts["new"] == 5
    assert paths(command.db) == ALL


def test_the_first_pages_alone(papers, command):
    result = command("run", papers, *TINY, "--pages", "first", "--json")
    assert result.counts["new"] == 4
    assert paths(command.db) == ["letters/box.pdf#page=1", "letters/one.pdf", "photo.jpg", "scan.tif#page=1"]
    assert command("run", papers, *TINY, "--json").counts["new"] == 3
    # And back: no page is gone because it was not asked for.
    counts = command("run", papers, *TINY, "--pages", "first", "--json").counts
    assert (counts["new"], counts["gone"]) == (0, [])


def test_later_steps_read_the_pages_again(papers, command):
    command("scan", papers)
    assert command("embed", "--model", "tiny:vit", "--json").counts["new"] == 7
    assert command("explain", "--methods", "rollout", "--where", "page = 2", "--json").counts["new"] == 2


def test_a_table_describes_files_and_pages(papers, command):
    table = papers / "metadata.tsv"
    table.write_text(
        "file\ttitle\tdate\nbox.pdf\tLetters\tc. 1900\nletters/box.pdf#page=3\tThe third\t1901\nphoto.jpg\t\t\n"
    )
    counts = command("run", papers, *TINY, "--json").counts
    assert counts["metadata"]["described"] == 4
    assert counts["metadata"]["pictures_without_row"] == ["letters/one.pdf", "scan.tif#page=1", "scan.tif#page=2"]
    query = "SELECT title, date_from, date_to, page FROM catalogue WHERE path LIKE '%box%' ORDER BY path"
    assert ask(command.db, query) == [
        ("Letters", 1895, 1905, 1),
        ("Letters", 1895, 1905, 2),
        ("The third", 1901, 1901, 3),
    ]
    assert ask(command.db, "SELECT title FROM catalogue WHERE path = 'scan.tif#page=1'") == [("scan, page 1",)]


def test_a_table_with_titles_in_another_language_names_the_pages(papers, command):
    (papers / "metadata.csv").write_text("file,Titel\nbox.pdf,Briefe\n")
    command("run", papers, *TINY)
    from store import read
    from store.connection import reading

    with reading(command.db) as con:
        titles = dict(zip(*read.images(con).select(["path", "title"]).to_pydict().values(), strict=True))
    assert titles["letters/box.pdf#page=1"] == "Briefe" and titles["scan.tif#page=2"] == "scan, page 2"


def test_a_file_that_cannot_be_read_is_one_failure_until_it_can(papers, command):
    whole = (papers / "letters/box.pdf").read_bytes()
    (papers / "letters/box.pdf").write_bytes(whole[:100])
    counts = command("run", papers, *TINY, "--json").counts
    assert (counts["new"], counts["failed"]) == (4, 1)
    assert ask(command.db, "SELECT path FROM failures") == [("letters/box.pdf",)]
    (papers / "letters/box.pdf").write_bytes(whole)
    counts = command("run", papers, *TINY, "--json").counts
    assert (counts["new"], counts["failed"]) == (3, 0)
    assert ask(command.db, "SELECT count(*) FROM failures") == [(0,)]


def test_one_broken_page_of_many_is_one_failure(papers, command, monkeypatch):
    from ingest.vision.loader import BadImage

    real = pages._Pdf._picture

    def broken(self, page, pixels):
        if page == 2:
            raise BadImage("The page of the PDF is damaged.")
        return real(self, page, pixels)

    monkeypatch.setattr(pages._Pdf, "_picture", broken)
    counts = command("run", papers, *TINY, "--json").counts
    assert (counts["new"], counts["failed"]) == (6, 1)
    assert ask(command.db, "SELECT path, error FROM failures") == [
        ("letters/box.pdf#page=2", "The page of the PDF is damaged.")
    ]


def test_one_page_that_becomes_many(papers, command):
    command("run", papers, *TINY)
    (papers / "letters/one.pdf").write_bytes(pdf([RED, GREEN]))
    result = command("run", papers, *TINY, "--json")
    assert result.counts["new"] == 2 and result.counts["gone"] == ["letters/one.pdf"]
    command("prune", "--yes")
    assert paths(command.db) == [*ALL[:3], *ALL[4:], "letters/one.pdf#page=1", "letters/one.pdf#page=2"]


@pytest.fixture
def old(papers, command, monkeypatch):
    """A database of a version that read of each file the first page alone, with a tag at the scan."""
    monkeypatch.setattr(source.pages, "count", lambda path: 1)
    assert command("run", papers, *TINY).code == 0
    monkeypatch.undo()
    with duckdb.connect(str(command.db)) as con:
        con.execute("INSERT INTO uncounted SELECT image_id FROM image")
        con.execute(
            "INSERT INTO tag SELECT image_id, 'seen', NULL, now()::TIMESTAMP FROM image WHERE path = 'scan.tif'"
        )
    return command


def test_files_that_an_older_version_kept_as_one_picture_get_their_pages(papers, old):
    before = dict(ask(old.db, "SELECT path, image_id FROM images"))
    counts = old("run", papers, *TINY, "--json").counts
    assert (counts["new"], counts["gone"]) == (3, [])
    assert counts["moved"] == {"letters/box.pdf": ALL[0], "scan.tif": "scan.tif#page=1"}
    assert sorted(paths(old.db)) == ALL
    after = dict(ask(old.db, "SELECT path, image_id FROM images"))
    assert after["scan.tif#page=1"] == before["scan.tif"]
    assert ask(old.db, "SELECT path, tag FROM tags JOIN images USING (image_id)") == [("scan.tif#page=1", "seen")]
    assert ask(old.db, "SELECT page, pages FROM catalogue WHERE path = 'scan.tif#page=1'") == [(1, 2)]
    (papers / "scan.tif").rename(papers / "letters" / "scan.tif")
    counts = old("run", papers, *TINY, "--json").counts
    assert (counts["new"], len(counts["moved"]), counts["gone"]) == (0, 2, []), "a page is known by its file and number"


def test_one_look_at_files_that_nobody_has_counted_is_enough(papers, old, monkeypatch):
    looked_at, count = [], pages.count
    monkeypatch.setattr(source.pages, "count", lambda path: looked_at.append(path.name) or count(path))
    old("run", papers, *TINY, "--limit", "4")
    assert looked_at == ["box.pdf", "one.pdf"]
    old("run", papers, *TINY)
    looked_at.clear()
    assert old("run", papers, *TINY, "--json").counts["new"] == 0
    assert looked_at == ["box.pdf", "scan.tif"]  # those of many pages, which no picture stands for as a whole


def test_pictures_of_an_older_layout_are_those_not_counted(papers, command):
    command("run", papers, *TINY)
    with duckdb.connect(str(command.db)) as con:
        con.execute("DROP TABLE uncounted")
        con.execute("DELETE FROM migration WHERE number >= 7")
    command("migrate")
    assert ask(command.db, "SELECT path FROM uncounted JOIN images USING (image_id) ORDER BY path") == [
        ("letters/one.pdf",), ("photo.jpg",),
    ]  # fmt: skip


def test_a_document_that_lost_a_page(papers, command):
    command("run", papers, *TINY)
    (papers / "letters/box.pdf").write_bytes(pdf([RED, GREEN]))
    (state,) = [row["files"] for row in command("status", "--json").counts["collections"]]
    assert state["gone"] == ["letters/box.pdf#page=3"]
    assert state["changed"] == ["letters/box.pdf#page=1", "letters/box.pdf#page=2"]
    counts = command("run", papers, *TINY, "--prune", "--json").counts
    assert counts["new"] == 2 and counts["pruned"] == ["letters/box.pdf#page=3"]
    assert len(paths(command.db)) == 6


def test_a_document_that_was_damaged_has_not_lost_its_pages(papers, command):
    command("run", papers, *TINY)
    box = papers / "letters/box.pdf"
    box.write_bytes(box.read_bytes()[:100])
    counts = command("run", papers, *TINY, "--prune", "--json").counts
    assert (counts["failed"], counts["pruned"]) == (1, [])
    assert paths(command.db) == ALL


def test_a_moved_document_keeps_its_pages(papers, command):
    command("run", papers, *TINY)
    before = dict(ask(command.db, "SELECT page, image_id FROM catalogue WHERE document LIKE '%box.pdf'"))
    (papers / "letters").rename(papers / "briefe")
    counts = command("run", papers, *TINY, "--json").counts
    assert counts["new"] == 0 and len(counts["moved"]) == 4
    after = dict(ask(command.db, "SELECT page, image_id FROM catalogue WHERE document = 'briefe/box.pdf'"))
    assert after == before


def test_few_documents_are_open_at_a_time(tmp_path):
    made = []
    for number in range(12):
        made.append(tmp_path / f"{number}.pdf")
        made[-1].write_bytes(pdf([RED, GREEN]))
    cache = source.DocumentCache(source.pages.opened, room=3)
    for path in made * 2:
        cache.page(path, 2)
        assert len(cache.documents) <= 3
    with pytest.raises(Exception, match="no page 3"):
        cache.page(made[0], 3)
    assert not any(cache.readers.values())
