"""The journal: a session undoes its own edits and does them again, and nobody else's."""

import numpy as np
import pytest

from store import aggregate, edits, heads, notes, read, regions, removals, selections, tags, write
from store.connection import reading, writing
from store.edits import Author, EditRefused
from store.records import ImageRecord, Run

ANN, BOB = Author("a", "Ann"), Author("b")
PARTS = {"corrected", "keywords", "removals"}


def record(path: str, **metadata) -> ImageRecord:
    return ImageRecord(path, path * 3, 40, 30, 100, 1.0, metadata, b"jpeg", 40, 30)


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "atlas.duckdb"
    with writing(path) as con:
        number = write.add_collection(con, "prints", None)
        write.add_images(con, number, [record(name, year=1500 + place) for place, name in enumerate("abcd")])
    return path


def tag(path, author, ids, word):
    with writing(path) as con, edits.recorded(con, author, f"tag “{word}”", ["tag"]):
        tags.add(con, ids, [word], "why")


def revert(path, author, how=edits.undo):
    with writing(path) as con:
        done = how(con, author.session)
    return done and done.words


def tagged(path, word):
    with reading(path) as con:
        return tags.images(con, word).tolist()


def test_several_steps_back_and_forth_in_their_order(db):
    tag(db, ANN, [1, 2], "boat")
    tag(db, ANN, [2, 3], "sea")
    with writing(db) as con, edits.recorded(con, ANN, "note", ["note"]):
        notes.add(con, 1, "A mast.")
    assert [revert(db, ANN) for _ in range(4)] == ["note", "tag “sea”", "tag “boat”", None]
    assert tagged(db, "boat") == tagged(db, "sea") == []
    assert [revert(db, ANN, edits.redo) for _ in range(4)] == ["tag “boat”", "tag “sea”", "note", None]
    with reading(db) as con:
        assert tags.among(con, [1]).to_pylist() == [{"tag": "boat", "images": 1, "notes": ["why"]}]
        assert notes.of(con, [1])["note"].to_pylist() == ["A mast."] and tagged(db, "sea") == [2, 3]


def test_a_new_edit_ends_what_could_be_done_again(db):
    tag(db, ANN, [1], "boat")
    revert(db, ANN)
    tag(db, ANN, [1], "ship")
    assert revert(db, ANN, edits.redo) is None and tagged(db, "ship") == [1]
    with reading(db) as con:
        assert [edit and edit.words for edit in edits.at_hand(con, "a")] == ["tag “ship”", None]


def test_what_changes_nothing_is_no_edit(db):
    tag(db, ANN, [1], "boat")
    tag(db, ANN, [1], "boat")
    revert(db, ANN)
    assert tagged(db, "boat") == [] and revert(db, ANN) is None


def test_a_session_undoes_its_own_and_not_what_another_has_changed_since(db):
    tag(db, ANN, [1, 2], "boat")
    tag(db, BOB, [3], "boat")
    assert revert(db, BOB) == "tag “boat”" and tagged(db, "boat") == [1, 2]
    with writing(db) as con, edits.recorded(con, BOB, "note", ["tag"]):
        tags.set_note(con, [2], "boat", "another")
    with pytest.raises(EditRefused, match="“tag “boat”” cannot be undone: the same has been changed since"):
        revert(db, ANN)
    assert tagged(db, "boat") == [1, 2]
    assert revert(db, BOB) == "note" and revert(db, ANN) == "tag “boat”" and tagged(db, "boat") == []


def test_a_command_that_tags_is_in_the_way_of_an_undo_and_breaks_nothing(db):
    tag(db, ANN, [1, 2], "boat")
    with writing(db) as con:
        tags.remove(con, [1], "boat")
    with pytest.raises(EditRefused):
        revert(db, ANN)
    with writing(db) as con:
        edits.drop(con, edits.at_hand(con, "a")[0].edit_id)
    assert revert(db, ANN) is None and tagged(db, "boat") == [2]


def test_a_selection_comes_back_with_its_name_unless_that_is_taken(db):
    with writing(db) as con:
        selections.save(con, "prints", "ships", [1, 2], "my ships")
    with writing(db) as con, edits.recorded(con, ANN, "delete", ["selection", "selection_member"]):
        selections.delete(con, "prints", "ships")
    with writing(db) as con, edits.recorded(con, BOB, "save", ["selection", "selection_member"]):
        selections.save(con, "prints", "ships", [4])
    with pytest.raises(EditRefused):
        revert(db, ANN)
    revert(db, BOB)
    revert(db, ANN)
    with reading(db) as con:
        assert selections.members(con, "prints", "ships").tolist() == [1, 2]
        assert selections.saved(con, "prints")["note"].to_pylist() == ["my ships"]


def test_a_note_that_is_written_meanwhile_takes_no_number_from_one_that_comes_back(db):
    with writing(db) as con:
        number = notes.add(con, 1, "first")
    with writing(db) as con, edits.recorded(con, ANN, "delete", ["note"]):
        notes.delete(con, number)
    with writing(db) as con:
        assert notes.add(con, 2, "second") != number
    revert(db, ANN)
    with reading(db) as con:
        assert notes.of(con, [1, 2])["note"].to_pylist() == ["first", "second"]


def test_a_region_comes_back_to_the_last_digit(db):
    box = (1 / 3, 0.1, 2 / 3, 0.7)
    with writing(db) as con:
        number = regions.add(con, 1, box, "hand")
    with writing(db) as con, edits.recorded(con, ANN, "delete", ["region"]):
        regions.delete(con, number)
    revert(db, ANN)
    with reading(db) as con:
        assert con.sql("SELECT x0, y0, x1, y1 FROM region").fetchall() == [box]


def test_what_is_killed_in_between_is_neither_done_nor_in_the_journal(db):
    with pytest.raises(KeyboardInterrupt), writing(db) as con:
        with edits.recorded(con, ANN, "tag", ["tag"]):
            tags.add(con, [1], ["boat"])
        raise KeyboardInterrupt
    assert tagged(db, "boat") == [] and revert(db, ANN) is None
    tag(db, ANN, [1], "boat")
    with pytest.raises(KeyboardInterrupt), writing(db) as con:
        edits.undo(con, "a")
        raise KeyboardInterrupt
    assert tagged(db, "boat") == [1] and revert(db, ANN) == "tag “boat”"


def test_a_removed_picture_is_in_no_view_and_comes_back_whole(db):
    with writing(db) as con:
        con.execute("INSERT INTO feature (run_id, image_id, vector) SELECT 1, image_id, [1.0, 0.0] FROM image")
        tags.add(con, [1, 2], ["boat"])
        selections.save(con, "prints", "all", [1, 2, 3, 4])
    with writing(db) as con, edits.recorded(con, ANN, "remove", ["removal"]):
        assert removals.remove(con, [2], "Ann") == 1
    with reading(db) as con:
        for view in ("images", "catalogue", "features", "tags", "selections"):
            assert 2 not in con.sql(f"SELECT image_id FROM {view}").to_arrow_table()["image_id"].to_pylist(), view
        assert con.sql("SELECT image_id FROM nearest(1, 1, 9)").fetchall() == [(3,), (4,)]
        assert tags.images(con, "boat").tolist() == [1] and read.collections(con)["images"].to_pylist() == [3]
        assert selections.members(con, "prints", "all").tolist() == [1, 3, 4]
        assert con.sql("SELECT path, who FROM removals").fetchall() == [("b", "Ann")]
    revert(db, ANN)
    with reading(db) as con:
        assert read.images(con)["image_id"].to_pylist() == [1, 2, 3, 4]
        assert tags.images(con, "boat").tolist() == [1, 2]


def test_no_number_counts_what_was_removed(db):
    """Each answer about a run is what it would be had the removed pictures never been there."""
    with writing(db) as con:
        run = write.add_run(con, 1, Run("b", "w", 1, 1, 2, 14, 1, "crop", 56, {}, {}))
        for image in range(1, 5):
            con.execute("INSERT INTO feature (run_id, image_id, vector) VALUES (?, ?, [1.0, 0.0])", [run, image])
            con.execute("INSERT INTO frame VALUES (?, ?, 0, 0, 1, 1, 1, 2)", [run, image])
            con.execute(
                "INSERT INTO stored_map (run_id, image_id, method, target, layer, head, rows, cols, scale, minimum, codes)"
                " VALUES (?, ?, 'cls', '', 0, 0, 1, 2, 1, 0, [?, 255])",
                [run, image, image],
            )
        con.execute("INSERT INTO projection VALUES (1, ?, 'pca', '{}', now()::TIMESTAMP)", [run])
        con.execute("INSERT INTO point SELECT 1, image_id, 0, 0 FROM image")
        head = heads.Head(run, 0, 0, "cls")

        def numbers() -> list:
            mean = heads.mean_map(con, head)
            return [
                [run.images for run in read.runs(con)],
                read.methods(con, run)["maps"].to_pylist(),
                read.projections(con)["points"].to_pylist(),
                aggregate.frames(con, run).num_rows,
                aggregate.levels(con, run, "cls"),
                heads.methods(con, run)["images"].to_pylist(),
                mean and (mean.images, mean.weights.tolist()),
                (likeness := heads.similarity(con, run, "cls")) and likeness.images,
            ]

        whole = numbers()
        removals.remove(con, [1, 2])
        less = numbers()
        removals.prune(con, 1)
        assert less == numbers() != whole and less[1] == [2]
        removals.remove(con, [3, 4])
        assert numbers() == [[0], [], [0], 0, ([], []), [], None, None]


def test_prune_forgets_all_but_the_name_of_a_removed_picture(db):
    with writing(db) as con:
        con.execute("INSERT INTO feature (run_id, image_id, vector) SELECT 1, image_id, [1.0, 0.0] FROM image")
        removals.remove(con, [2])
        assert removals.prune(con, 1) == ["b"] and removals.prune(con, 1) == []
        assert con.sql("SELECT image_id FROM feature ORDER BY 1").fetchall() == [(1,), (3,), (4,)]
        assert removals.paths(con, 1) == {"b"} and len(read.known(con, 1)) == 4


def test_many_pictures_are_tagged_and_untagged_in_one_edit(db):
    with writing(db) as con:
        con.execute("INSERT INTO tag SELECT range, 'old', NULL, now()::TIMESTAMP FROM range(1000)")
    tag(db, ANN, np.arange(1, 5), "all")
    assert revert(db, ANN) == "tag “all”" and tagged(db, "all") == []
    with reading(db) as con:
        assert con.sql("SELECT count(*) FROM tag").fetchall() == [(1000,)]


def test_no_view_but_the_list_of_the_removed_reads_a_picture_past_the_removals(db):
    with reading(db) as con:
        views = "SELECT view_name FROM duckdb_columns() JOIN duckdb_views() ON view_oid = table_oid "
        named = {
            name
            for (name,) in con.sql(views + "WHERE column_name = 'image_id' AND NOT duckdb_views.internal").fetchall()
        }
        # `corrected` is a part of others; `keywords` has no row before a table has lists.
        plans = {view: con.sql(f"EXPLAIN SELECT image_id FROM {view}").fetchall()[0][1] for view in named - PARTS}
    assert len(plans) > 25 and [view for view, plan in sorted(plans.items()) if "removal" not in plan] == []


def test_what_was_removed_is_listed_with_its_title_who_and_when(db):
    with writing(db) as con:
        write.add_images(con, 1, [record("e", title="The Wave")])
        removals.remove(con, [5], "Ann")
        (row,) = removals.removed(con, "prints").to_pylist()
        assert (row["image_id"], row["title"], row["path"], row["who"]) == (5, "The Wave", "e", "Ann")
        assert row["removed_at"] and removals.removed(con, "others").num_rows == 0
