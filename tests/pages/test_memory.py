"""What the pages keep in memory: until when an answer holds, and that nobody's change is missed."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from dashboard.compute import rows, words
from dashboard.data import cache
from dashboard.data.cache import memory
from store import connection, write
from store.errors import StoreError
from store.facets import OneOf
from tests.pages import database

RETITLE = """
import sys
from store import connection, write
with connection.writing(sys.argv[1]) as con:
    write.set_metadata(con, 1, {sys.argv[2]: {"title": sys.argv[3]}})
"""

SAYINGS = {
    "tag": lambda: cache.add_tags(np.array([1, 2]), ["storm"], ""),
    "note": lambda: cache.note_tag(np.array([1]), "sea", "why"),
    "untag": lambda: cache.remove_tag(np.array([1]), "sea"),
    "save": lambda: cache.save_selection("paintings", "new", np.array([1, 2]), ""),
    "rename": lambda: cache.rename_selection("paintings", "kept", "other", ""),
    "delete": lambda: cache.delete_selection("paintings", "kept"),
    "region": lambda: cache.save_region(1, (0.1, 0.1, 0.5, 0.5), "why"),
    "head": lambda: cache.name_head(1, 0, 0, "horizon", ""),
}


def retitle(db, title: str) -> None:
    """Another process gives the first picture another title."""
    subprocess.run([sys.executable, "-c", RETITLE, str(db), database.NAMES[0], title], check=True)


def title() -> str:
    return cache.images().at[1, "title"]


@pytest.fixture
def annotated(db):
    """A database in which people have said something."""
    cache.add_tags(np.array([1]), ["sea"], "")
    cache.save_selection("paintings", "kept", np.array([1, 3]), "")
    return db


@pytest.mark.parametrize("say", SAYINGS.values(), ids=SAYINGS)
def test_what_people_say_leaves_the_other_answers_as_they_are(annotated, say):
    def answers():
        return cache.features(1)[1], cache.layout(2), cache.remembered(object, "anything"), cache.thumbnail(1)

    before, version, state = answers(), cache.version(), connection.state(annotated)
    say()
    assert connection.state(annotated) != state and cache.version() == version
    assert all(one is other for one, other in zip(before, answers(), strict=True))


def test_what_people_say_is_seen_at_once(db):
    ids = np.array([1, 2, 3])
    assert "tag" not in cache.facet_columns("paintings") and not len(cache.tags("paintings"))
    cache.add_tags(ids[:2], ["sea"], "calm")
    assert cache.facet_columns("paintings")["tag"] == "text"
    assert cache.categories("paintings", "tag").values == (("sea", 2),)
    assert cache.matching("paintings", [OneOf("tag", ("sea",))]).tolist() == [1, 2]
    assert cache.satisfying("image_id IN (SELECT image_id FROM tags)").tolist() == [1, 2]
    assert cache.labels("tag", ids) == [frozenset({"sea"}), frozenset({"sea"}), frozenset()]
    assert cache.tagged("sea", "paintings").tolist() == [1, 2]
    assert [list(tags) for tags in cache.tags_of(ids)["tags"]] == [["sea"], ["sea"], []]
    assert list(cache.tags_among(ids).at[0, "notes"]) == ["calm"]
    cache.note_tag(ids, "sea", "wild")
    assert list(cache.tags_among(ids).at[0, "notes"]) == ["wild"]
    cache.remove_tag(ids[:1], "sea")
    assert cache.matching("paintings", [OneOf("tag", ("sea",))]).tolist() == [2]
    assert cache.satisfying("image_id IN (SELECT image_id FROM tags)").tolist() == [2]
    assert cache.labels("tag", ids)[0] == frozenset()
    cache.save_selection("paintings", "mine", ids, "")
    assert cache.selection_members("paintings", "mine").tolist() == [1, 2, 3]
    cache.rename_selection("paintings", "mine", "yours", "")
    assert cache.saved_selections("paintings")["name"].tolist() == ["yours"]
    cache.delete_selection("paintings", "yours")
    assert cache.selection_members("paintings", "yours") is None
    cache.save_region(1, (0.1, 0.1, 0.5, 0.5), "why")
    assert cache.regions([1])["note"].tolist() == ["why"]
    cache.delete_region(int(cache.regions([1])["region_id"][0]))
    assert cache.regions([1]).empty
    cache.name_head(1, 0, 1, "horizon", "")
    assert cache.head_names(1)["name"].tolist() == ["horizon"]


def test_a_network_looks_again_since_what_is_explained_may_be_a_tag(db):
    before = cache.computed(object, "anything")
    assert cache.computed(object, "anything") is before
    cache.add_tags(np.array([1]), ["sea"], "")
    assert cache.computed(object, "anything") is not before


def test_what_another_process_writes_is_seen_before_between_and_after(db):
    assert title() == "The Great Wave off Kanagawa"
    cache.add_tags(np.array([1]), ["sea"], "")
    retitle(db, "first")
    assert title() == "first"
    cache.add_tags(np.array([2]), ["sea"], "")
    assert title() == "first"
    retitle(db, "second")
    cache.add_tags(np.array([3]), ["sea"], "")  # nobody has asked since the other wrote
    assert title() == "second"
    cache.add_tags(np.array([4]), ["sea"], "")
    retitle(db, "third")
    assert title() == "third"


def test_a_writer_who_comes_right_after_us_is_not_taken_for_us(db, monkeypatch):
    real = connection.commit_to_file
    title()

    def then(con, path):
        real(con, path)
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": "theirs"}})

    monkeypatch.setattr(connection, "commit_to_file", then)  # so that the file changes after its state was noted
    cache.add_tags(np.array([1]), ["sea"], "")
    assert title() == "theirs"


def test_a_change_that_is_undone_hides_nothing(annotated):
    before = title(), memory.cache_token(annotated)
    with pytest.raises(StoreError):
        cache.save_selection("paintings", "kept", np.array([1]), "")
    assert (title(), memory.cache_token(annotated)) == before
    with connection.writing(annotated) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": "mine"}})
    assert title() == "mine"


def test_what_is_gone_is_a_sentence(db):
    assert cache.run(1).run_id == cache.image_row(1)["image_id"] == 1
    with pytest.raises(StoreError, match="There is no run 99 in this database"):
        cache.run(99)
    with pytest.raises(StoreError, match="There is no picture 99 in this database"):
        cache.image_row(99)
    with pytest.raises(StoreError, match="Neither the original nor a thumbnail"):
        cache.original(99)
    with pytest.raises(StoreError, match="No run is in view"):
        cache.run_in_view()
    with pytest.raises(StoreError, match="No picture is in view"):
        cache.image_in_view()


def test_rows_of_a_frame_are_plain():
    frame = pd.DataFrame({"image_id": [3, 4], "title": ["a", "b"]}, index=[3, 4])
    assert rows.records(frame) == [{"image_id": 3, "title": "a"}, {"image_id": 4, "title": "b"}]
    assert rows.row(frame, 4) == {"image_id": 4, "title": "b"}
    with pytest.raises(KeyError):
        rows.row(frame, 5)


def test_an_option_without_a_label_is_called_as_it_is():
    called = words.named({1: "one", None: "no value"})
    assert (called(1), called(None), called(2)) == ("one", "no value", "2")
