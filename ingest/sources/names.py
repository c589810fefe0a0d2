"""Which picture of a collection a cell of a table means: by path, by file name, by name without suffix."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from ingest.sources.folder import PICTURE_SUFFIXES
from ingest.vision.paths import file_and_part

BY_STEM = 6  # from this level on the cell is not the whole file name


class NameIndex:
    """Finds the picture that a cell of the table names; of a file with many pages or frames also the file itself, which
    stands for all of them."""

    def __init__(self, names: list[str]):
        self._parts = {name for name in names if file_and_part(name)[1]}
        names = list(dict.fromkeys(file_and_part(name)[0] for name in names))
        plain = {name: unicodedata.normalize("NFC", name) for name in names}
        stems = {name: _without_suffix(text) for name, text in plain.items()}
        # In the order of trust; each has three levels: see `_in`.
        self._variants = [
            (_as_it_is, *_paths_and_tails(plain, _as_it_is)),
            (str.casefold, *_paths_and_tails(plain, str.casefold)),
            (_as_it_is, *_paths_and_tails(stems, _as_it_is)),
            (str.casefold, *_paths_and_tails(stems, str.casefold)),
        ]
        self._last = {text.rpartition("/")[2].casefold() for text in (*plain.values(), *stems.values())}

    def promises(self, values: Iterable[str]) -> bool:
        """Whether a column may name pictures at all; cheap, since most columns of a large table do not."""
        for value in set(values):
            last = file_and_part(cleaned(value))[0].rpartition("/")[2].casefold()
            if last and (last in self._last or _without_suffix(last) in self._last):
                return True
        return False

    def look_up(self, value: str) -> tuple[str, int] | None:
        """(name, level) of the one picture or file that the value names, level 0 the surest; None for none or many."""
        value, part = file_and_part(cleaned(value))
        found = self._file(value)
        if not part or found is None:
            return found
        name = found[0] + part
        return (name, found[1]) if name in self._parts else None

    def _file(self, value: str) -> tuple[str, int] | None:
        if not value:
            return None
        for number, variant in enumerate(self._variants):
            name, level = _in(value, *variant)
            if level is not None:
                return (name, 3 * number + level) if name else None
        # A catalogue of the TIFF masters, a folder of their JPEGs.
        bare = _without_suffix(value, PICTURE_SUFFIXES)
        for number, variant in enumerate(self._variants[2:], start=len(self._variants)):
            name, level = _in(bare, *variant)
            if level is not None:
                return (name, 3 * number + level) if name else None
        return None


def _in(value: str, form, paths: dict, tails: dict) -> tuple[str | None, int | None]:
    """(name, level) or (None, level) where several pictures answer, (None, None) where none does.

    Level 0: the value is the whole path; 1: it is the end of one picture's path (as a file name is); 2: the end of
    the value is a whole path (the table names a folder further up).
    """
    key = form(value)
    if key in paths:
        return paths[key], 0
    if key in tails:
        return tails[key], 1
    for tail in _tails(key):
        if tail in paths:
            return paths[tail], 2
    return None, None


def _paths_and_tails(texts: dict[str, str], form) -> tuple[dict, dict]:
    """{path: name} and {end of a path: name}; the name is None where several pictures share the key."""
    paths: dict[str, str | None] = {}
    tails: dict[str, str | None] = {}
    for name, text in texts.items():
        key = form(text)
        paths[key] = None if key in paths else name
        for tail in _tails(key):
            tails[tail] = None if tail in tails else name
    return paths, tails


def _tails(path: str) -> Iterator[str]:
    """a/b/c.jpg: b/c.jpg, c.jpg."""
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _as_it_is(text: str) -> str:
    return text


def cleaned(value: str) -> str:
    """A cell as a path below the source: forward slashes, no leading ones, accents composed (NFC)."""
    path = unicodedata.normalize("NFC", value).replace("\\", "/").strip()
    return re.sub(r"^(?:\./|/)+", "", path)


def _without_suffix(path: str, suffixes: frozenset[str] | None = None) -> str:
    stem, dot, suffix = path.rpartition(".")
    if not dot or "/" in suffix or not stem or stem.endswith("/"):
        return path
    return stem if suffixes is None or f".{suffix.lower()}" in suffixes else path
