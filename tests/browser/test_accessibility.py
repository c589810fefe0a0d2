"""What axe-core finds on the pages: nothing serious; what can be hit is large enough; nothing moves on its own. https://github.com/dequelabs/axe-core"""

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


# What can be hit and is smaller than 24 pixels, that which WCAG 2.5.8 excepts left out: words within a sentence, and what
# Streamlit hides until it is pointed at or reached by key, or draws another handle for (its sliders and lists).
SMALL = """() => {
  const found = [];
  const asks = "button, a[href], input, select, textarea, summary, [role=button], [role=radio], [role=tab], [tabindex='0']";
  const excepted = ".ba-term, [data-testid=stSkipToContent], [data-testid=stSlider] input, [data-testid=stSelectbox] input, " +
    "[data-testid=stMultiSelect] input, p a[href]:not([data-testid]), a[aria-label='Link to heading']";
  const seek = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) seek(each.shadowRoot);
      if (!each.matches(asks) || each.matches(excepted) || each.closest("[inert], [aria-hidden=true]")) continue;
      const { width, height, right } = (each.closest("label") ?? each).getBoundingClientRect();
      const { visibility, clipPath } = getComputedStyle(each);
      if (!width || !height || right <= 0 || visibility === "hidden" || clipPath !== "none") continue;
      if (Math.min(width, height) < 23.5)
        found.push(`${each.getAttribute("aria-label") ?? each.textContent.trim().slice(0, 40)} is ` +
          `${Math.round(width)} × ${Math.round(height)} pixels: ${each.outerHTML.slice(0, 120)}`);
    }
  };
  seek(document);
  return found;
}"""


# What of our components moves for longer than 10 ms. Streamlit's own parts the tests hold still anyway.
MOVING = """() => {
  const found = [];
  const longest = (times) => Math.max(...times.split(",").map((time) => parseFloat(time) * (time.includes("ms") ? 1 : 1000)));
  const seek = (root, ours) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) seek(each.shadowRoot, true);
      const { transitionDuration, animationName, animationDuration } = getComputedStyle(each);
      const moves = longest(transitionDuration) > 10 || (animationName !== "none" && longest(animationDuration) > 10);
      if (ours && moves) found.push(`${each.tagName}.${each.className}`);
    }
  };
  seek(document, false);
  return [...new Set(found)];
}"""


def test_axe_finds_what_is_wrong(open_page, address):
    """A text too pale and a picture without words, put on a page by this test."""
    page = open_page(f"{address}/sql")
    page.evaluate(
        "() => { const wrong = document.createElement('p');"
        'wrong.innerHTML = \'<span style="color: #ccc; background: #fff">pale</span><img src="data:,">\';'
        "document.querySelector('[data-testid=stMain]').prepend(wrong); }"
    )
    assert sorted({each.partition(":")[0] for each in violations(page)}) == ["color-contrast", "image-alt"]
    page.evaluate("document.querySelector('[data-testid=stMain] button').style.cssText = 'min-height: 0; height: 20px'")
    assert len(page.evaluate(SMALL)) == 1


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 390),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("light", 1400), ("dark", 390), ("dark", 800))),
    ],
)
def test_no_page_has_a_serious_fault_a_small_target_or_more_width_than_its_window(open_page, address, scheme, width):
    wrong, page = {}, open_page(address, width=width, color_scheme=scheme)
    for word in navigation.PAGES:
        page.goto(f"{address}/{word}")
        idle(page)
        found = violations(page)
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        found += [f"{wide} pixels wide"] * (wide > width)
        found += page.evaluate(SMALL)
        if found:
            wrong[word] = found
    assert not wrong, wrong


def test_nothing_moves_for_who_asks_for_less_motion(open_page, address):
    moving = {}
    for motion in ("no-preference", "reduce"):
        page = open_page(address, reduced_motion=motion)
        moving[motion] = page.evaluate(MOVING)
        if motion == "reduce":
            for word in ("map", "similar", "attention"):
                page.goto(f"{address}/{word}")
                idle(page)
                moving[motion] += page.evaluate(MOVING)
            page.goto(f"{address}/attention?method=rollout")  # which can be played
            idle(page)
            moving[motion] += page.evaluate(MOVING)
    assert moving["no-preference"] and not moving["reduce"], moving


def test_the_tab_key_comes_to_every_page_and_shows_where_it_is(open_page, address):
    page = open_page(f"{address}/sql")
    here = """() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      const link = document.activeElement.closest("[data-testid=stPageLink] a");
      return [link && link.textContent.trim(), outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
    }"""
    seen = {}
    for _ in range(len(navigation.PAGES) + 14):
        page.keyboard.press("Tab")
        words, marked = page.evaluate(here)
        if words:
            seen[words] = marked
    for each in navigation.PAGES.values():
        assert any(words.endswith(each.title) and marked for words, marked in seen.items()), (each.title, seen)
    assert any("For example" in words and marked for words, marked in seen.items())
