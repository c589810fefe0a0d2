"""Which picture of a collection a cell of a table means: by path, by file name, by name without suffix."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote, unquote_to_bytes

from ingest.files import PICTURE_SUFFIXES
from ingest.vision.paths import file_and_part

BY_STEM = 6  # from this level on the cell is not the whole file name

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_QUERY = re.compile(r"\?(?=[^/?]*=)[^?]*$")
_IIIF = re.compile(  # an address of the IIIF Image API: identifier, region, size, rotation, quality
    r"/([^/]+)/(?:full|square|(?:pct:)?[0-9.,]+)/[^/]+/!?[0-9.]+/(?:default|native|color|gray|bitonal)\.[a-z0-9]+$"
)

# How a text is compared, and the paths and their ends that it may be.
Variant = tuple[Callable[[str], str], dict, dict]


class NameIndex:
    """Finds the picture that a cell of the table names; of a file with many pages or frames also the file itself, which
    stands for all of them."""

    def __init__(self, names: list[str]):
        self._parts = {name for name in names if file_and_part(name)[1]}
        names = list(dict.fromkeys(file_and_part(name)[0] for name in names))
        plain = {name: unicodedata.normalize("NFC", name) for name in names}
        stems = {name: _without_suffix(text) for name, text in plain.items()}
        # In the order of trust; each has three levels: see `_in`.
        self._variants: list[Variant] = [
            (_as_it_is, *_paths_and_tails(plain, _as_it_is)),
            (str.casefold, *_paths_and_tails(plain, str.casefold)),
            (_as_it_is, *_paths_and_tails(stems, _as_it_is)),
            (str.casefold, *_paths_and_tails(stems, str.casefold)),
        ]
        # Files that are themselves called as in an address: Caf%C3%A9.jpg.
        escaped = {name: text for name, old in plain.items() if (text := unescaped(old)) != old}
        self._escaped: list[Variant] = [
            (form, *_paths_and_tails(escaped, form)) for form in (_as_it_is, str.casefold) if escaped
        ]
        texts = (*plain.values(), *stems.values(), *escaped.values())
        self._last = {text.rpartition("/")[2].casefold() for text in texts}

    def promises(self, values: Iterable[str]) -> bool:
        """Whether a column may name pictures at all; cheap, since most columns of a large table do not."""
        for value in set(values):
            for reading in readings(value):
                last = file_and_part(reading)[0].rpartition("/")[2].casefold()
                if last and (last in self._last or _without_suffix(last) in self._last):
                    return True
        return False

    def look_up(self, value: str) -> tuple[str, int] | None:
        """(name, level) of the one picture or file that the value names, level 0 the surest; None for none or many."""
        name, level = self._found(value)
        return None if name is None or level is None else (name, level)

    def is_ambiguous(self, value: str) -> bool:
        """Whether the value fits several pictures, so that it names none."""
        name, level = self._found(value)
        return name is None and level is not None

    def _found(self, value: str) -> tuple[str | None, int | None]:
        for reading in readings(value):
            file, part = file_and_part(reading)
            name, level = self._file(file)
            if level is not None:
                if name is None or not part:
                    return name, level
                return (name + part, level) if name + part in self._parts else (None, None)
        return None, None

    def _file(self, value: str) -> tuple[str | None, int | None]:
        if not value:
            return None, None
        # A catalogue of the TIFF masters, a folder of their JPEGs: the last ones.
        bare = _without_suffix(value, PICTURE_SUFFIXES)
        tries = [(value, number, variant) for number, variant in enumerate(self._variants)]
        tries[2:2] = [(value, 1, variant) for variant in self._escaped]
        tries += [(bare, number, variant) for number, variant in enumerate(self._variants[2:], len(self._variants))]
        for text, number, variant in tries:
            name, level = _in(text, *variant)
            if level is not None:
                return name, 3 * number + level
        return None, None


def readings(value: str) -> Iterator[str]:
    """What a cell may mean by its name, the most literal first: the name as it is, or as it stands in an address, with
    escapes (%20), parameters (?width=800), or as the identifier of an image server."""
    plain = cleaned(value)
    yield plain
    if not ("%" in plain or "?" in plain or "://" in plain):
        return
    file, part = file_and_part(plain)
    bare = _QUERY.sub("", file)
    if "://" in file:
        bare = re.split(r"[?#]", bare, maxsplit=1)[0]
    texts = [bare, unescaped(file), unescaped(bare)]
    if match := _IIIF.search(bare):
        texts.append(unescaped(match[1]))
    if bare != file:  # view.php?file=0043.jpg
        texts += [unescaped(each.partition("=")[2]) for each in file[len(bare) + 1 :].split("&")]
    for text in dict.fromkeys(texts):
        if text and cleaned(text) != plain:
            yield cleaned(text) + part


def unescaped(text: str) -> str:
    """A text without the escapes of addresses, however often they were put; they stand for UTF-8, else for Latin-1."""
    for _ in range(2):
        if not _ESCAPE.search(text):
            break
        try:
            text = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            text = unquote(text, encoding="cp1252", errors="replace")
    return unicodedata.normalize("NFC", text)


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
