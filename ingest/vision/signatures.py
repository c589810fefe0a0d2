"""What a file is, by its first bytes: names alone deceive."""

from __future__ import annotations

HEAD = 64  # bytes that are enough for `picture_format` and `other_kind`

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
    return None


def other_kind(head: bytes) -> str | None:
    """A sentence about a file that is often found in a picture's place; None for all others."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "This is a web page, not a picture: the download seems to have failed."
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return "This is an SVG drawing, which has no pixels: export it as PNG."
    if text.startswith(b"%!ps"):
        return "This is a PostScript drawing: export it as PNG or TIFF."
    if head[4:8] == b"ftyp":
        return "This is a film, not a picture."
    if head.startswith(b"version https://git-lfs"):
        return "This is a Git LFS pointer, not the picture: fetch it with `git lfs pull`."
    if text.startswith((b"{", b"<?xml")):
        return "This is a text file (JSON or XML), not a picture."
    return None
