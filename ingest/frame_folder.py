"""The frames of a film as single PNG files, numbered, in a folder of their own."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_KEY = "Bilderatlas"  # of the text in each PNG that tells the frames of one film and drawing from those of another


class FrameFolder:
    """A folder of `frame-000001.png` and so on, each with what it shows in its `Description`.

    Frames that it holds already stay as they are, so that an interrupted film goes on. ValueError if they are not of
    the same film drawn in the same way, which `signature` tells: nothing is ever overwritten.
    """

    def __init__(self, path: Path, description: str, signature: dict[str, Any]) -> None:
        self.path, self.written = path, 0
        self._text = PngInfo()
        self._text.add_itxt("Description", description)
        signed = json.dumps(signature, sort_keys=True, default=str)
        self._text.add_itxt(_KEY, signed)
        path.mkdir(exist_ok=True)
        self._there = {file.name for file in path.iterdir() if re.fullmatch(r"frame-\d+\.png", file.name)}
        for name in sorted(self._there):
            if _signature(path / name) != signed:
                raise ValueError(
                    f"{path} holds frames of something else ({name} is of another film, or drawn in another way); "
                    "name an empty folder with --frames"
                )
        self.already = 0

    def write(self, number: int, picture: Image.Image) -> None:
        """Add the frame with this number, from 1, unless it is there; it is there whole or not at all."""
        name = f"frame-{number:06d}.png"
        if name in self._there:
            self.already += 1
            return
        unfinished = self.path / f".{name}.{os.getpid()}"
        try:
            picture.save(unfinished, "PNG", pnginfo=self._text)
            unfinished.replace(self.path / name)
        finally:
            unfinished.unlink(missing_ok=True)
        self.written += 1

    def counts(self) -> dict[str, Any]:
        """For the last line: the folder, how many pictures were written, and how many were there before."""
        return {"folder": str(self.path), "pictures": self.written, "already": self.already}


def check_folder(path: Path) -> None:
    """ValueError unless frames can be written into a folder of this name."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; --frames names a folder for the single pictures")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} for {path.name}")


def _signature(file: Path) -> str | None:
    try:
        with Image.open(file) as picture:
            return picture.info.get(_KEY)
    except (OSError, SyntaxError, ValueError):  # no picture at all
        return None
