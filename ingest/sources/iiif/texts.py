"""Words in IIIF documents: in several languages, in two ways of writing them down, with a little HTML among them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

LONGEST = 20_000  # characters of one value
VALUES = 100  # texts of one thing, in all its languages
PAIRS = 200  # of one document's metadata
FIRST_LANGUAGES = ("en", "none")
_MARKS = " \u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"  # of direction, around words

Words = Mapping[str, tuple[str, ...]]  # language -> texts; "none" where no language is told


def words_of(value: Any) -> dict[str, tuple[str, ...]]:
    """The texts under each language, from Presentation 2 (text, {"@value", "@language"}, lists) or 3 ({"de": [...]}).

    What is no text is passed over; markup is taken out.
    """
    found: dict[str, list[str]] = {}
    for language, text in islice(_texts(value), VALUES):
        if (text := plain(text)) and text not in found.setdefault(language, []):
            found[language].append(text)
    return {language: tuple(texts) for language, texts in found.items() if texts}


def chosen(words: Words, language: str | None = None) -> str:
    """The text in this language; else in the first of English, no language, any. Several texts are parted by '; '."""
    return _joined(words[found]) if (found := _language(words, language)) else ""


def columns(key: str, words: Words, language: str | None = None) -> dict[str, str]:
    """{key: the text chosen}, and beside it a column `key [fr]` for each other language that says something else."""
    return {name: _joined(texts) for name, texts in _columns(key, words, language).items()}


def columns_of_pairs(
    pairs: Iterable[tuple[Words, Words]], language: str | None = None, taken: Callable[[str], bool] = lambda name: False
) -> dict[str, str]:
    """The columns of a document's metadata. What stands under one label, however often and in whatever case, is one
    column with all its values, each once, as those of a list; a label that is `taken` becomes `label (metadata)`."""
    found: dict[str, list[str]] = {}
    spelt: dict[str, str] = {}
    for label, value in pairs:
        name = chosen(label, language)[:100].strip(_MARKS)
        for key, texts in _columns(f"{name} (metadata)" if taken(name) else name, value, language).items():
            values = found.setdefault(spelt.setdefault(key.casefold(), key), [])
            values += [text for text in dict.fromkeys(texts) if text not in values]
    return {name: _joined(texts) for name, texts in found.items()}


def _columns(key: str, words: Words, language: str | None) -> dict[str, tuple[str, ...]]:
    first = _language(words, language)
    if first is None:
        return {}
    values = {key: words[first]}
    values |= {f"{key} [{other}]": texts for other, texts in words.items() if _joined(texts) != _joined(words[first])}
    return values


def pairs_of(value: Any) -> list[tuple[Words, Words]]:
    """A document's metadata: (label, value), both in their languages; the first PAIRS of them."""
    pairs = [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
    found = [(words_of(entry.get("label")), words_of(entry.get("value"))) for entry in pairs[:PAIRS]]
    return [(label, values) for label, values in found if label and values]


def plain(text: str) -> str:
    """Text without markup, as one paragraph."""
    text = re.sub(r"(?i)<(?:br|/p|/li)\b[^<>]*>", " ", text[:LONGEST])
    text = re.sub(r"</?[A-Za-z][^<>]*>", "", text)
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", html.unescape(text)).strip()


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(texts)[:LONGEST]


def _language(words: Words, wanted: str | None) -> str | None:
    for language in (*((wanted,) if wanted else ()), *FIRST_LANGUAGES):
        for name in words:
            if name.casefold() == language.casefold() or name.casefold().startswith(f"{language.casefold()}-"):
                return name
    return next(iter(words), None)


def _texts(value: Any, language: str = "none", depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool) or value is None or depth > 4:
        return
    if isinstance(value, str):
        yield language, value
    elif isinstance(value, int | float):
        yield language, str(value)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, language, depth + 1)
    elif isinstance(value, Mapping) and "@value" in value:
        named = value.get("@language")
        yield from _texts(value["@value"], _tag(named) if isinstance(named, str) else language, depth + 1)
    elif isinstance(value, Mapping):
        for name, texts in value.items():
            if not name.startswith("@") and isinstance(texts, str | list):
                yield from _texts(texts, _tag(name), depth + 1)


def _tag(name: str) -> str:
    """A language tag such as de or zh-Hant; what is none counts as no language."""
    return name if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", name) and name != "@none" else "none"
