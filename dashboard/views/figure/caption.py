"""What the figure says of itself: titles of pictures, the unit beside the bar, and the caption."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import ingest
from dashboard.compute import words
from dashboard.compute.methods import entry_of, in_words
from dashboard.data import cache
from dashboard.drawing import panels
from dashboard.drawing.figure.plan import Grid, letter
from dashboard.drawing.figure.scales import COMPARABLE
from dashboard.drawing.panels import percent, times
from dashboard.drawing.text import inputs
from dashboard.selection.maps import columns as naming
from dashboard.selection.maps.columns import Column
from dashboard.selection.maps.lookup import WORDS
from store.conditions import short
from store.counts import counted

# How columns begin that say where a picture is kept.
INVENTORIES = ("invent", "inv", "accession", "object_n", "object n", "shelfmark", "signatur", "call", "museum_n")
LONGEST = 120  # letters of a title, and of what stands beside it
CITE = f"Made with Bilderatlas {ingest.__version__}."


def usual_columns(names: Sequence[str]) -> list[str]:
    """Of the metadata's columns those that say who made a picture, when, and under which number it is kept."""
    lower = {name.lower(): name for name in reversed(names)}
    found = [next((lower[key] for key in keys if key in lower), None) for keys in (words.MAKERS, words.DATES)]
    found.append(next((name for name in names if name.lower().startswith(INVENTORIES)), None))
    return [name for name in found if name]


def title_of(image_id: int, title: str, names: Sequence[str]) -> str:
    """A picture's title with these columns of its metadata, the maker before it."""
    image = cache.image(image_id)
    metadata = {} if image is None else image["metadata"]
    values = [
        (name, short(str(metadata[name]), LONGEST)) for name in names if metadata.get(name) not in (None, "", title)
    ]
    before = [value for name, value in values if name.lower() in words.MAKERS]
    after = [value for name, value in values if name.lower() not in words.MAKERS]
    return ", ".join([*before, short(title, LONGEST), *after])


def number(value: float, unit: str) -> str:
    """A value beside a colour bar."""
    if unit == "share":
        return percent(value)
    return f"{value:.2g}" if unit == "evidence" else f"{times(value)} ×"


def unit_words(unit: str, columns: Sequence[Column], kinds: Collection[str], scale: str, clip: bool) -> str:
    """What the colours count, and which of them can be compared; `kinds` are the units that the methods count in."""
    if unit == "uniform":
        counts = "Times uniform: 1 × is what each patch would have if all had the same."
    elif unit == "patches":
        counts = "Share of what lies on the patches of the picture, which together have 100 %."
    else:
        texts = all(column.target.startswith(WORDS) for column in columns if column.target)
        score = "contribution to the cosine similarity" if texts else "contribution to the target's score"
        named = {"share": "share of a token's attention", "evidence": score}
        counts = ", for attribution ".join(named[each] for each in named if each in kinds) + "."
        counts = counts[:1].upper() + counts[1:]
    clipped = " The brightest 1 % of patches stay at the upper end." if clip and scale != "absolute" else ""
    return f"{counts} {COMPARABLE[scale]}{clipped}"


def caption(grid: Grid, columns: Sequence[Column], common: str) -> str:
    """One paragraph: pictures, columns, network, scale, what was not seen, programme."""
    count = len(grid.rows)
    lettered = grid.letters == "rows"
    titles = [f"{letter(place)} {row.title}" if lettered else row.title for place, row in enumerate(grid.rows)]
    what = f"Attention maps of {counted(count, 'picture')}: {'; '.join(titles)}."
    of_all = f" ({common})" if common else ""
    named = (*(["picture"] * grid.original), *_explained_titles(columns))
    across = f"Columns{of_all}, from the left: {'; '.join(named)}."
    methods = [across, "Layers and heads count from 0.", _methods(columns), *_networks(columns)]
    parts = [what, *methods, grid.unit, _drawn(grid), _unseen(grid), _missing(grid)]
    return " ".join([*filter(None, parts), CITE])


def _methods(columns: Sequence[Column]) -> str:
    """What each method shows, in words, with its source and options."""
    names = dict.fromkeys(column.method for column in columns if entry_of(column.method) is not None)
    return " ".join(f"{naming.method_title(name.partition('(')[0])}{in_words(name)}" for name in names)


def _networks(columns: Sequence[Column]) -> list[str]:
    """The networks and their input."""
    runs = [cache.run(run_id) for run_id in dict.fromkeys(column.run_id for column in columns)]
    return [
        f"Network: {run.title}, weights {run.weights_sha256[:8]}, run {run.run_id} of {run.collection}, "
        f"{inputs.of_run(run)}."
        for run in runs
    ]


def _drawn(grid: Grid) -> str:
    style = grid.style
    between = "interpolated between the centres of patches" if style.smooth else "one flat square for each patch"
    drawn = f"Drawn: {between}; {style.colours} at an opacity of {percent(style.opacity)}."
    return f"{drawn} {panels.mask_sentence(style)}".strip()


def _unseen(grid: Grid) -> str:
    """Which pictures the network saw only a part of."""
    shares: dict[str, list[int]] = {}
    for place, row in enumerate(grid.rows):
        seen = [cell.scene.seen() for cell in row.cells if cell.scene is not None]
        if seen and min(seen) < panels.WHOLE:
            shares.setdefault(percent(min(seen)), []).append(place)
    if not shares:
        return "Each picture was seen whole."
    parts = [f"{share} of {_places(grid, places)}" for share, places in shares.items()]
    return f"The network saw {', '.join(parts)}; the dimmed rest was cut off."


def _places(grid: Grid, places: Sequence[int]) -> str:
    if len(places) == len(grid.rows):
        return "each picture" if len(places) > 1 else "the picture"
    if grid.letters == "rows":
        return " and ".join(letter(place) for place in places)
    return f"{'rows' if len(places) > 1 else 'row'} {', '.join(str(place + 1) for place in places)}"


def _missing(grid: Grid) -> str:
    count = sum(cell.maps is None for row in grid.rows for cell in row.cells)
    return f"{counted(count, 'map')} could not be made." if count else ""


def column_titles(columns: Sequence[Column]) -> tuple[list[str], str]:
    """The titles above the columns, those that somebody wrote before the usual ones, and what the columns have in
    common; a column like all others has the common words."""
    titles, common = _usual_titles(columns)
    return [column.title or title for column, title in zip(columns, titles, strict=True)], common


def _usual_titles(columns: Sequence[Column]) -> tuple[list[str], str]:
    titles, common = naming.titles(columns)
    return [title or (common[:1].upper() + common[1:]) for title in titles], common


def _explained_titles(columns: Sequence[Column]) -> list[str]:
    """As above the columns; what a column shows in brackets behind a title that somebody wrote."""
    titles = _usual_titles(columns)[0]
    return [
        f"{column.title} ({title})" if column.title else title for column, title in zip(columns, titles, strict=True)
    ]
