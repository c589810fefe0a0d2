"""Which columns of the metadata can be a time line: dates, else numbers that are years. Never sizes, numbers of things
or inventory numbers, which a column of whole numbers is as often."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import numpy as np
import pandas as pd

EARLIEST = -3000  # years that a column whose name says nothing may hold
NEARLY_ALL = 0.95  # of its values
MODERN = 1000  # years before that are as often sizes and numbers, unless some values are later
ENDS = ("_from", "_to")  # of a date's years, in columns beside it

# Words of names, without accents, and ends of longer ones (Entstehungsjahr, birthyear).
_YEARS = re.compile(
    r"years?|yr|dates?|dated|dating|created|creation|made|produced|production|period|when|century|time"
    r"|jahre?|datum|datiert|datierung|zeit|entstanden|entstehung|herstellung"
    r"|annees?|an|datation|siecle|date|anno|anni|data|datazione|secolo|ano|anos|fecha|datacion|siglo|jaar|datering"
    r"|\w+(year|date|jahr|datum|zeit)"
)
_OTHER_EVENT = re.compile(
    r"acqui\w*|access\w*|modif\w*|updat\w*|upload\w*|scan\w*|digit\w*|catalog\w*|record\w*|born|birth\w*|death\w*|died"
    r"|edit\w*|exhib\w*|geb\w*|gest\w*|tod\w*|erwerb\w*|erworben|zugang\w*|ankauf\w*|aender\w*|inventarisiert"
    r"|naissance|mort|acquis\w*|nascita|morte|nacimiento|muerte"
)
_NEVER = re.compile(
    r"ids?|nr|no|num|number|nummer|numero|inv|inventory|inventar\w*|index|counts?|anzahl|nombre|cantidad|quantity|total|n"
    r"|(\w*)(height|width|depth|length|size|weight|diameter|dimensions?|thickness|area|surface|hoehe|breite|tiefe|laenge"
    r"|hohe|lange|grosse|groesse|gewicht|dicke|flaeche|durchmesser|masse|masze|hauteur|largeur|profondeur|longueur|poids"
    r"|altezza|larghezza|profondita|lunghezza|peso|altura|anchura|ancho|alto|hoogte|breedte)"
    r"|[hwdlb]|cm|mm|m|km|inch|inches|ft|px|pixels?|dpi|ppi|kg|g|kb|mb|bytes?|price|preis|prix|cost|euro?|usd|pages?"
    r"|seiten?|sheets?|folios?|blatt|plates?|lat|lon|lng|latitude|longitude|rank|score|rating|zip|plz|postcode|age|alter"
    r"|rooms?|raum|box|volume|band|version|percent|prozent"
)


def time_columns(table: pd.DataFrame, kinds: Mapping[str, str], this_year: int) -> list[str]:
    """The columns that a time line can go along, the best first; `table` the rows of the catalogue, `kinds` {column:
    'number', 'date' or 'text'}.

    Dates come first: texts that have years beside them, then days; after them numbers whose name speaks of years, then
    those that look like nothing else. What tells of when a picture was bought or scanned rather than made comes behind
    what may tell when it was made."""
    found: dict[str, tuple[int, int]] = {}
    for place, (name, kind) in enumerate(kinds.items()):
        of_range = range_column(name, kinds)
        rank = None
        if of_range == name:
            rank = 0
        elif of_range is not None:
            rank = 9  # an end of the range: for who wants it
        elif kind == "date":
            rank = 1
        elif kind == "number" and name in table and (years := _years(name, table[name], this_year)):
            rank = 2 if years == "name" else 3
        if rank is not None:
            later = 4 if rank < 4 and any(_OTHER_EVENT.fullmatch(word) for word in words_of(name)) else 0
            found[name] = (rank + later, place)
    return sorted(found, key=lambda name: found[name])


def range_column(name: str, kinds: Mapping[str, str]) -> str | None:
    """The column of dates whose range of years a column is, or is an end of; None if it is none."""
    for base in (name, *(name.removesuffix(end) for end in ENDS)):
        if {kinds.get(f"{base}{end}") for end in ENDS} == {"number"}:
            return base
    return None


def words_of(name: str) -> list[str]:
    """The words of a column's name in small letters without accents: yearMade and year_made are two."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).lower()
    return [word for word in re.split(r"[^a-z]+", plain) if word]


def is_measure(name: str) -> bool:
    """Whether the name of a column speaks of a size, a count or a number of an inventory."""
    return any(_NEVER.fullmatch(word) for word in words_of(name))


def _years(name: str, column: pd.Series, this_year: int) -> str:
    """What says that numbers are years: their 'name' or their 'range'; '' for nothing."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    values = values[np.isfinite(values)]
    if not len(values) or is_measure(name) or np.mean(values == np.round(values)) < NEARLY_ALL:
        return ""
    if any(_YEARS.fullmatch(word) for word in words_of(name)):
        # Not 20200131, nor seconds since 1970; but names of far pasts and near futures may mean them.
        return "name" if abs(np.median(values)) <= 3 * this_year else ""
    if np.mean((values >= EARLIEST) & (values <= this_year + 1)) < NEARLY_ALL:
        return ""
    if (values < 0).any():
        return "range" if np.ptp(values) > 100 else ""
    distinct = np.unique(values)
    counted = len(distinct) == len(values) > 2 and np.ptp(values) == len(values) - 1
    return "range" if np.median(values) >= MODERN and not counted else ""
