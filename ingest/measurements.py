"""What was measured of networks, remembered in the user's cache folder, so that a network is measured once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class Measurements(MutableMapping[str, dict[str, Any]]):
    """Plain data by name, each in a JSON file of a folder. Where that cannot be written they last as long as this
    object; a file that cannot be read counts as none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here: dict[str, dict[str, Any]] = {}

    def __getitem__(self, name: str) -> dict[str, Any]:
        if name not in self.here:
            try:
                self.here[name] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
            except (OSError, ValueError):
                raise KeyError(name) from None
        return self.here[name]

    def __setitem__(self, name: str, found: dict[str, Any]) -> None:
        self.here[name] = found
        unfinished = self.folder / f"{name}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(found), "utf-8")
            unfinished.replace(self.folder / f"{name}.json")
        except OSError:
            return

    def __delitem__(self, name: str) -> None:
        self.here.pop(name, None)
        with suppress(OSError):
            (self.folder / f"{name}.json").unlink()

    def __iter__(self) -> Iterator[str]:
        stored = {file.stem for file in self.folder.glob("*.json")} if self.folder.is_dir() else set()
        return iter(stored | set(self.here))

    def __len__(self) -> int:
        return sum(1 for _ in self)
