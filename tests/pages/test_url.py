"""State in the address: what a link says is taken over, what a browser repeats is not, and values outlive their pages."""

import pytest
from streamlit.testing.v1 import AppTest

TIMEOUT = 60


def script():
    import streamlit as st

    from dashboard.state import controls, url

    page = st.session_state.get("page", "first")
    with url.bound(page):
        if page == "second":
            st.write("another page")
        else:
            few = st.session_state.get("few", False)
            layers = range(3 if few else 12)
            controls.selectbox("Layer", layers, len(layers) - 1, key="layer", format_func="layer {}".format)
            controls.segmented_control("Scale", ["map", "shared"], key="scale")
            controls.multiselect("Heads", range(4), [0, 1], key="heads", follows=True)
            controls.toggle("Mask", key="mask")
            controls.slider("Share", 5, 100, 60, 5, key="share")
            controls.slider("Size", 0.3, 3.0, 1.0, 0.1, key="size")
            controls.number_input("Seed", 0, 2**31, 0, key="seed")
            controls.text_input("Folder", key="folder")
            controls.pagination(9, key="part")
        for key, texts in url.asked().items():
            st.caption(f"{key} asked for {texts}")


FIRST = {"layer": 11, "scale": "map", "heads": [0, 1], "mask": False, "share": 60, "size": 1.0, "seed": 0, "folder": ""}
FIRST |= {"part": 1}
OTHERS = {
    "layer": 3,
    "scale": "shared",
    "heads": [2],
    "mask": True,
    "share": 25,
    "size": 2.5,
    "seed": 7,
    "folder": "x&f=y",
}
WRITTEN = {"layer": "3", "scale": "shared", "heads": "2", "mask": "true", "share": "25", "size": "2.5", "seed": "7"}
WRITTEN |= {"folder": "x&f=y"}
VAIN = {"layer": "99", "scale": "own", "heads": "17", "mask": "maybe", "share": "1e999", "size": "nan", "seed": "-1"}


# A page of a wall cannot be clicked in AppTest.


def opened(**query) -> AppTest:
    at = AppTest.from_function(script, default_timeout=TIMEOUT)
    at.query_params.update(query)
    return at.run()


def values(at: AppTest) -> dict:
    assert not at.exception
    return {key: at.session_state[key] for key in FIRST}


def address(at: AppTest) -> dict:
    return {key: at.query_params[key] for key in at.query_params}


def put(at: AppTest, key: str, value) -> AppTest:
    kinds = {"layer": at.selectbox, "scale": at.segmented_control, "heads": at.multiselect, "mask": at.toggle}
    kinds |= {"share": at.slider, "size": at.slider, "seed": at.number_input, "folder": at.text_input}
    return kinds[key](key=key).set_value(value).run()


def test_a_new_session_has_the_first_values_and_a_bare_address():
    at = opened()
    assert values(at) == FIRST and address(at) == {}


@pytest.mark.parametrize("key", OTHERS)
def test_what_is_chosen_stands_in_the_address_and_a_link_opens_it(key):
    at = put(opened(), key, OTHERS[key])
    assert values(at) == FIRST | {key: OTHERS[key]} and address(at) == {key: WRITTEN[key]}
    assert values(opened(**{key: WRITTEN[key]})) == FIRST | {key: OTHERS[key]}
    assert address(put(at, key, FIRST[key])) == {}


def test_a_page_of_a_wall_is_opened_by_its_number():
    at = opened(part="4")
    assert values(at) == FIRST | {"part": 4} and address(at) == {"part": "4"}
    assert values(opened(part="10")) == FIRST


def test_labels_of_older_links_are_read():
    assert values(opened(layer="layer 3", mask="True"))["layer"] == 3
    assert values(opened(mask="True"))["mask"] is True


@pytest.mark.parametrize("key", VAIN)
def test_words_that_mean_nothing_leave_the_first_value_and_are_reported(key):
    at = opened(**{key: VAIN[key]})
    assert values(at) == FIRST and address(at) == {}
    assert f"{key} asked for" in at.caption[0].value


def test_nothing_chosen_is_a_choice():
    at = put(opened(), "heads", [])
    assert values(at)["heads"] == [] and address(at) == {"heads": ""}
    assert values(opened(heads=""))["heads"] == []


def test_an_address_that_lags_behind_is_not_followed_however_late():
    at = opened()
    for layer in (5, 4, 3):
        put(at, "layer", layer)
    for late in ("5", "4"):
        at.query_params["layer"] = late
        put(at, "seed", int(late))
        assert values(at)["layer"] == 3 and address(at) == {"layer": "3", "seed": late}
    del at.query_params["layer"]
    assert values(put(at, "mask", True))["layer"] == 3


def test_back_is_followed_to_what_is_there_and_to_what_is_not(history_navigation):
    at = put(put(opened(), "layer", 5), "layer", 3)
    history_navigation()
    at.query_params["layer"] = "5"
    assert values(at.run())["layer"] == 5
    del at.query_params["layer"]
    assert values(at.run()) == FIRST
    at.query_params["layer"] = "3"  # Forward
    assert values(at.run())["layer"] == 3
    history_navigation(False)
    assert values(put(at, "layer", 8))["layer"] == 8


def test_words_that_a_session_never_had_are_a_link():
    at = put(opened(), "layer", 5)
    at.query_params["layer"] = "7"
    assert values(at.run())["layer"] == 7


def test_values_outlive_another_page_and_a_link_changes_them():
    at = put(put(opened(), "layer", 5), "heads", [3])
    at.session_state["page"] = "second"
    at.query_params.clear()
    at.run()
    assert "layer" not in at.session_state and address(at) == {}
    at.session_state["page"] = "first"
    at.run()
    assert values(at) == FIRST | {"layer": 5, "heads": [3]} and address(at) == {"layer": "5", "heads": "3"}
    at.session_state["page"] = "second"
    at.run()
    at.session_state["page"] = "first"
    at.query_params["layer"] = "4"
    assert values(at.run())["layer"] == 4


def test_what_another_network_does_not_have_gives_way():
    at = put(opened(), "layer", 5)
    at.session_state["few"] = True
    at.run()
    assert not at.exception and at.session_state["layer"] == 2 and address(at) == {}


def test_other_peoples_words_stay():
    at = opened(utm="x", layer="3")
    assert address(put(at, "mask", True)) == {"utm": "x", "layer": "3", "mask": "true"}
