"""What axe-core finds on the pages: nothing serious. https://github.com/dequelabs/axe-core"""

import pytest

from dashboard.state import navigation
from tests.browser.conftest import idle

pytestmark = pytest.mark.browser
# Some of Streamlit's own parts scroll on a phone and cannot be reached by a key; what is in them can.
OPTIONS = {"resultTypes": ["violations"], "rules": {"scrollable-region-focusable": {"enabled": False}}}
SERIOUS = ("serious", "critical")


def violations(page) -> list[str]:
    """What is seriously wrong, a line for each element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:120]} ({node.get('failureSummary', '')[:200]})"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def test_axe_finds_what_is_wrong(open_page, address):
    """A text too pale and a picture without words, put on a page by this test."""
    page = open_page(f"{address}/sql")
    page.evaluate(
        "() => { const wrong = document.createElement('p');"
        'wrong.innerHTML = \'<span style="color: #ccc; background: #fff">pale</span><img src="data:,">\';'
        "document.querySelector('[data-testid=stMain]').prepend(wrong); }"
    )
    assert sorted({each.partition(":")[0] for each in violations(page)}) == ["color-contrast", "image-alt"]


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1400), ("dark", 390), pytest.param("dark", 800, marks=pytest.mark.slow)],
)
def test_no_page_has_a_serious_fault_or_is_wider_than_its_window(open_page, address, scheme, width):
    wrong, page = {}, open_page(address, width=width, color_scheme=scheme)
    for word in navigation.PAGES:
        page.goto(f"{address}/{word}")
        idle(page)
        found = violations(page)
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        found += [f"{wide} pixels wide"] * (wide > width)
        if found:
            wrong[word] = found
    assert not wrong, wrong
