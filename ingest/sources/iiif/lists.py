"""Text files that list the addresses of manifests, one a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

LONGEST = 2**24  # bytes of a list that are read
_NO_LISTS = frozenset(
    [
        ".csv",
        ".tsv",
        ".html",
        ".htm",
        ".md",
        ".xml",
        ".yaml",
        ".yml",
        ".json",
        ".jsonl",
        ".jsonld",
        ".log",
        ".py",
        ".ipynb",
        ".sh",
        ".bib",
        ".ris",
    ]
)


@dataclass(frozen=True)
class Addresses:
    """What a list holds, in its order: the addresses, each once, and (number, line) of what is none."""

    name: str
    good: tuple[str, ...]
    bad: tuple[tuple[int, str], ...]
    lines: dict[str, int]

    def name_of(self, number: int | str) -> str:
        """What a line that holds no address is called among the failures."""
        return f"{self.name}#line={number}"

    def line_of(self, address: str) -> str:
        """Where an address stands, to be added to a sentence."""
        return f" (line {self.lines[address]} of {self.name})" if address in self.lines else ""


def addresses_in(source: str) -> Addresses | None:
    """The addresses in a text file that lists some, one a line; empty lines and those that begin with # say nothing,
    nor does what follows an address after a space and #. None for all other files, and for what is no file."""
    path = Path(source).expanduser()
    try:
        if "://" in source or path.suffix.lower() in _NO_LISTS or not path.is_file():
            return None
        found = path.stat()
        return _read(path, found.st_size, found.st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=4)  # asked several times on the way of a command
def _read(path: Path, size: int, modified: int) -> Addresses | None:
    with open(path, "rb") as file:
        head = file.read(4096)
        if size > LONGEST or not re.search(rb"h\0?t\0?t\0?p\0?s?\0?:\0?/\0?/", head, re.IGNORECASE):
            return None
        data = head + file.read(LONGEST)
    wide = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(data[:2], "utf-8-sig")
    lines: dict[str, int] = {}
    bad = []
    for number, line in enumerate(data.decode(wide, errors="replace").splitlines(), start=1):
        text = line.strip().strip("\ufeff\"'<>,;").strip()
        if not text or text.startswith("#"):
            continue
        text = re.split(r"\s+#", text, maxsplit=1)[0].strip()
        if re.fullmatch(r"https?://[^/\s]+\S*", text, re.IGNORECASE) and text.isprintable():
            lines.setdefault(text, number)
        else:
            bad.append((number, "".join(letter for letter in text if letter.isprintable())[:80]))
    if not lines or len(bad) > len(lines) + 20:  # prose with an address in it
        return None
    return Addresses(path.name, tuple(lines), tuple(bad), lines)
