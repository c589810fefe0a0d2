"""The glossary: docs/glossary.md as the pages use it, for the words that a visitor may rest on."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path

_FILE = Path(__file__).parents[3] / "docs" / "glossary.md"
_ENTRY = re.compile(r"^\*\*(?P<words>.+?)\*\*: (?P<meaning>.+)$", re.MULTILINE)
STYLE = """<style>
.ba-term {position: relative; text-decoration: underline dotted; text-underline-offset: 0.2em; cursor: help}
.ba-term > span {display: none; position: absolute; left: 0; top: 1.6em; z-index: 1000; width: min(20rem, 80vw);
  padding: 0.5rem 0.7rem; border-radius: 4px; font-size: 0.82rem; line-height: 1.4; font-weight: 400;
  color: #fbfaf6; background: #2b2723; box-shadow: 0 2px 8px #0006}
.ba-term:hover > span, .ba-term:focus > span {display: block}
.ba-intro {margin: 0 0 0.4rem; line-height: 1.5; max-width: 52rem}
</style>"""


@cache
def entries() -> dict[str, str]:
    """{a word in small letters: what it means} of all words of the glossary and their other forms."""
    found = {}
    for entry in _ENTRY.finditer(_FILE.read_text(encoding="utf-8") if _FILE.exists() else ""):
        for word in entry["words"].split(", "):
            found[word.casefold()] = entry["meaning"]
    return found


def meaning(word: str) -> str:
    """What a word means, for the `help` of a control. KeyError for one that the glossary has not."""
    return entries()[word.casefold()]


def sense_of(label: str) -> str | None:
    """The same for a label that may be no word of the glossary; None then."""
    return entries().get(label.casefold())


@cache
def _pattern() -> re.Pattern[str]:
    words = sorted(entries(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)


def explained(text: str) -> str:
    """HTML of a plain sentence; each word of the glossary, where it first occurs, shows what it means."""
    if not entries():
        return escape(text)
    found, place, done = [], 0, set()
    for match in _pattern().finditer(text):
        sense = entries()[match[0].casefold()]
        if sense in done:
            continue
        done.add(sense)
        found += [escape(text[place : match.start()]), _term(match[0], sense)]
        place = match.end()
    return "".join([*found, escape(text[place:])])


def paragraph(text: str) -> str:
    """HTML of a paragraph whose words explain themselves."""
    return f'{STYLE}<p class="ba-intro">{explained(text)}</p>'


def _term(word: str, sense: str) -> str:
    return f'<span class="ba-term" tabindex="0">{escape(word)}<span role="tooltip">{escape(sense)}</span></span>'
