"""The page Figure: its pictures and columns, its state in the address, its caption."""

import re
from collections import Counter

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.compute.methods import in_words, registry
from dashboard.drawing.figure import sheet
from dashboard.selection import actions
from dashboard.selection.maps import columns, lookup
from dashboard.state import navigation, pickers
from dashboard.views.figure import caption, contents, finding
from tests.pages.conftest import MAIN, TIMEOUT
from tests.pages.test_attention import add_network
from tests.support.maps import shown_maps
from tests.support.pages import choose


def shown(at) -> list[str]:
    found = at.query_params["col"]  # one alone comes as a text
    return [found] if isinstance(found, str) else found


def test_it_begins_with_what_is_selected_and_with_stored_maps(db, open_page):
    at = open_page("figure", image=1, marked="2.4")
    assert not at.exception
    assert at.multiselect(key="pictures").value in ([2, 4], [1])
    assert shown(at) == ["1;cls;2;mean", "1;rollout;2;"]


def test_a_link_reproduces_pictures_columns_scale_and_size(db, open_page):
    query = {"pictures": ["3", "1"], "col": ["1;cls;0;1", "1;rollout;1;"], "figure_scale": "row", "paper": "column"}
    at = open_link(query)
    assert not at.exception and at.multiselect(key="pictures").value == [3, 1]
    assert at.selectbox(key="figure_scale").value == "row" and at.selectbox(key="paper").value == "column"
    words = at.text_area(key="caption").value
    assert "Night Caf" in words.split(";")[0] and "head 1" in words and "depth 1" in words
    assert "within a row" in words


def open_link(query):
    """The page with this query, of which values may be lists."""
    at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
    for key, value in query.items():
        at.query_params[key] = value
    at.switch_page("views/figure/figure.py")
    return at.run()


def test_columns_are_added_changed_moved_and_removed(db, open_page):
    at = open_page("figure", image=1)
    at.button(key="figure_add").click().run()
    assert shown(at) == ["1;cls;2;mean", "1;cls;1;mean", "1;rollout;2;"]
    choose(at, "figure_head", "1")
    choose(at, "figure_layer", 0)
    assert shown(at) == ["1;cls;2;mean", "1;cls;0;1", "1;rollout;2;"]
    at.button(key="figure_right").click().run()
    assert shown(at) == ["1;cls;2;mean", "1;rollout;2;", "1;cls;0;1"]
    at.button(key="figure_remove").click().run()
    assert shown(at) == ["1;cls;2;mean", "1;rollout;2;"] and not at.exception
    choose(at, "figure_column", 0)
    at.button(key="figure_layers").click().run()
    assert shown(at)[:3] == ["1;cls;2;mean", "1;cls;0;mean", "1;cls;1;mean"]


def test_columns_that_are_added_are_none_that_are_there(db, open_page):
    at = open_link({"pictures": ["1"], "col": ["1;cls;2;mean;title=Last", "1;cls;1;mean"]})
    at.button(key="figure_add").click().run()
    assert shown(at) == ["1;cls;2;mean;title=Last", "1;cls;0;mean", "1;cls;1;mean"]
    assert at.button(key="figure_layers").disabled  # all three layers are there
    at.button(key="figure_add").click().run()
    assert shown(at)[2] == "1;cls;0;0" and not at.exception


@pytest.mark.parametrize("count", [7, 8])
def test_full_columns_open_and_no_more_are_offered_than_there_is_room_for(count, db, open_page):
    linked = ["1;cls;0;mean", *(f"1;cls;{layer};{head}" for layer in (0, 1, 2) for head in (0, 1)), "1;cls;2;mean"][
        :count
    ]
    at = open_link({"pictures": ["1"], "col": linked})
    assert not at.exception and shown(at) == linked
    keys = ("figure_add", "figure_layers", "figure_heads")
    assert all(at.button(key=key).disabled for key in keys) == (count == 8)
    if count < 8:
        at.button(key="figure_layers").click().run()
        assert not at.exception and set(linked) < set(shown(at)) and len(shown(at)) == 8


def test_a_column_without_layers_and_heads_is_added_once_more(db):
    flow = columns.Column(1, "flow", 2, "")
    assert columns.another(flow, [flow]) == flow
    assert columns.varied(flow, "layers", 3, [flow]) == columns.varied(flow, "heads", 3, [flow]) == []


def test_a_column_is_called_as_somebody_writes_and_carries_that_in_the_address(db, open_page):
    at = open_page("figure", image=1)
    assert at.text_input(key="figure_title").placeholder == "CLS attention · layer 2 · mean of heads"
    at.text_input(key="figure_title").set_value("Near; far: 50 %").run()
    assert shown(at)[0] == "1;cls;2;mean;title=Near%3B%20far%3A%2050%20%25" and not at.exception
    words = at.text_area(key="caption").value
    assert "picture; Near; far: 50 % (CLS attention · layer 2 · mean of heads); Attention rollout" in words
    at.button(key="figure_right").click().run()
    assert at.text_input(key="figure_title").value == "Near; far: 50 %"
    choose(at, "figure_layer", 0)
    assert shown(at)[1] == "1;cls;0;mean;title=Near%3B%20far%3A%2050%20%25"
    choose(at, "figure_column", 0)
    assert at.text_input(key="figure_title").value == ""
    linked = open_link({"pictures": ["1"], "col": shown(at)})
    assert linked.segmented_control(key="figure_column").options[1] == "2 Near; far: 50 %"


def test_a_column_with_a_title_and_a_text_is_read_as_it_was_written():
    column = columns.Column(1, "daam", 2, "", "words:a boat; title=b", "A; boat")
    assert columns.Column.parse(column.text) == column
    assert columns.Column.parse("1;daam;2;;words:title=b").target == "words:title=b"


def test_a_printed_caption_says_methods_in_words(db, open_page):
    words = open_page("figure", image=1).text_area(key="caption").value
    assert "Attention rollout (Abnar and Zuidema 2020; residual weight: 0.5; heads fused by their mean): what" in words
    for key, method in registry().items():
        told = in_words(key)
        assert method.formula not in told and not re.search(r"[αΣ∂Â⊙^=]|\[\w, ]+\]", told), told
    assert "first layer: 0" in in_words("rollout(start=0)")


def test_the_rows_that_are_ready_are_drawn_before_the_last(db, open_page, monkeypatch):
    run, begun = add_network(db), []
    monkeypatch.setattr(sheet, "png", lambda made, png=sheet.png: begun.append((made.dpi, made.title)) or png(made))
    query = {"run": str(run), "pictures": ["1", "2", "3"], "col": [f"{run};cls;1;mean"]}
    at = open_link(query)
    titles = [f"Attention maps of {number}" for number in ("1 picture", "2 pictures", "3 pictures")]
    assert [title for _, title in begun] == titles and begun[0][0] < begun[2][0] and not at.exception
    at.multiselect(key="pictures").set_value([1, 2, 3, 4]).run()
    assert [title for _, title in begun[3:]] == ["Attention maps of 4 pictures"]  # three of them were there


def test_more_pictures_than_there_is_room_for_are_said(db, open_page, monkeypatch):
    monkeypatch.setattr(contents, "MOST_PICTURES", 2)
    at = open_link({"pictures": ["1", "2", "3"]})
    assert any("left out" in each.value for each in at.caption)
    assert at.text_area(key="caption").value.startswith("Attention maps of 2 pictures")


def test_the_caption_follows_the_figure_until_it_is_changed(db, open_page):
    at = open_page("figure", image=1)
    assert (
        "Bilderatlas" in at.text_area(key="caption").value and "weights abababab" in at.text_area(key="caption").value
    )
    choose(at, "figure_scale", "panel")
    assert "cannot be compared between maps" in at.text_area(key="caption").value
    at.text_area(key="caption").set_value("My own words.").run()
    choose(at, "figure_scale", "figure")
    assert at.text_area(key="caption").value == "My own words." and at.query_params["caption"] == "My own words."
    at.button(key="caption_anew").click().run()
    assert "One scale for all maps" in at.text_area(key="caption").value and "caption" not in at.query_params


def test_maps_that_are_not_stored_are_made_now_once_and_one_that_fails_says_so(db, open_page, monkeypatch):
    run = add_network(db)
    passes, compute = Counter(), lookup._compute

    def counted(subject, method, text):
        passes[subject.image_id] += 1
        if subject.image_id == 2:
            raise RuntimeError("out of memory")
        return compute(subject, method, text)

    monkeypatch.setattr(lookup, "_compute", counted)
    query = {"run": str(run), "pictures": ["1", "2"], "col": [f"{run};cls;0;0", f"{run};cls;1;mean"]}
    at = open_link(query)
    assert not at.exception and passes[1] == 1
    assert any("2 maps could not be made" in each.value and "out of memory" in each.value for each in at.caption)
    caption_words = at.text_area(key="caption").value
    assert re.search(r"The network saw 52\s% of \(a\); the dimmed rest was cut off\. 2 maps could not", caption_words)
    before = passes.total()
    choose(at, "figure_scale", "row")
    assert passes.total() == before  # neither the maps nor what failed is tried again by itself
    at.button(key="figure_again").click().run()
    assert passes[1] == 1 and passes[2] > 1


def test_a_column_of_attribution_has_a_target_of_its_own(db, open_page):
    run = add_network(db)
    query = {"run": str(run), "pictures": ["1"], "col": [f"{run};received;1;mean", f"{run};daam;1;;neighbours:2"]}
    at = open_link(query)
    choose(at, "figure_column", 1)
    assert at.number_input(key="target_count").value == 2
    at.number_input(key="target_count").set_value(3).run()
    assert shown(at)[1] == f"{run};daam;1;;neighbours:3" and not at.exception
    choose(at, "figure_unit", "weight")
    assert any("multiples of uniform" in each.value for each in at.caption)
    choose(at, "figure_scale", "column")
    words = at.text_area(key="caption").value
    assert "for attribution contribution to the target's score" in words and "like its 3 neighbours" in words


def test_of_many_pictures_those_that_are_found_are_offered(db, open_page, monkeypatch):
    monkeypatch.setattr(pickers, "MANY", 3)
    at = open_link({"pictures": ["2"]})
    at.text_input(key="figure_search").set_value("lisa").run()
    assert [one.split(" ")[0] for one in at.multiselect(key="pictures").options] == ["The", "Ejiri", "Mona"]


def test_the_preview_is_drawn_once(db, open_page, monkeypatch):
    drawn, png = [], sheet.png
    monkeypatch.setattr(sheet, "png", lambda made: drawn.append(made.dpi) or png(made))
    at = open_page("figure", image=1)
    at.run()
    assert len(drawn) == 1 and drawn[0] < 300
    choose(at, "figure_scale", "panel")
    assert len(drawn) == 2


def test_attention_and_attribution_on_one_scale_are_drawn_in_multiples():
    share, evidence = (finding.Found(maps=_maps(unit)) for unit in ("share", "evidence"))
    assert finding.unit_of("weight", "figure", [[share, evidence]]) == "uniform"
    assert finding.unit_of("weight", "column", [[share, evidence]]) == "weight"
    assert finding.unit_of("weight", "figure", [[share, share]]) == "weight"
    assert finding.unit_of("weight", "absolute", [[share]]) == "uniform"


def _maps(unit):
    return shown_maps([0], [0], ["x"], np.ones((1, 2, 2), np.float32), unit)


def test_the_action_leads_to_a_figure_of_what_is_selected(db, open_page, monkeypatch):
    waiting = [("wall", {"client": "me", "done": [[1, "only", [2]], [2, "add", [5]], [3, "figure", 2]]})]
    begin = navigation.read_from_url

    def first():
        while waiting:
            actions.handle(*waiting.pop())
        begin()

    monkeypatch.setattr(navigation, "read_from_url", first)
    at = open_page()
    assert at.multiselect(key="pictures").value == [2, 5] and at.query_params["pictures"] == ["2", "5"]


def test_attention_hands_over_its_columns(db, open_page):
    at = open_page("attention", image=3, method="cls", layer="1", head="0")
    at.button(key="figure_grid").click().run()
    assert not at.exception and shown(at) == ["1;cls;1;0"]
    assert at.multiselect(key="pictures").value == [3]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["title", "Artist", "year", "Inventory no."], ["Artist", "year", "Inventory no."]),
        (["accession_number", "place"], ["accession_number"]),
        (["place"], []),
    ],
)
def test_titles_name_maker_date_and_inventory_number_where_there_are_such_columns(names, found):
    assert caption.usual_columns(names) == found


def test_columns_are_called_by_what_they_alone_are(db):
    def script():
        import streamlit as st

        from dashboard.selection.maps import columns as naming
        from dashboard.selection.maps.columns import Column as One

        many = [One(1, "cls", layer, "mean") for layer in (0, 2)]
        st.text(repr(naming.titles(many)))
        st.text(repr(naming.titles([many[0], One(1, "rollout", 0, "")])))

    at = AppTest.from_function(script).run()
    assert at.text[0].value == "(['Layer 0', 'Layer 2'], 'CLS attention, mean of heads')"
    assert at.text[1].value == "(['CLS attention · layer 0 · mean of heads', 'Attention rollout · depth 0'], '')"
