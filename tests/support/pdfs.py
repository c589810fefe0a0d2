"""PDFs, byte by byte: pages of one colour, a few bytes each."""

from collections.abc import Sequence


def pdf(colours: Sequence[tuple[float, float, float]], size=(200, 100), rotate: int = 0, extra: bytes = b"") -> bytes:
    """A PDF with a page of `size` points for each colour, of which the left half is painted; `extra` goes into the
    trailer."""
    count = len(colours)
    kids = b" ".join(b"%d 0 R" % (3 + 2 * i) for i in range(count))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count)]
    for i, (red, green, blue) in enumerate(colours):
        drawn = f"{red} {green} {blue} rg 0 0 {size[0] / 2} {size[1]} re f".encode()
        objects.append(
            f"<</Type/Page/Parent 2 0 R/Rotate {rotate}/MediaBox[0 0 {size[0]} {size[1]}]/Contents {4 + 2 * i} 0 R>>".encode()
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, extra, start)
    return bytes(out)
