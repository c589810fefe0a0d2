"""The overview: what it counts, what it says of runs and failures, how the wall is filtered and ordered."""

import json

from store import connection, read, removals, tables, write
from tests.pages import database
from tests.support.pages import walls


def wall(at) -> dict:
    """What the gallery was given."""
    found = [element.proto for element in at.get("bidi_component") if element.proto.id.endswith("-wall")]
    return json.loads(found[0].json)


def titles(at) -> list[str]:
    return [item["title"] for item in wall(at)["items"]]


def test_counts(db, open_page):
    numbers = {metric.label: metric.value for metric in open_page().metric}
    maps = len(database.NAMES) * (database.LAYERS * database.HEADS + database.LAYERS)
    assert numbers == {
        "Pictures": str(len(database.NAMES)),
        "Collections": "1",
        "Runs": "1",
        "Attention maps": str(maps),
        "Failures": "1",
    }


def test_a_run_says_what_it_is(db, open_page):
    text = "\n".join(element.value for element in open_page().markdown)
    assert "Tiny test network" in text
    assert "3 layers × 2 heads" in text
    assert "`abababababab`" in text
    assert "it has learnt nothing" in text


def test_a_run_says_what_was_measured_of_its_network(db, open_page):
    captions = "\n".join(element.value for element in open_page().caption).replace("\\", "")
    assert (
        "Patches: tokens 1–36 of 37, in reading order; special tokens: CLS; summary read from the patches" in captions
    )


def test_settings_and_versions_are_there(db, open_page):
    tables = [frame.value for frame in open_page().dataframe]
    cells = {str(key): value for table in tables for key, value in table.iloc[:, 0].items()}
    assert cells["precision"] == "float32"
    assert cells["torch"] == "2.15.0"
    assert cells["weights_sha256"] == "ab" * 32


def test_failures_name_the_file_and_the_reason(db, open_page):
    table = next(frame.value for frame in open_page().dataframe if "error" in frame.value.columns)
    path, stage, error = database.BROKEN
    assert table[["path", "stage", "error"]].to_numpy().tolist() == [[path, stage, error]]
    assert "Download the failures as CSV" in [each.proto.label for each in open_page().get("download_button")]


def test_the_wall_shows_every_picture_with_words_and_an_address(db, open_page):
    data = wall(open_page(image=2))
    assert len(data["items"]) == len(database.NAMES)
    assert data["shown"] == 2 and data["selected"] == []
    wave = next(item for item in data["items"] if item["title"] == "The Great Wave off Kanagawa")
    assert wave["caption"] == "Katsushika Hokusai, 1829"
    assert wave["alt"] == "The Great Wave off Kanagawa, Katsushika Hokusai, 1829"
    assert wave["src"].startswith("/thumb/1?v=")


def test_the_wall_is_filtered_by_words_in_any_order(db, open_page):
    at = open_page()
    at.text_input(key="wall_filter").set_value("kanagawa hokusai").run()
    assert titles(at) == ["The Great Wave off Kanagawa"]
    at.text_input(key="wall_filter").set_value(".*").run()
    assert "No picture has these words." in [info.value for info in at.info]


def test_the_wall_is_ordered_with_the_unknown_last(db, open_page):
    at = open_page()
    at.selectbox(key="wall_order").set_value("year").run()
    assert titles(at)[0] == "Mona Lisa"
    assert titles(at)[-1] == "The Benzaiten Shrine at Inokashira in Snow"


def test_the_wall_begins_in_the_order_of_the_files_whenever_they_were_read(db, open_page):
    with connection.writing(db) as con:
        names = {name: f"plate {10 - number}.jpg" for number, name in enumerate(database.NAMES)}
        write.rename_images(con, 1, names)
    before = titles(open_page())
    at = open_page()
    at.selectbox(key="wall_order").set_value("as ingested").run()
    assert titles(at) == before[::-1]


def test_words_of_a_spreadsheet_stay_words(db, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": "<b>Wave</b> $x$", "artist": "**Hokusai**"}})
    at = open_page()
    assert "<b>Wave</b> $x$" in titles(at)  # the gallery sets text, never HTML
    assert r"\*\*Hokusai\*\*" in [caption.value for caption in at.caption]


def test_a_collection_without_pictures(empty_db, open_page):
    with connection.writing(empty_db) as con:
        write.add_collection(con, "nothing", "/nowhere")
    at = open_page()
    assert not at.exception
    assert "No picture has been read into this collection yet." in [info.value for info in at.info]


def test_a_collection_of_which_all_was_removed_says_so_everywhere_and_is_brought_back(db, open_page):
    with connection.writing(db) as con:
        removals.remove(con, read.images(con)["image_id"].to_pylist())
    at = open_page()
    assert any("All pictures of this collection have been removed" in info.value for info in at.info)
    assert "removed" in {toggle.key for toggle in at.toggle}
    at = open_page("map")
    assert not at.exception and "have been removed" in at.markdown[0].value
    assert "dock" in walls(at)  # Ctrl+Z brings them back here too


def test_how_tables_were_read(db, open_page):
    assert "Tables" not in [header.value for header in open_page().header]
    with connection.writing(db) as con:
        notes = [
            "metadata.csv: read as CSV, in Windows-1252 as it seems",
            "metadata.csv, line 3: has 5 cells instead of 4",
        ]
        tables.set_reading(con, 1, "metadata.csv", {"notes": notes})
    at = open_page()
    assert not at.exception and "Tables" in [header.value for header in at.header]
    shown = "\n".join(each.value for each in at.markdown)
    assert "metadata\\.csv** describes" in shown and "line 3" in shown and "5 cells instead of 4" in shown


def test_what_was_removed_is_listed_and_put_back(db, open_page):
    assert "removed" not in {toggle.key for toggle in open_page().toggle}
    with connection.writing(db) as con:
        removals.remove(con, [2, 3], "Ann")
    at = open_page(removed="true")
    given = walls(at)["removed_wall"]
    assert {item["id"] for item in given["items"]} == {2, 3} and "wall" not in walls(at)
    assert all(item["caption"].endswith(", Ann") and f"/thumb/{item['id']}?" in item["src"] for item in given["items"])
    at.session_state["_removed_chosen"] = [3, 99]
    at.run()
    assert at.button(key="removed_back").label == "Put back the selected picture"
    at.button(key="removed_back").click().run()
    assert {item["id"] for item in walls(at)["removed_wall"]["items"]} == {2}
    assert walls(at)["dock"]["undo"] == "1 picture put back"
    at.button(key="removed_all_back").click().run()
    with connection.reading(db) as con:
        assert not len(removals.removed(con)) and len(read.images(con)) == 6
    assert len(walls(at)["wall"]["items"]) == 6 and "removed" not in {toggle.key for toggle in at.toggle}


def test_the_wall_shows_what_the_filter_of_all_pages_leaves(db, open_page):
    """And its charts, which are opened by a button, filter it."""
    every = titles(open_page(run=1))
    chosen = open_page(run=1, where="image_id < 3", charts="true")
    assert 0 < len(titles(chosen)) < len(every) and set(titles(chosen)) < set(every)
    assert any("the wall shows these alone" in each.value for each in [*chosen.markdown, *chosen.caption])
    charts = [each.proto for each in chosen.get("bidi_component") if "charts_drawn" in each.proto.id]
    assert charts and json.loads(charts[0].json)["charts"]
    none = open_page(run=1, where="image_id < 0")
    assert none.info[0].value.startswith("No picture fits this filter.")
    assert not any(each.proto.id.endswith("-wall") for each in none.get("bidi_component"))
