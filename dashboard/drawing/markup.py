"""HTML for what Streamlit has no element for: grids of small pictures, colour bars, bars of shares.

Everything that comes from a database or a file is escaped here. Colours of text and lines are inherited, so that
the light and the dark theme both hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image

from dashboard.compute.words import plain
from dashboard.drawing.figure import ColourBar
from dashboard.drawing.panels import Panel, percent, source
from store.conditions import Edge, ordinal
from store.facets import BINS, Spread

_SHEET = """<style>
.ba-sheet {display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: flex-start}
.ba-large {flex: 1 1 15rem; max-width: 40rem}
.ba-sheet figure {margin: 0; min-width: 0}
.ba-sheet img {width: 100%; height: auto; display: block; border-radius: 2px}
.ba-sheet .ba-large img {width: auto; max-width: 100%; max-height: 85vh}
.ba-sheet figcaption {font-size: 0.8rem; line-height: 1.35; margin-top: 0.3rem; overflow-wrap: anywhere}
.ba-sheet .ba-note {opacity: 0.7; display: block}
.ba-bar {height: 0.7rem; border-radius: 2px; margin-top: 1.1rem}
.ba-ends {position: relative; display: flex; justify-content: space-between; font-size: 0.8rem; margin-top: 0.2rem}
.ba-ends .ba-mark {position: absolute; transform: translateX(-50%)}
.ba-words {font-size: 0.8rem; line-height: 1.4; opacity: 0.8; margin: 0.4rem 0 0; overflow-wrap: anywhere}
.ba-title {font-size: 1.3rem; line-height: 1.3; margin: 0.2rem 0 0}
.ba-title, .ba-facts dd {overflow: auto; max-height: 9rem; overflow-wrap: anywhere}
.ba-picture {width: 100%; height: auto; display: block; border-radius: 2px}
.ba-list dt {font-weight: 600; font-size: 0.85rem}
.ba-list dd {margin: 0 0 0.5rem; line-height: 1.6; overflow-wrap: anywhere; font-size: 0.85rem}
.ba-list code {font-size: 0.8rem}
dl.ba-list.ba-list {padding-left: 0; margin: 0}
.ba-facts {display: grid; grid-template-columns: fit-content(9rem) 1fr; gap: 0.1rem 0.9rem}
.ba-facts dt {font-weight: 400; opacity: 0.65}
.ba-facts dd {margin: 0}
.ba-share {display: flex; height: 0.9rem; border-radius: 2px; overflow: hidden; gap: 1px}
.ba-key {display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; font-size: 0.85rem; margin-top: 0.4rem}
.ba-dot {display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 2px; margin-right: 0.35rem}
</style>"""
_HISTOGRAM = """<style>
.ba-spread {display: flex; align-items: flex-end; gap: 1px; height: 3rem}
.ba-spread span {flex: 1; min-height: 1px; background: currentColor; opacity: 0.22}
.ba-spread .ba-in {opacity: 0.75}
.ba-limits {display: flex; justify-content: space-between; font-size: 0.8rem; opacity: 0.7; margin-top: 0.2rem}
</style>"""
_SHARES = ("#b4553a", "#d9a441", "#4b7a8c", "#8a8a8a")  # told apart by colour-blind eyes too


def picture(image: Image.Image, alt: str) -> str:
    """An <img> that carries its pixels with it."""
    width, height = image.size
    return f'<img class="ba-picture" src="{source(image)}" alt="{escape(alt)}" width="{width}" height="{height}">'


def notes(sentences: Sequence[str], bar: ColourBar) -> str:
    """What is to be said of a picture, and the colours of its maps."""
    words = "".join(f'<p class="ba-words">{escape(sentence)}</p>' for sentence in sentences)
    return f"{_SHEET}{words}{colour_bar(bar)}"


def editor(key: str) -> str:
    """Style alone: the text area of this key in a type whose letters are all as wide."""
    fonts = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    return f"<style>.st-key-{key} textarea {{font-family: {fonts}; font-size: 0.9rem}}</style>"


def _figure(panel: Panel) -> str:
    return (
        f"<figure>{picture(panel.picture, panel.alt)}<figcaption>{escape(panel.title)}"
        f'<span class="ba-note">{escape(panel.note)}</span></figcaption></figure>'
    )


def colour_bar(bar: ColourBar) -> str:
    """The colours from low to high, the words at the ends and marks, and what they mean."""
    stops = ", ".join("#{:02x}{:02x}{:02x}".format(*bar.lut[round(i * 255 / 32)]) for i in range(33))
    marks = "".join(
        f'<span class="ba-mark" style="left: {100 * place:.1f}%">{escape(words)}</span>' for place, words in bar.marks
    )
    return (
        f'<div class="ba-bar" role="img" aria-label="Colours from {escape(bar.low)} to {escape(bar.high)}" '
        f'style="background: linear-gradient(to right, {stops})"></div>'
        f'<div class="ba-ends"><span>{escape(bar.low)}</span>{marks}<span>{escape(bar.high)}</span></div>'
        f'<p class="ba-words">{escape(bar.label)}</p>'
    )


def shares(title: str, parts: Sequence[tuple[str, float]]) -> str:
    """A bar cut into named shares (0..1) of four kinds at most, with a key below; shares of 0 are left out."""
    bar, key = "", ""
    named = [(name, share, colour) for (name, share), colour in zip(parts, _SHARES, strict=False) if share > 0]
    for name, share, colour in named:
        bar += f'<span style="width: {100 * share:.2f}%; background: {colour}"></span>'
        key += f'<span><span class="ba-dot" style="background: {colour}"></span>{escape(name)} {percent(share)}</span>'
    spoken = f"{title}: " + ", ".join(f"{name} {percent(share)}" for name, share, _ in named)
    return (
        f'{_SHEET}<p class="ba-words">{escape(title)}</p>'
        f'<div class="ba-share" role="img" aria-label="{escape(spoken)}">{bar}</div>'
        f'<div class="ba-key">{key}</div>'
    )


def large(panel: Panel) -> str:
    """One panel on its own."""
    return f'{_SHEET}<div class="ba-sheet"><div class="ba-large">{_figure(panel)}</div></div>'


def heading(words: str) -> str:
    """A picture's title, as text and nothing else."""
    return f'{_SHEET}<p class="ba-title">{escape(words)}</p>'


def small(words: str) -> str:
    """A paragraph in small type, as text and nothing else."""
    return f'{_SHEET}<p class="ba-words">{escape(words)}</p>'


def definitions(parts: Mapping[str, Sequence[str]]) -> str:
    """Names in bold, each with its words."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{' &nbsp; '.join(f'<code>{escape(word)}</code>' for word in words)}</dd>"
        for name, words in parts.items()
    )
    return f'{_SHEET}<dl class="ba-list">{rows}</dl>'


def facts(parts: Mapping[str, object]) -> str:
    """Names and values of one thing, such as a picture's metadata, as text and nothing else."""
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in parts.items())
    return f'{_SHEET}<dl class="ba-list ba-facts">{rows}</dl>'


def histogram(spread: Spread, low: Edge | None, high: Edge | None) -> str:
    """The bins of a spread as bars, those from `low` to `high` dark (None: no limit), and its ends below."""
    most = max(spread.counts)
    bars = ""
    for count, start, end in zip(spread.counts, spread.edges, spread.edges[1:], strict=False):
        inside = (low is None or ordinal(end) > ordinal(low)) and (high is None or ordinal(start) <= ordinal(high))
        title = escape(f"{start} to {end}: {count:,}")
        side = ' class="ba-in"' if inside else ""
        bars += f'<span{side} style="height: {100 * count / most:.1f}%" title="{title}"></span>'
    ends = f"<span>{escape(str(spread.low))}</span><span>{escape(str(spread.high))}</span>"
    spoken = f"How often from {spread.low} to {spread.high}, in {len(spread.counts)} of at most {BINS} steps"
    return (
        f'{_HISTOGRAM}<div class="ba-spread" role="img" aria-label="{escape(spoken)}">{bars}</div>'
        f'<div class="ba-limits">{ends}</div>'
    )


def markdown(words: str) -> str:
    """Words for a Streamlit label or message, which reads Markdown: shown as they are."""
    return plain(words)
