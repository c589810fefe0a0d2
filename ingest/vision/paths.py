r"""What a picture is called in its collection, and the way back to its file.

A name is the path below the collection's folder with forward slashes, printable. A picture that is one of many in a
file says which behind a hash: `letters/box 1.pdf#page=3`, `film.mp4#t=12.500` (for frames see `ingest.vision.film`). A
part of a picture says which, in pixels, as Media Fragments do: `plate.jpg#xywh=12,40,300,200`,
`box.pdf#page=3&xywh=0,40,300,200`.
"""

from __future__ import annotations

import os
import re

_PAGE = re.compile(r"(.+)#page=([1-9][0-9]{0,8})", re.DOTALL)
_XYWH = "xywh=[0-9]{1,9},[0-9]{1,9},[1-9][0-9]{0,8},[1-9][0-9]{0,8}"
_PART = re.compile(rf"(.+?)(#(?:{_XYWH}|(?:page=[1-9][0-9]{{0,8}}|t=[0-9]+\.[0-9]{{3}})(?:&{_XYWH})?))?", re.DOTALL)
_NUMBER = re.compile("0*([0-9]+)")
_BOX = re.compile(rf"(.+)[#&]({_XYWH})", re.DOTALL)

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom


def printable(name: str) -> str:
    r"""A file name without bytes that are not UTF-8 and without control characters: those become \x and two digits.

    A backslash is doubled, so that `raw_name` finds the way back for every name.
    """
    return re.sub(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]", _escape, name)


def raw_name(name: str) -> str:
    """The file name, as Python's `os` functions take it, behind the result of `printable`."""
    return re.sub(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4})", _unescape, name)


def natural_key(name: str) -> str:
    """Sorts names as people do: folder by folder, plate.jpg, plate 2.jpg, plate 10.jpg, capitals with small letters."""
    # One text, of which a collection of 100,000 can afford as many: where a path ends, a stem or a suffix, and where a
    # number begins, stands what comes before any letter, in this order.
    parts = _NUMBER.sub(_sortable, name.casefold()).split("/")
    return "".join([f"{stem}\1{suffix}\1" for stem, suffix in map(os.path.splitext, parts)]) + "\0" + name


def _sortable(number: re.Match[str]) -> str:
    """A number that sorts as a text by its size: how many digits it has, and these."""
    return f"\2{chr(0x100 + len(number[1]))}{number[1]}"


def page_name(file: str, page: int) -> str:
    """What a page of a file is called, counted from 1: box1.pdf#page=3."""
    return f"{file}#page={page}"


def named_page(name: str) -> tuple[str, int] | None:
    """The file and the page behind the result of `page_name`; None for other names."""
    match = _PAGE.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def box_name(name: str, box: PixelBox) -> str:
    """What a part of the picture `name` is called, its `box` in pixels; of a picture that is a part itself, that of the
    whole."""
    whole, outer = named_box(name) or (name, (0, 0, 0, 0))
    left, top = outer[0] + box[0], outer[1] + box[1]
    sign = "&" if file_and_part(whole)[1] else "#"
    return f"{whole}{sign}xywh={left},{top},{box[2] - box[0]},{box[3] - box[1]}"


def named_box(name: str) -> tuple[str, PixelBox] | None:
    """The picture and the box behind the result of `box_name`; None for other names."""
    match = _BOX.fullmatch(name)
    if match is None or not file_and_part(name)[1]:
        return None
    left, top, width, height = (int(number) for number in match[2].removeprefix("xywh=").split(","))
    return match[1], (left, top, left + width, top + height)


def whole_picture(name: str) -> str:
    """The picture that the picture `name` is a part of; of one that is no part its own name."""
    part = named_box(name)
    return part[0] if part else name


def file_and_part(name: str) -> tuple[str, str]:
    """The file of a picture, and what says which of its pictures it is: ("box1.pdf", "#page=3"); else ""."""
    match = _PART.fullmatch(name)
    return (match[1], match[2] or "") if match else (name, "")


def _escape(match: re.Match) -> str:
    character = match[0]
    if character == "\\":
        return "\\\\"
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: the byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _unescape(match: re.Match) -> str:
    body = match[1]
    if body == "\\":
        return body
    code = int(body[1:], 16)
    return chr(code + 0xDC00 if body[0] == "x" and code >= 0x80 else code)
