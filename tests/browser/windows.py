"""Windows of the browser, each with cookies and storage of its own, that one test after the other looks through.

A new window has Chromium make a window of the desktop and compile all of Streamlit's JavaScript again, which takes longer
than most tests do.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

PATIENCE = 60_000  # milliseconds that a page may take on a busy machine
HEIGHT = 1000
# Streamlit's own animations (a skeleton, a spinner) are drawn without a graphics card sixty times a second as long as a
# page runs: a quarter of all that these tests compute. Those of our components are in their shadow trees, and stay.
STILL = """document.addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = "*, *::before, *::after { animation: none !important; transition: none !important; }";
  document.head.append(style);
});"""

# Notes when anything went to the server or came from it, and whether a rerun was asked for that has not begun: the first
# field of a message that is neither its hash nor its metadata says of which kind it is (Streamlit's protocol).
TRAFFIC = """(() => {
  const [RERUN, NEW_SESSION] = [11, 4];
  const traffic = { last: 0, asked: false };
  const kindOf = (bytes) => {
    let at = 0;
    const number = () => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        value |= (bytes[at] & 127) << shift;
        if (!(bytes[at++] & 128)) return value;
      }
    };
    for (;;) {
      const field = number() >>> 3;
      if (field > 2) return field;
      const length = number();
      at += length;
    }
  };
  window.traffic = traffic;
  window.WebSocket = class extends WebSocket {
    constructor(...words) {
      super(...words);
      this.addEventListener("message", ({ data }) => {
        traffic.last = performance.now();
        if (kindOf(new Uint8Array(data)) === NEW_SESSION) traffic.asked = false;
      });
    }
    send(data) {
      traffic.last = performance.now();
      if (kindOf(data) === RERUN) traffic.asked = true;
      super.send(data);
    }
  };
})();"""
# It looks from inside the page: one that is busy with a click does not look before it is through with that. What stands in
# for a part whose code is on its way may stay, outside the window: that is waited for two seconds, no longer.
QUIET = """(patience) => new Promise((resolve, reject) => {
  const end = performance.now() + patience;
  const look = () => {
    const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
    const { last, asked } = window.traffic;
    const now = performance.now();
    const loading = document.querySelector("[data-testid=stSkeleton], [data-testid=stAppSkeleton]");
    const drawn = () => requestAnimationFrame(() => requestAnimationFrame(resolve));
    if (state === "notRunning" && !asked && now - last > (loading ? 2000 : 150)) drawn();
    else if (now > end) reject(new Error(`the page is not quiet: ${state}, ${asked ? "a rerun is asked for" : "none asked for"}`));
    else setTimeout(look, 30);
  };
  setTimeout(look, 60);
})"""

# Who has been here before is shown no tour, of which one test is.
VISITED = """try { localStorage.setItem("bilderatlas-tour", "seen"); } catch {}"""


def quiet(page: Page) -> None:
    """Waits until Streamlit has answered whatever was done on a page, which `watch` watches."""
    page.evaluate(QUIET, PATIENCE)


def number(element: Locator, name: str) -> float:
    """What a component says in its attribute data-`name`, from when it says it: it is drawn first, and measured then."""
    expect(element).to_have_attribute(f"data-{name}", re.compile(r"\d"), timeout=PATIENCE)
    return float(element.get_attribute(f"data-{name}"))


def resting(element: Locator) -> dict[str, float]:
    """Where an element is, from when it has been there for five looks in a row."""
    box, looks, end = None, 0, time.monotonic() + PATIENCE / 1000
    while looks < 5:
        if time.monotonic() > end:
            raise AssertionError(f"it moves still, and is at {box}")
        element.page.wait_for_timeout(100)
        before, box = box, element.bounding_box()
        looks = looks + 1 if box and box == before else 0
    return box


def watch(page: Page | BrowserContext) -> None:
    """Watches what a page, or each of a context, has to do with its server; before it is opened."""
    page.add_init_script(TRAFFIC)


class Window:
    """One page, and its `problems`: console errors and failed requests since it was last left."""

    def __init__(self, browser: Browser, **settings):
        self.context = browser.new_context(accept_downloads=True, **settings)
        self.context.add_init_script(STILL)
        self.context.add_init_script(VISITED)
        watch(self.context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("response", self._watch)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.problems: list[str] = []

    def show(self, address: str, width: int, color_scheme: str) -> Page:
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.emulate_media(color_scheme=color_scheme)
        self.page.goto(address)
        return self.page

    def reset(self) -> None:
        """Forgets everything but the files of the browser's cache: what was stored, and where the mouse was."""
        if self.page.url.startswith("http"):
            self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.goto("about:blank")
        self.page.mouse.move(-1, -1)
        self.context.clear_cookies()
        self.problems.clear()

    def _watch(self, response) -> None:
        # Opened below its root, Streamlit's own page tries where the server's root may be: these are its misses.
        if response.status >= 400 and "_stcore" not in response.url:
            self.problems.append(f"{response.status} {response.url}")

    def _hear(self, message) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.problems.append(message.text)


class Windows:
    """Hands out windows that nobody looks through, by their settings, and makes more when there are none."""

    def __init__(self, browser: Browser):
        self.browser = browser
        self._idle: dict[str, list[Window]] = {}

    @contextmanager
    def lent(self) -> Iterator["Lender"]:
        """For one test. After a failure, or whatever else left a window in disorder, it is closed."""
        lender = Lender(self)
        try:
            yield lender
        finally:
            for key, window in lender.used:
                if lender.spoilt or window.page.is_closed() or len(window.context.pages) > 1:
                    window.context.close()
                else:
                    window.reset()
                    self._idle.setdefault(key, []).append(window)

    def take(self, settings: dict) -> tuple[str, Window]:
        key = repr(sorted(settings.items()))
        idle = self._idle.get(key)
        return key, idle.pop() if idle else Window(self.browser, **settings)


class Lender:
    """The windows that a test has asked for; it says `spoilt` of them where it has failed."""

    def __init__(self, windows: Windows):
        self._windows = windows
        self.used: list[tuple[str, Window]] = []
        self.spoilt = False

    def show(self, address: str, width: int, color_scheme: str, **settings) -> Page:
        self.used.append(self._windows.take(settings))
        return self.used[-1][1].show(address, width, color_scheme)

    @property
    def problems(self) -> list[str]:
        return [problem for _, window in self.used for problem in window.problems]
