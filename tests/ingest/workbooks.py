"""Workbooks, as few bytes as will do."""

import datetime
import io
import zipfile
from typing import NamedTuple
from xml.sax.saxutils import escape

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_DOC = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
QUOTE = {'"': "&quot;"}
_DAY_ZERO = datetime.date(1899, 12, 30)


class Shown(NamedTuple):
    """A number in a format such as 0000."""

    value: float
    code: str


def workbook(
    sheets: dict[str, list[list]], more: str = "", hidden: tuple[str, ...] = (), merged: tuple[str, ...] = ()
) -> bytes:
    """An .xlsx with these sheets of rows; `more` is XML that follows the rows of each, `merged` ranges such as A1:A2."""
    names = range(1, len(sheets) + 1)
    codes = list(dict.fromkeys(v.code for rows in sheets.values() for r in rows for v in r if isinstance(v, Shown)))
    merges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    merges = f"<mergeCells>{merges}</mergeCells>" if merged else ""
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SHEET}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_SHEET}.worksheet+xml"/>' for n in names
        )
        + "</Types>",
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_DOC}"><sheets>'
        + "".join(
            f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"{_state(name in hidden)}/>'
            for n, name in enumerate(sheets, start=1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            [*(("worksheet", f"worksheets/sheet{n}.xml") for n in names), ("styles", "styles.xml")]
        ),
        "xl/styles.xml": f"<styleSheet {_MAIN}><numFmts>"
        + "".join(f'<numFmt numFmtId="{n}" formatCode="{escape(code, QUOTE)}"/>' for n, code in enumerate(codes, 164))
        + '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        + "".join(f'<xf numFmtId="{n}"/>' for n in range(164, 164 + len(codes)))
        + "</cellXfs></styleSheet>",
    }
    for number, rows in enumerate(sheets.values(), start=1):
        body = "".join(
            f'<row r="{r}">' + "".join(_cell(r, c, value, codes) for c, value in enumerate(row)) + "</row>"
            for r, row in enumerate(rows, start=1)
        )
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {_MAIN}><sheetData>{body}{more}</sheetData>{merges}</worksheet>"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, '<?xml version="1.0"?>' + text)
    return buffer.getvalue()


def _relations(targets: list[tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="r{n}" Type="{_DOC}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _state(hidden: bool) -> str:
    return ' state="hidden"' * hidden


def _cell(row: int, column: int, value, codes: list[str]) -> str:
    place = f'r="{chr(65 + column)}{row}"'
    if isinstance(value, Shown):
        return f'<c {place} s="{codes.index(value.code) + 2}"><v>{value.value}</v></c>'
    if isinstance(value, bool):
        return f'<c {place} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime.date):
        return f'<c {place} s="1"><v>{(value - _DAY_ZERO).days}</v></c>'
    if isinstance(value, int | float):
        return f"<c {place}><v>{value}</v></c>"
    return f'<c {place} t="inlineStr"><is><t>{escape(value)}</t></is></c>'


_OFFICE = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "style")
)


def ods(sheets: dict[str, list[list]], hidden: tuple[str, ...] = ()) -> bytes:
    """The same for LibreOffice, where the text that a number shows stands beside it: Shown(43, "0043")."""
    body = "".join(
        f'<table:table table:name="{name}" table:style-name="{"off" if name in hidden else "on"}">'
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    styles = "".join(
        f'<style:style style:name="{name}" style:family="table"><style:table-properties table:display="{shown}"/>'
        "</style:style>"
        for name, shown in (("on", "true"), ("off", "false"))
    )
    content = (
        f"<office:document-content {_OFFICE}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", '<?xml version="1.0"?>' + content)
        archive.writestr("META-INF/manifest.xml", '<?xml version="1.0"?>' + manifest)
    return buffer.getvalue()


def _ods_cell(value) -> str:
    text = value.code if isinstance(value, Shown) else str(value)
    kind = (
        f'office:value-type="float" office:value="{value.value if isinstance(value, Shown) else value}"'
        if isinstance(value, Shown | int | float)
        else 'office:value-type="string"'
    )
    return f"<table:table-cell {kind}><text:p>{escape(text)}</text:p></table:table-cell>"
