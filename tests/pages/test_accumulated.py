"""DAAM accumulates wherever it is drawn, and one block is shown on request: what the pages draw against sums of maps."""

import numpy as np
import pytest

from dashboard.data import cache
from store import connection, write
from store.records import Results
from tests.pages import database
from tests.pages.test_attention import panes, titles
from tests.support.maps import stored_maps
from tests.support.pages import html_of, walls

TARGET = "neighbours:5"
LAYERS, ROWS, COLS = database.LAYERS, 4, 6


def add_blocks(db, layers=range(LAYERS), images=(1, 4)) -> None:
    """Evidence of each block in other places, for these images."""
    count = len(layers)
    weights = np.random.default_rng(5).gamma(2, 1, (len(images) * count, ROWS * COLS)).astype(np.float32)
    ids = np.repeat(np.array(images), count)
    block = stored_maps("daam", TARGET, ROWS, COLS, ids, np.tile(np.array(layers), len(images)), None, weights)
    with connection.writing(db) as con:
        write.add_results(con, 1, Results(np.array(images), maps=[block]))


@pytest.fixture
def blocks(db) -> np.ndarray:
    """The stored blocks of picture 1 (blocks, rows, cols)."""
    add_blocks(db)
    return cache.maps(1, 1, "daam", TARGET).weights.astype(np.float64)


def multiples(texts: list[str]) -> np.ndarray:
    """What the page says of each patch: times the mean of its map."""
    return np.array([float(text.removeprefix("×")) for text in texts])


def drawn(weights: np.ndarray) -> np.ndarray:
    return weights.ravel() / weights.mean()


def test_the_wall_shows_the_sum_of_all_blocks_up_to_each(blocks, open_page):
    at = open_page("attention", image=1, method="daam", target=TARGET)
    assert not at.exception and titles(at) == [f"Accumulated to block {n}" for n in range(LAYERS)]
    for pane, sums in zip(panes(at), blocks.cumsum(axis=0), strict=True):
        np.testing.assert_allclose(multiples(pane["values"]), drawn(sums), atol=0.051)
    assert f"Accumulated to blocks 0, 1, {LAYERS - 1}, each the sum of all blocks up to it" in html_of(at)
    assert "frames" not in at.query_params


def test_one_depth_alone_on_the_wall_is_still_the_sum_of_those_before(blocks, open_page):
    at = open_page("attention", image=1, method="daam", target=TARGET, layer=2)
    (pane,) = panes(at)
    assert pane["title"] == "Accumulated to block 2"
    assert "Accumulated to block 2, the sum of all blocks up to it, counted from 0" in html_of(at)
    np.testing.assert_allclose(multiples(pane["values"]), drawn(blocks.sum(axis=0)), atol=0.051)
    assert [shot["caption"] for shot in walls(at)["player"]["shots"]] == [
        f"Accumulated to block {n}" for n in range(LAYERS)
    ]


@pytest.mark.parametrize("link", ["alone", "by block"])
def test_each_block_alone_is_shown_on_request_and_by_links_of_before(blocks, open_page, link):
    at = open_page("attention", image=1, method="daam", target=TARGET, frames=link)
    assert not at.exception and titles(at) == [f"Block {n} alone" for n in range(LAYERS)]
    for pane, weights in zip(panes(at), blocks, strict=True):
        np.testing.assert_allclose(multiples(pane["values"]), drawn(weights), atol=0.051)
    assert [shot["caption"] for shot in walls(at)["player"]["shots"]] == [f"Block {n} alone" for n in range(LAYERS)]
    assert "alone, without those before" in html_of(at)
    assert at.query_params["frames"] in ("alone", ["alone"])


def test_the_link_of_before_for_what_is_shown_at_first_still_opens(blocks, open_page):
    at = open_page("attention", image=1, method="daam", target=TARGET, frames="gathered")
    assert not at.exception and titles(at)[0] == "Accumulated to block 0"


def test_a_comparison_accumulates_too_and_shows_a_block_on_request(blocks, open_page):
    columns = ["1;daam;1;", "1;daam;1;alone"]
    at = open_page("attention", image=1, view="compare", target=TARGET)
    at.query_params["column"] = columns
    at.run()
    assert not at.exception and at.query_params["column"] == columns
    (sums,), (alone,) = panes(at, "compare_0"), panes(at, "compare_1")
    assert sums["title"].startswith("Accumulated to block 1") and alone["title"].startswith("Block 1 alone")
    np.testing.assert_allclose(multiples(sums["values"]), drawn(blocks[:2].sum(axis=0)), atol=0.051)
    np.testing.assert_allclose(multiples(alone["values"]), drawn(blocks[1]), atol=0.051)


def test_blocks_that_lack_some_before_them_are_never_added_up(db, open_page):
    add_blocks(db, layers=(1, 2))
    at = open_page("attention", image=1, method="daam", target=TARGET)
    assert not at.exception and "cannot be used here" in at.main.info[0].value  # this run's network is not to be had
    alone = open_page("attention", image=1, method="daam", target=TARGET, frames="alone")
    assert titles(alone) == ["Block 1 alone", "Block 2 alone"]
