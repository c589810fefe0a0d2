"""A museum's web server, for tests: IIIF documents and pictures, and whatever may go wrong with them."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from PIL import Image

from ingest.sources.iiif.tasks import IiifOptions, SourceContents, iiif_tasks
from ingest.web import Web

P2, P3 = "http://iiif.io/api/presentation/2/context.json", "http://iiif.io/api/presentation/3/context.json"
I2, I3 = "http://iiif.io/api/image/2/context.json", "http://iiif.io/api/image/3/context.json"

FAST = ("--allow-host", "127.0.0.1", "--per-second", "100")  # what commands need to ask it, and quickly

JUNK = [
    None,
    0,
    "",
    "http://[",
    {"id": "http://["},
    [],
    {},
    [[]],
    {"id": 3},
    "x",
    True,
    {"a": {"b": []}},
    [None, 1, "x", {}],
]

Reply = tuple[int, dict[str, str], bytes]


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are part of the tests."""


class Museum:
    """The server. `asked` lists the paths of all requests in their order, `times` when they came."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.times: list[float] = []
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], Reply | None]] = {}
        museum = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms for a receipt of its headers

            def do_GET(self) -> None:
                museum.asked.append(self.path)
                museum.times.append(time.monotonic())
                reply = museum.answer(self)
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, body = reply
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = _Quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_port

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, handler: BaseHTTPRequestHandler) -> Reply | None:
        path = unquote(handler.path)
        page = self.pages.get(path)
        if page is None:
            page = next(
                (page for prefix, page in self.pages.items() if prefix.endswith("/*") and path.startswith(prefix[:-1])),
                None,
            )
        return page(handler) if page else (404, {}, b"nothing here")

    def count(self, part: str) -> int:
        return sum(part in path for path in self.asked)

    # ---- what it shows -------------------------------------------------------------------------------------------

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = lambda handler: (status, named, body)
        return self.url(path)

    def json(self, path: str, data: Any, pack: bool = False) -> str:
        body = json.dumps(data).encode()
        if pack:
            return self.put(path, gzip.compress(body), Content_Encoding="gzip")
        return self.put(path, body)

    def stumbling(self, path: str, times: int, status: int, headers: dict[str, str], then: bytes) -> str:
        """A page that fails so many times before it works."""
        left = [times]

        def page(handler: BaseHTTPRequestHandler) -> Reply:
            left[0] -= 1
            return (status, headers, b"later") if left[0] >= 0 else (200, {}, then)

        self.pages[path] = page
        return self.url(path)

    def image(
        self,
        name: str,
        width: int = 1600,
        height: int = 1200,
        version: int = 3,
        level: int = 2,
        sizes: list[tuple[int, int]] | None = None,
        forms: tuple[str, ...] = ("w,", "w,h"),
        info: dict | None = None,
    ) -> str:
        """An image service that is strict: it answers 400 to whatever a server of its level need not do."""
        uri = self.url(f"/iiif/{name}")
        listed = [{"width": w, "height": h} for w, h in sizes or []]
        document: dict[str, Any] = {"width": width, "height": height, **({"sizes": listed} if listed else {})}
        if version == 3:
            document |= {"@context": I3, "id": uri, "type": "ImageService3", "profile": f"level{level}"}
        else:
            document |= {"@context": I2, "@id": uri, "profile": [f"http://iiif.io/api/image/2/level{level}.json"]}
        self.json(f"/iiif/{name}/info.json", document | (info or {}))

        def page(handler: BaseHTTPRequestHandler) -> Reply:
            region, size, _, file = unquote(handler.path).removeprefix(f"/iiif/{name}/").split("/")
            found = _size(size, width, height, version, level, sizes or [], forms)
            if region != "full" or file != "default.jpg" or found is None:
                return 400, {}, b"not offered"
            return 200, {"Content-Type": "image/jpeg"}, jpeg(*found, name)

        self.pages[f"/iiif/{name}/*"] = page
        return uri

    def manifest(self, path: str, canvases: list[dict], **more: Any) -> str:
        """A manifest of Presentation 3 with these canvases."""
        data = {
            "@context": P3,
            "id": self.url(path),
            "type": "Manifest",
            "label": {"en": ["A book"]},
            "items": canvases,
        }
        return self.json(path, data | more)

    def canvas(self, name: str, service: str | None = None, image: str | None = None, **more: Any) -> dict:
        """A canvas of Presentation 3, twice as large as the picture on it."""
        body: dict[str, Any] = {
            "id": image or f"{service}/full/max/0/default.jpg",
            "type": "Image",
            "format": "image/jpeg",
        }
        if service:
            body["service"] = [{"id": service, "type": "ImageService3", "profile": "level2"}]
        uri = self.url(f"/canvas/{name}")
        annotation = {"id": f"{uri}/a", "type": "Annotation", "motivation": "painting", "body": body, "target": uri}
        page = {"id": f"{uri}/p", "type": "AnnotationPage", "items": [annotation]}
        label = {"none": [name]}
        return {"id": uri, "type": "Canvas", "label": label, "width": 3200, "height": 2400, "items": [page]} | more

    def manifest2(self, path: str, names: list[str], **more: Any) -> str:
        """A manifest of Presentation 2; each name is that of an image of this server."""
        canvases = [
            {
                "@id": self.url(f"/canvas/{name}"),
                "@type": "sc:Canvas",
                "label": f"f. {name}",
                "width": 3200,
                "height": 2400,
                "images": [
                    {
                        "@type": "oa:Annotation",
                        "motivation": "sc:painting",
                        "on": self.url(f"/canvas/{name}"),
                        "resource": {
                            "@id": self.url(f"/iiif/{name}/full/full/0/default.jpg"),
                            "@type": "dctypes:Image",
                            "service": {
                                "@context": I2,
                                "@id": self.url(f"/iiif/{name}"),
                                "profile": "http://iiif.io/api/image/2/level2.json",
                            },
                        },
                    }
                ],
            }
            for name in names
        ]
        data = {
            "@context": P2,
            "@id": self.url(path),
            "@type": "sc:Manifest",
            "label": "Ein Buch",
            "sequences": [{"@type": "sc:Sequence", "canvases": canvases}],
        }
        return self.json(path, data | more)


def _size(
    size: str, width: int, height: int, version: int, level: int, sizes: list, forms: tuple[str, ...]
) -> tuple[int, int] | None:
    """The picture's size that a strict server gives for a size as it is written; None for an error."""
    if size == "max" or (size == "full" and version == 2):
        return width, height
    w, _, h = size.partition(",")
    if not w or not w.isdigit() or int(w) > width or (h and int(h) > height):
        return None
    found = (int(w), int(h) if h else round(int(w) * height / width))
    form = "w,h" if h else "w,"
    if level == 0:
        return found if form in forms and any(found[0] == w and abs(found[1] - h) <= 1 for w, h in sizes) else None
    if form == "w,h" and level < 2 and found not in sizes:
        return None
    return found


@lru_cache(maxsize=64)
def jpeg(width: int, height: int, name: str = "") -> bytes:
    """A picture that differs from those of other names."""
    colours = [(sum(map(ord, name)) * 37 + 61 * place) % 256 for place in range(12)]
    small = Image.frombytes("RGB", (2, 2), bytes(colours))
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def tasks(source: str, limit: int | None = None, **options: Any) -> SourceContents:
    """What `iiif_tasks` finds at an address of the museum."""
    return iiif_tasks(Web(["127.0.0.1"], 1000), source, IiifOptions(**options), limit)
