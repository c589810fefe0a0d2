"""The Tab key comes to every control of a page and shows where it is; arrows go through a gallery of maps."""

import pytest

pytestmark = pytest.mark.browser

# Every control in the main part that is to be reached: one of a row of buttons, and one of a gallery.
CONTROLS = """() => {
  const controls = [];
  const asks = "button, a[href], input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const seek = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) seek(each.shadowRoot);
      if (!each.matches(asks) || each.disabled || each.closest("[inert], [aria-hidden=true], template")) continue;
      if (each.getAttribute("tabindex") === "-1" || !each.checkVisibility({ visibilityProperty: true })) continue;
      controls.push(each);
    }
  };
  seek(document.querySelector("[data-testid=stMain]"));
  const look = (each) => {
    const found = [];
    for (let node = each, step = 0; node instanceof Element && step < 5; node = node.parentElement, step += 1) {
      const { outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor } = getComputedStyle(node);
      found.push([outlineStyle === "none" ? "" : outlineWidth, boxShadow, borderColor, backgroundColor].join());
    }
    return found.join("|");
  };
  const named = (each) => `${each.tagName.toLowerCase()} ${each.getAttribute("aria-label") ?? each.textContent.trim().slice(0, 30)}` +
    ` in ${each.closest("[class*=st-key]")?.className.match(/st-key-\\S+/) ?? each.getRootNode().host?.className ?? ""}`;
  window.walk = { controls, look, named, before: new Map(controls.map((each) => [each, look(each)])), met: new Set(), pale: new Set() };
  return controls.length;
}"""
STEP = """() => {
  let here = document.activeElement;
  while (here?.shadowRoot?.activeElement) here = here.shadowRoot.activeElement;
  const { look, named, before, met, pale } = window.walk;
  if (!before.has(here)) return !here || here === document.body;
  met.add(here);
  if (look(here) === before.get(here)) pale.add(here);
  return false;
}"""
MISSED = """() => {
  const { controls, named, met, pale } = window.walk;
  const group = (each) => each.closest("[role=radiogroup]");
  const reached = new Set([...met].map(group).filter(Boolean));
  const missed = controls.filter((each) => each.isConnected && !met.has(each) && !reached.has(group(each)));
  return [missed.map(named), [...pale].map(named), met.size];
}"""


@pytest.mark.parametrize("word", ["attention", "figure", "heads"])
def test_the_tab_key_comes_to_every_control_and_shows_where_it_is(open_page, address, word):
    page = open_page(f"{address}/{word}")
    count = page.evaluate(CONTROLS)
    page.evaluate("document.querySelector('[data-testid=stMain]').focus()")
    for _ in range(count + 60):
        page.keyboard.press("Tab")
        if page.evaluate(STEP):
            break
    missed, pale, met = page.evaluate(MISSED)
    assert not missed and not pale and met > 10, {"never reached": missed, "without a ring": pale, "met": met}


HERE = """() => {
  let here = document.activeElement;
  while (here?.shadowRoot?.activeElement) here = here.shadowRoot.activeElement;
  return here.getAttribute("aria-label") ?? here.textContent.trim();
}"""


def test_arrows_go_through_a_gallery_of_maps(open_page, address):
    page = open_page(f"{address}/heads")
    page.locator(".st-key-head_peaks .piece").first.focus()
    seen = [page.evaluate(HERE)]
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(page.evaluate(HERE))
    assert len(set(seen[:4])) == 4 and seen[0] == seen[4], seen
