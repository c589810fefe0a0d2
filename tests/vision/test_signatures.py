"""What a file is that stands in a picture's place, by its first bytes."""

import gzip
import io
import zipfile

import pytest

from ingest.vision.loader import BadImage, decode
from ingest.vision.signatures import other_kind

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>'
PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n<!-- Generator: ' + "x" * 900 + " <html> -->\n"
DOCTYPE = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://x" [ <!ENTITY a "b"> ]>\n'


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SVG.encode(), "an SVG drawing"),
        ((PROLOG + DOCTYPE + SVG).encode(), "an SVG drawing"),
        (("\ufeff" + PROLOG + SVG.replace("svg ", "s:svg ")).encode(), "an SVG drawing"),
        ((PROLOG + SVG).encode("utf-16"), "an SVG drawing"),
        (gzip.compress((PROLOG + SVG).encode()), "SVGZ"),
        (b"<!doctype html><p>404", "a web page"),
        (b"\n<!-- saved from url --><html><body>", "a web page"),
        (b"<?xml version='1.0'?><html xmlns='x'><svg/></html>", "a web page"),
        (b"<?xml version='1.0'?><mets/>", "JSON or XML"),
        (b'{"error": 404}', "JSON or XML"),
        (b"Not found\n", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "an EPS drawing"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "an EPS drawing"),
        (b"%!PS-Adobe-3.0\n%%Creator: Adobe Illustrator(R) 8", "an Illustrator drawing"),
        (b"%!PS-Adobe-2.0\n", "a PostScript drawing"),
        (b"AT&TFORM\0\0\1\0DJVM", "a DjVu document"),
        (bytes([0, 0, 0, 24]) + b"ftypcrx \0\0", "Canon CR3"),
        (b"FUJIFILMCCD-RAW 0201", "Fujifilm RAF"),
        (b"IIRO\x08\0\0\0", "Olympus ORF"),
        (bytes([0, 0, 0, 24]) + b"ftypisom", "a film"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "Word"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a Word document"),
        (zipped("scan1.jpg"), "a ZIP archive"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"gimp xcf v011\0", "XCF"),
        (bytes(5000), "not been copied whole"),
        (b"", "empty"),
    ],
)
def test_a_file_in_a_pictures_place_is_called_what_it_is(content, words):
    with pytest.raises(BadImage) as caught:
        decode(content)
    assert words in caught.value.reason and caught.value.reason.endswith(".")


def test_what_has_no_mark_is_no_guess():
    assert other_kind(b"\x02\x03\x9a\xff" * 50) is None
