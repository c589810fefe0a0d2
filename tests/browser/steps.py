"""What a person does on a page, step by step: each click, key, drag and typed text counts as one, and has a name."""

import re
from collections.abc import Iterable
from time import perf_counter

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import idle


class Steps:
    """A task done on a page. Leaving it prints how many steps it took; what came of it the test asserts."""

    def __init__(self, page: Page, task: str):
        self.page, self.task = page, task
        self.done: list[str] = []

    def __enter__(self) -> "Steps":
        self.begin()
        return self

    def begin(self) -> None:
        """Counts from here."""
        self.done.clear()
        idle(self.page)
        self._start = perf_counter()

    def __exit__(self, *failure) -> None:
        end = "" if failure[0] is None else " … and then it failed"
        seconds = perf_counter() - self._start
        print(f"\nTASK {self.task}: {len(self.done)} steps: {', '.join(self.done)}{end} ({seconds:.1f} s)")

    def click(self, target: Locator, name: str, **how) -> None:
        """`how` as Playwright takes it: with a key held, or with the other button."""
        target.click(**how)
        self.did(name)

    def double_click(self, target: Locator, name: str) -> None:
        target.dblclick()
        self.did(f"double-click {name}")

    def press(self, key: str, name: str = "") -> None:
        self.page.keyboard.press(key)
        self.did(name or key)

    def type(self, text: str, field: Locator | None = None) -> None:
        """Types into a field, in place of what is there; without one, where the cursor is."""
        if field is None:
            self.page.keyboard.type(text)
        else:
            field.fill(text)
        self.did(f"type “{text}”")

    def choose(self, label: str, option: str) -> None:
        """Opens a list and takes one of its options: two steps."""
        self.click(self.page.get_by_role("combobox", name=label).last, label)
        self.click(self.page.get_by_role("option", name=option, exact=True), option)

    def drag(self, places: Iterable[tuple[float, float]], name: str) -> None:
        """The mouse through places of the window, in pixels, with the button held down."""
        first, *others = places
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for place in others:
            self.page.mouse.move(*place, steps=4)
        self.page.mouse.up()
        self.did(name)

    def go(self, title: str) -> None:
        """To a page by its link in the sidebar."""
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=title, exact=True).click()
        self.page.get_by_role("heading", name=title, exact=True).wait_for()
        self.did(title)

    def download(self, target: Locator, name: str) -> bytes:
        with self.page.expect_download() as waiting:
            target.click()
        self.did(name)
        return waiting.value.path().read_bytes()

    def did(self, name: str) -> None:
        self.done.append(name)
        idle(self.page)


# ---- what is to be seen on a page ------------------------------------------------------------------------------------


def picture(page: Page, title: str):
    """A picture of the gallery, by its title."""
    return page.locator("[data-testid=stMain] .wall .item").filter(has_text=title).locator(".piece")


def titles(page: Page) -> list[str]:
    """Of the pictures of the gallery, in their order."""
    found = page.locator("[data-testid=stMain] .wall .title")
    expect(found.last).not_to_be_empty()  # the words come after the pictures
    return found.all_inner_texts()


def undo(page: Page, words: str):
    """The button that says what will be undone."""
    return page.get_by_role("button", name=re.compile(f"^Undo: {re.escape(words)}"))
