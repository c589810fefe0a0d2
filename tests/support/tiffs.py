"""TIFFs of kinds that Pillow does not write, byte by byte."""

import struct
import zlib

import numpy as np

GREY, RGB, CMYK, CIELAB, ICCLAB = 1, 2, 5, 8, 9


def page(values: np.ndarray, colours: int, apart=False, deflate=False, **tags: int) -> dict:
    """A page of `values` (rows, cols, channels), its channels `apart` or interleaved. `tags`: t254=1 and so on."""
    rows, cols, channels = values.shape
    planes = [values[..., i] for i in range(channels)] if apart else [values]
    strips = [np.ascontiguousarray(plane).tobytes() for plane in planes]
    if deflate:
        strips = [zlib.compress(strip) for strip in strips]
    found = {
        256: (cols,), 257: (rows,), 258: (values.dtype.itemsize * 8,) * channels, 259: (8 if deflate else 1,),
        262: (colours,), 277: (channels,), 278: (rows,), 284: (2 if apart else 1,),
        339: ({"u": 1, "i": 2, "f": 3}[values.dtype.kind],) * channels,
    }  # fmt: skip
    found |= {int(name[1:]): (value,) for name, value in tags.items()}
    return {"tags": found, "strips": strips}


def tiff(*pages: dict, cyclic=False) -> bytes:
    """A little-endian file of these pages; a `cyclic` one's last page leads back to the first."""
    out = bytearray(b"II*\0\0\0\0\0")
    links, starts = [4], []
    for each in pages:
        places = []
        for strip in each["strips"]:
            places.append(len(out))
            out += strip + b"\0" * (len(strip) % 2)
        tags = each["tags"] | {273: tuple(places), 279: tuple(map(len, each["strips"]))}
        entries = []
        for tag in sorted(tags):
            body = struct.pack(f"<{len(tags[tag])}{'I' if tag in (273, 279) else 'H'}", *tags[tag])
            if len(body) > 4:
                body, place = struct.pack("<I", len(out)), body
                out += place + b"\0" * (len(place) % 2)
            entries.append(
                struct.pack("<HHI", tag, 4 if tag in (273, 279) else 3, len(tags[tag])) + body.ljust(4, b"\0")
            )
        starts.append(len(out))
        struct.pack_into("<I", out, links[-1], len(out))
        out += struct.pack("<H", len(entries)) + b"".join(entries)
        links.append(len(out))
        out += b"\0\0\0\0"
    if cyclic:
        struct.pack_into("<I", out, links[-1], starts[0])
    return bytes(out)
