"""Tables as XLSX: one sheet, types kept, and nothing in it that a spreadsheet runs (`store.spreadsheets`)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from store.spreadsheets import harmless

LONGEST = 32_767  # letters of a cell, and
ROWS = 1_048_576  # rows of a sheet, the head among them, that the format allows
EXACT = 10**15  # whole numbers from here on are text, since spreadsheets have doubles
FIRST_DAY = date(1900, 3, 1)  # before it spreadsheets count days in different ways
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # letters that XML cannot hold
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_TYPE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_TYPE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{_TYPE}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_TYPE}"><sheets>'
    '<sheet name="pictures" sheetId="1" r:id="r1"/></sheets></workbook>',
    # Style 1 is a day, style 2 a day with its time, style 3 the head.
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts><fonts count="2"><font/><font><b/></font>'
    '</fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/>'
    '</fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="4"><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf numFmtId="165" applyNumberFormat="1"/>'
    '<xf fontId="1" applyFont="1"/></cellXfs></styleSheet>',
}


def xlsx_of_frame(frame: pd.DataFrame) -> bytes:
    """The rows of a frame, without its index, as a workbook; ValueError for more than a sheet can hold."""
    if len(frame) >= ROWS:
        raise ValueError(f"a sheet has {ROWS - 1:,} rows at most; these are {len(frame):,}")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, _HEAD + text)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for line in _sheet(frame):
                sheet.write(line.encode())
    return file.getvalue()


def _sheet(frame: pd.DataFrame) -> Iterator[str]:
    yield (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    )
    if frame.shape[1]:
        widths = (min(60, max(10, _longest(frame, place) + 2)) for place in range(frame.shape[1]))
        columns = (
            f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
            for place, width in enumerate(widths, 1)
        )
        yield f"<cols>{''.join(columns)}</cols>"
    yield "<sheetData><row>" + "".join(_text(str(harmless(str(name))), 3) for name in frame.columns) + "</row>"
    columns = [frame.iloc[:, place].astype(object).tolist() for place in range(frame.shape[1])]
    for row in zip(*columns, strict=True):
        yield f"<row>{''.join(map(_cell, row))}</row>"
    yield "</sheetData></worksheet>"


def _longest(frame: pd.DataFrame, place: int) -> int:
    """Letters of the longest of the first cells of a column, its name among them."""
    return max([len(str(frame.columns[place])), *(len(str(cell)) for cell in frame.iloc[:100, place])])


def _cell(value: Any) -> str:
    if not isinstance(value, list | tuple | dict) and pd.isna(value):
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float | Decimal | np.number):
        number = float(value)
        exact = isfinite(number) and (abs(number) < EXACT or not number.is_integer())
        return f"<c><v>{value}</v></c>" if exact else _text(str(value))
    if isinstance(value, date):
        return _day(value)
    return _text(str(harmless(value)))


def _day(value: date) -> str:
    day = value.date() if isinstance(value, datetime) else value
    if day < FIRST_DAY:
        return _text(value.isoformat())
    number: float = (day - date(1899, 12, 30)).days
    if not isinstance(value, datetime):
        return f'<c s="1"><v>{number}</v></c>'
    number += (value.hour * 3600 + value.minute * 60 + value.second) / 86_400
    return f'<c s="2"><v>{number}</v></c>'


def _text(text: str, style: int = 0) -> str:
    text = escape(_UNFIT.sub("\ufffd", text)[:LONGEST])
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{text}</t></is></c>'
