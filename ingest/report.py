"""What a person at the terminal sees: lines and progress bars on stderr, one last line of counts on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SELDOM = 5.0  # seconds between two lines about the same work


def shares(log: Callable[[str], None], title: str) -> Callable[[float], None]:
    """A function that logs which share, 0..1, of some work is done, at most every SELDOM seconds."""
    last = time.monotonic()

    def advance(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= SELDOM:
            last = time.monotonic()
            log(f"{title}: {share:.0%}")

    return advance


class Report:
    """Tells how the work goes. With `as_json` the last line is a JSON object and the rest stays the same."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.notes: list[str] = []

    def note(self, line: str) -> None:
        """Tells what is to be read when the work is done: just before the last line."""
        self.notes.append(line)

    def log(self, line: str) -> None:
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)

    @contextmanager
    def progress(self, total: int, title: str, unit: str = "images") -> Iterator[Callable[[int], object]]:
        """A bar of `total` images, or another unit, with how many a second; yields the function that moves it on."""
        from tqdm import tqdm

        with tqdm(total=total, desc=title, unit=f" {unit}", file=sys.stderr, smoothing=0.1, disable=total == 0) as bar:
            yield bar.update

    def finish(self, line: str, counts: dict[str, Any]) -> None:
        for note in self.notes:
            self.log(note)
        print(json.dumps(counts, ensure_ascii=False, default=str) if self.as_json else line, flush=True)
