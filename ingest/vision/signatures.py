"""What a file is, by its first bytes: names alone deceive."""

from __future__ import annotations

import re
import zlib

HEAD = 4096  # bytes that are enough for all that is asked here: a drawing may begin with long comments
BEFORE_PDF = 1024  # bytes within which the mark of a PDF comes

_PICTURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
    (b"%PDF-", "PDF"),
    (b"SIMPLE  =", "FITS"),
    (b"BLP1", "BLP"),
    (b"BLP2", "BLP"),
    (b"\x01\xda", "SGI"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", **dict.fromkeys(_HEIC, "HEIC")}

_ATOMS = (b"moov", b"wide", b"pnot", b"skip")  # with which QuickTime files without a mark begin
_FILMS = (
    (b"\x1aE\xdf\xa3", "Matroska"),
    (b"\0\0\1\xba", "MPEG-PS"),
    (b"\0\0\1\xb3", "MPEG video"),
    (b"FLV\1", "FLV"),
    (b"OggS\0", "Ogg"),
    (b"0&\xb2u\x8ef\xcf\x11", "ASF"),
    (b".RMF", "RealMedia"),
    (b"\x06\x0e+4\x02\x05\1\1", "MXF"),
)


def picture_format(head: bytes) -> str | None:
    """The format of a picture that begins with these bytes; None if it is no picture or one without a clear
    mark."""
    for mark, name in _PICTURES:
        if head.startswith(mark):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":  # "BM" alone also begins texts
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PNM"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return "PDF" if is_pdf(head) else None


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a PDF: its mark may come behind other bytes, as mail programs and
    scanners leave them. What has the mark of another picture is that picture."""
    return b"%PDF-" in head[:BEFORE_PDF] and not any(head.startswith(mark) for mark, _ in _PICTURES if mark != b"%PDF-")


def film_format(head: bytes) -> str | None:
    """The kind of film, or of recording, that begins with these bytes; None for all others."""
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _BRANDS else "MP4"
    if head[4:8] == b"mdat" or (head[4:8] in _ATOMS and head[0] < 32):  # texts hold these words too
        return "QuickTime"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    for mark, name in _FILMS:
        if head.startswith(mark):
            return name
    # Packets of a fixed length that begin with one letter; before each, camcorders put the time, four bytes.
    for length, first in ((188, 0), (192, 4), (204, 0)):
        if len(head) > 4 * length and set(head[first : first + 4 * length + 1 : length]) == {0x47} != set(head):
            return "MPEG-TS"
    return None


def other_kind(head: bytes) -> str | None:
    """A sentence about a file that is often found in a picture's place; None for all others."""
    text = _text(head)
    if (sentence := _marked_up(text) or _by_mark(head)) is not None:
        return sentence
    if head and not head.strip(b"\0"):
        return "The file begins with zero bytes alone, as if it had not been copied whole, and is not a picture."
    if text.startswith(("{", "[", "<?xml")):
        return "This is a text file (JSON or XML), not a picture."
    if text and len(head) < HEAD and all(sign.isprintable() or sign.isspace() for sign in text):
        return "This is a text file, not a picture."
    return None


_DRAWING = "This is {}, which has no pixels and cannot be read: save it as PNG."
_EPS = "an EPS drawing (PostScript)"
_PICTURE = "This is {}, which cannot be read: save it as PNG or TIFF."
_RAW = "This is a camera's raw file ({}), which cannot be read: export it as JPEG or TIFF."
_PACKED = "This is {}, not a picture: unpack it."
_OTHER = "This is {}, not a picture."

_MARKS = (  # (where, bytes, sentence, what it is)
    (0, b"%!PS-Adobe-3.0 EPSF", _DRAWING, _EPS),
    (0, b"\xc5\xd0\xd3\xc6", _DRAWING, _EPS),
    (0, b"\xd7\xcd\xc6\x9a", _DRAWING, "a WMF drawing"),
    (40, b" EMF", _DRAWING, "an EMF drawing"),
    (8, b"CDR", _DRAWING, "a CorelDRAW drawing"),
    (0, b"AC10", _DRAWING, "an AutoCAD drawing"),
    (0, b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5", _DRAWING, "an InDesign document"),
    (0, b"AT&TFORM", _PICTURE, "a DjVu document"),
    (0, b"gimp xcf", _PICTURE, "a GIMP picture (XCF)"),
    (0, b"II\xbc", _PICTURE, "a JPEG XR picture"),
    (0, b"v/1\x01", _PICTURE, "an OpenEXR picture"),
    (0, b"#?RADIANCE", _PICTURE, "a Radiance picture (HDR)"),
    (0, b"\x8aMNG", _PICTURE, "an MNG animation"),
    (128, b"DICM", _PICTURE, "a DICOM picture"),
    (4, b"ftypcrx ", _RAW, "Canon CR3"),
    (6, b"HEAPCCDR", _RAW, "Canon CRW"),
    (0, b"FUJIFILMCCD-RAW", _RAW, "Fujifilm RAF"),
    (0, b"IIU\0", _RAW, "Panasonic RW2"),
    (0, b"IIRO", _RAW, "Olympus ORF"),
    (0, b"IIRS", _RAW, "Olympus ORF"),
    (0, b"MMOR", _RAW, "Olympus ORF"),
    (0, b"FOVb", _RAW, "Sigma X3F"),
    (0, b"\0MRM", _RAW, "Minolta MRW"),
    (4, b"ftyp", _OTHER, "a film"),
    (4, b"moov", _OTHER, "a film"),
    (4, b"mdat", _OTHER, "a film"),
    (0, b"\x1aE\xdf\xa3", _OTHER, "a film (Matroska or WebM)"),
    (8, b"AVI ", _OTHER, "a film (AVI)"),
    (0, b"FLV\x01", _OTHER, "a film (FLV)"),
    (0, b"\0\0\x01\xba", _OTHER, "a film (MPEG)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _OTHER, "a film or sound (WMV, WMA)"),
    (8, b"WAVE", _OTHER, "a sound (WAV)"),
    (0, b"ID3", _OTHER, "a sound (MP3)"),
    (0, b"fLaC", _OTHER, "a sound (FLAC)"),
    (0, b"OggS", _OTHER, "a film or sound (Ogg)"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OTHER, "a document of Word, Excel or PowerPoint"),
    (0, b"{\\rtf", _OTHER, "a text document (RTF)"),
    (0, b"Rar!", _PACKED, "a RAR archive"),
    (0, b"7z\xbc\xaf", _PACKED, "a 7z archive"),
    (0, b"\xfd7zXZ", _PACKED, "an XZ archive"),
    (0, b"BZh", _PACKED, "a BZIP2 archive"),
    (257, b"ustar", _PACKED, "a TAR archive"),
    (0, b"\x1f\x8b", _PACKED, "a GZIP archive"),
    (0, b"SQLite format 3", _OTHER, "an SQLite database"),
    (8, b"DUCK", _OTHER, "a DuckDB database"),
    (0, b"\x89HDF", _OTHER, "an HDF5 file"),
    (0, b"\x93NUMPY", _OTHER, "a NumPy array"),
    (0, b"PAR1", _OTHER, "a Parquet table"),
    (0, b"\0\x05\x16\x07", _OTHER, "what macOS writes beside a picture (AppleDouble)"),
    (0, b"bplist00", _OTHER, "a placeholder or list of macOS: download the picture itself"),
    (0, b"L\0\0\0\x01\x14\x02\0", _OTHER, "a shortcut of Windows"),
    (0, b"MZ", _OTHER, "a program of Windows"),
    (0, b"\x7fELF", _OTHER, "a program"),
)
_IN_ZIP = (  # what the names of the first files in a ZIP tell
    (b"word/", "a Word document"),
    (b"xl/", "an Excel workbook"),
    (b"ppt/", "a PowerPoint presentation"),
    (b"[Content_Types].xml", "an Office document (Word, Excel or PowerPoint)"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file"),
    (b"mimetypeapplication/epub", "an EPUB book"),
    (b"mimetypeapplication/x-krita", "a Krita picture"),
    (b"mimetypeimage/openraster", "an OpenRaster picture"),
)
# Before its first element an XML text may have a declaration, comments, instructions and a document type, some long.
_PROLOG = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\b(?:[^\[>]|\[[^\]]*\])*>)*", re.DOTALL | re.IGNORECASE)
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")


def _text(head: bytes) -> str:
    """The first bytes as text, whatever marks its encoding; what is no text becomes signs that no mark-up has."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        found = head.decode("utf-16", errors="replace")
    else:
        found = head.decode("utf-8", errors="replace")
    return found.lstrip("\ufeff \t\r\n")


def _marked_up(text: str) -> str | None:
    """What a text of mark-up or of a known kind is."""
    if text.startswith("version https://git-lfs"):
        return "This is a Git LFS pointer, not the picture: fetch it with `git lfs pull`."
    if text.startswith("%!PS"):
        maker = "an Illustrator drawing" if "Illustrator" in text else _EPS if "EPSF" in text else ""
        return _DRAWING.format(maker or "a PostScript drawing")
    if not text.startswith("<"):
        return None
    prolog = _PROLOG.match(text)
    element = _ELEMENT.match(text, prolog.end() if prolog else 0)
    name = element[1].lower() if element else ""
    kind = re.search(r"<!DOCTYPE\s+(\w+)", text, re.IGNORECASE)
    if name == "svg" or (not name and kind and kind[1].lower() == "svg"):
        return _DRAWING.format("an SVG drawing")
    if name in ("html", "head", "body", "title", "meta", "script") or (kind and kind[1].lower() == "html"):
        return "This is a web page, not a picture: the download seems to have failed."
    return None


def _by_mark(head: bytes) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        named = [what for mark, what in _IN_ZIP if mark in head]
        return _OTHER.format(named[0]) if named else _PACKED.format("a ZIP archive")
    if head.startswith(b"\x1f\x8b"):
        try:
            inside = zlib.decompressobj(wbits=31).decompress(head, HEAD)
        except zlib.error:
            inside = b""
        if "SVG drawing" in (_marked_up(_text(inside)) or ""):
            return _DRAWING.format("a compressed SVG drawing (SVGZ)")
    for place, mark, sentence, what in _MARKS:
        if head[place : place + len(mark)] == mark:
            return sentence.format(what)
    return None
