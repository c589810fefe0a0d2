"""The web server: Streamlit with routes of our own for pictures. Run it with: streamlit run dashboard/app.py"""

import asyncio
import gzip
import hashlib
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

# `streamlit run dashboard/app.py` puts dashboard/ on the path, not the project's root that `import store` needs.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402
from starlette.background import BackgroundTask  # noqa: E402
from starlette.convertors import Convertor, register_url_convertor  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response  # noqa: E402
from starlette.routing import Match, Route  # noqa: E402
from starlette.types import Scope  # noqa: E402

from dashboard.data import (  # noqa: E402
    archive,
    cache,
    iiif,
    layouts,
)
from dashboard.data.captions import captions as captions_of  # noqa: E402
from dashboard.state.busy import ahead  # noqa: E402
from store.errors import StoreError  # noqa: E402
from store.sharing import sharing  # noqa: E402

_parts = ThreadPoolExecutor(8, "parts")
CORS = {"Access-Control-Allow-Origin": "*"}
_SCHEME = re.compile("https?")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
FOR_EVER = "public, max-age=31536000, immutable"
PLACEHOLDER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><rect width="4" height="4" fill="#8883"/></svg>'
)


class Number(Convertor[int]):
    """Digits in a path, as an id. Starlette's own `int` fails at numbers of more digits than Python converts."""

    regex = "[0-9]+"

    def convert(self, value: str) -> int:
        return int(value) if len(value) < 20 else 2**63  # more than any id

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("id", Number())


def thumb(request: Request) -> Response:
    """GET /thumb/{image_id}?v=VERSION[&db=NAME]: the image's JPEG, or a grey square that says by its status why not.

    With `v` a browser may keep it for ever, since another picture would have another address. 404 for an unknown image,
    503 while the database cannot be read. Starlette runs plain functions in a thread, so the event loop never waits.
    """
    return _answer(request, cache.thumbnail_of, "image/jpeg")


def points(request: Request) -> Response:
    """GET /atlas/points/{projection_id}?v=VERSION[&layout=WAY][&by=COLUMN][&level=N][&db=NAME]: a projection, or what
    is made of it, as `layouts.packed` says."""
    query = request.query_params
    layout_options = layouts.LayoutOptions(query.get("layout", "projection"), query.get("by", ""), _level(request))
    find = partial(cache.points_of, layout_options=layout_options)
    return _answer(request, find, "application/octet-stream", compressed=True)


def clusters(request: Request) -> Response:
    """GET /atlas/clusters/{projection_id}?v=VERSION[&level=N][&db=NAME]: the clusters of a layout at a level, named and
    outlined."""
    return _answer(request, partial(cache.outlines_of, level=_level(request)), "application/json")


def _level(request: Request) -> int | None:
    text = request.query_params.get("level", "")
    return int(text) if text.isdecimal() and len(text) < 6 else None


def view(request: Request) -> Response:
    """GET /atlas/view/{token}?at=x,y,zoom: hears which part of a map somebody has in view. 400 for what is no part."""
    known = cache.save_part(request.path_params["token"], request.query_params.get("at", ""))
    return Response(status_code=204 if known else 400, headers={"Cache-Control": "no-store"})


def page(request: Request) -> Response:
    """GET /atlas/page/{collection_id}/{version}/{cell}/{page}?v[&db=NAME]: many small pictures as one JPEG."""
    return _answer(request, layouts.page, "image/jpeg")


def about(request: Request) -> Response:
    """GET /atlas/about/{image_id}?v=VERSION[&db=NAME]: title and caption as JSON."""
    return _answer(request, layouts.about, "application/json")


def tiles(request: Request) -> Response:
    """GET /atlas/tiles/{image_id}[?db=NAME]: where the map gets the tiles of an original, as JSON; {} where it is gone,
    which is no error there."""
    db, image_id = request.query_params.get("db"), request.path_params["image_id"]
    path = cache.database(db)
    below = f"{quote(db, safe='')}/" if db else ""
    service = f"{request.url.path.partition('/atlas/')[0]}/iiif/{below}{image_id}"
    try:
        with sharing():
            found = iiif.tiles(path, image_id, service) if path else {}
    except StoreError:
        found = {}
    return JSONResponse(found, headers={"Cache-Control": "no-cache"})


def captions(request: Request) -> Response:
    """GET /atlas/abouts/{ids}?v=VERSION[&db=NAME]: the same of many pictures, their ids between commas."""
    return _answer(request, captions_of, "application/json")


def thumbnails(request: Request) -> Response:
    """GET /thumbnails/{token}: the ZIP file that a page offered; it is made now, sent from the disk and deleted."""
    offer = archive.offered(request.path_params["token"])
    if offer is None:
        return PlainTextResponse("This file is no longer offered. Go back to the page and press the button again.", 404)
    try:
        path = archive.build(offer)
    except StoreError as error:
        return PlainTextResponse(str(error), 503)
    name = f"{offer.name}-thumbnails.zip"
    return FileResponse(path, media_type="application/zip", filename=name, background=BackgroundTask(path.unlink))


def openseadragon(request: Request) -> Response:
    """GET /openseadragon.js?v=VERSION: the viewer of the page Picture."""
    file = Path(__file__).parent / "components" / "openseadragon" / "openseadragon.min.js"
    return FileResponse(file, media_type="text/javascript", headers={"Cache-Control": FOR_EVER})


# ---- the image service (docs/images.md) -----------------------------------------------------------------------------


def iiif_base(request: Request) -> Response:
    """GET /iiif/[{db}/]{image_id}: the way to the description of the image."""
    return RedirectResponse(f"{_service_address(request)}/info.json", 303, CORS)


def iiif_info(request: Request) -> Response:
    """GET /iiif/[{db}/]{image_id}/info.json[?db=NAME]: Image API 3.0, or the way to another institution's service."""

    def find(path: Path) -> Response:
        data = iiif.info(path, request.path_params["image_id"], _service_address(request))
        linked = "application/ld+json" in request.headers.get("accept", "")
        kind = f'application/ld+json;profile="{data["@context"]}"' if linked else "application/json"
        return JSONResponse(data, headers=CORS | {"Cache-Control": "no-cache", "Vary": "Accept"}, media_type=kind)

    return _iiif(request, find)


async def iiif_image(request: Request) -> Response:
    """GET /iiif/[{db}/]{image_id}/{region}/{size}/{rotation}/{quality}.{format}[?v=VERSION][&db=NAME]: a part of the
    original. 400 for what the Image API does not know, 404 where the original is gone, with a sentence.

    Parts have threads of their own: those of Starlette, which pages and thumbnails need, would all wait for parts.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_parts, _part, request, loop)


def _part(request: Request, loop: asyncio.AbstractEventLoop) -> Response:
    if asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop).result():
        return Response(status_code=499)  # a viewer asks for many parts that it soon has no need of; nobody gets this

    def find(path: Path) -> Response:
        image_id, *words = (request.path_params[key] for key in ("image_id", "region", "size", "rotation", "last"))
        found = iiif.image(path, image_id, tuple(words), request.headers.get("if-none-match", ""))
        links = (
            f'<{_service_address(request)}/{found.canonical}>;rel="canonical"',
            f'<{iiif.PROFILE}>;rel="profile"',
        )
        headers = CORS | {
            "ETag": f'"{found.tag}"',
            "Cache-Control": FOR_EVER if "v" in request.query_params else "no-cache",
            "Link": ",".join(links),
        }
        if found.data is None:
            return Response(status_code=304, headers=headers)
        return Response(found.data, media_type=found.kind, headers=headers)

    return _iiif(request, find)


def iiif_unknown(request: Request) -> Response:
    """What lies below /iiif/ and is no address of the Image API."""
    known = "/iiif/ID/info.json and /iiif/ID/REGION/SIZE/ROTATION/QUALITY.FORMAT"
    return PlainTextResponse(f"The addresses here are {known}, with the number of an image as ID.", 404, CORS)


def _iiif(request: Request, find: Callable[[Path], Response]) -> Response:
    _hurry(request)
    path = cache.database(request.path_params.get("db") or request.query_params.get("db"))
    try:
        if path is None:
            raise iiif.ImageError(404, "There is no such database here.")
        return find(path)
    except iiif.ImageError as error:
        if error.status == 303:
            return RedirectResponse(str(error), 303, CORS)
        return PlainTextResponse(str(error), error.status, CORS | {"Cache-Control": "no-store"})
    except StoreError as error:
        return PlainTextResponse(str(error), 503, CORS | {"Cache-Control": "no-store"})


def _service_address(request: Request) -> str:
    """The address of an image's service as the asker knows it, behind a proxy too."""
    url = request.url
    scheme = _forwarded(request, "x-forwarded-proto", _SCHEME) or url.scheme
    host = _forwarded(request, "x-forwarded-host", _HOST) or url.netloc
    prefix, _, rest = url.path.partition("/iiif/")
    depth = 2 if "db" in request.path_params else 1
    name = "/".join(quote(part, safe="") for part in rest.split("/")[:depth])
    if depth == 1 and (db := request.query_params.get("db")):
        name = f"{quote(db, safe='')}/{name}"
    return f"{scheme}://{host}{prefix}/iiif/{name}"


def _forwarded(request: Request, header: str, form: re.Pattern[str]) -> str | None:
    """What the first of several proxies says in a header; None where that has not the form that it should."""
    first = request.headers.get(header, "").partition(",")[0].strip()
    return first if form.fullmatch(first) else None


# ---- what they share ------------------------------------------------------------------------------------------------


def _answer(request: Request, find: Callable[..., bytes | None], kind: str, compressed: bool = False) -> Response:
    """What `find` finds in the database for the parameters of the path, in their order; `compressed` says that it is
    gzipped."""
    _hurry(request)
    path = cache.database(request.query_params.get("db"))
    try:
        with sharing():
            data: Any = path and find(path, *request.path_params.values())
    except StoreError:
        return _placeholder(503)
    if not data:
        return _placeholder(404)
    tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": FOR_EVER if "v" in request.query_params else "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if compressed and "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    elif compressed:
        data = gzip.decompress(data)
    return Response(data, media_type=kind, headers=headers)


def _hurry(request: Request) -> None:
    """Let the kernel send small pieces at once. The server's socket waits for the browser to acknowledge the headers
    before it sends the picture (Nagle's algorithm, which asyncio switches off only for sockets that name their
    protocol): 44 ms for each of 2,000 thumbnails, instead of 2."""
    transport = getattr(getattr(request.receive, "__self__", None), "transport", None)
    connection = transport and transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _placeholder(status: int) -> Response:
    return Response(PLACEHOLDER, status_code=status, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


ROUTES: dict[str, Callable[[Request], Any]] = {
    "/thumb/{image_id:id}": thumb,
    "/atlas/points/{projection_id:id}": points,
    "/atlas/clusters/{projection_id:id}": clusters,
    "/atlas/page/{collection_id:id}/{version}/{cell:id}/{page:id}": page,
    "/atlas/view/{token}": view,
    "/atlas/about/{image_id:id}": about,
    "/atlas/tiles/{image_id:id}": tiles,
    "/atlas/abouts/{ids}": captions,
    "/thumbnails/{token}": thumbnails,
    "/openseadragon.js": openseadragon,
    "/iiif/{image_id:id}": iiif_base,
    "/iiif/{image_id:id}/info.json": iiif_info,
    "/iiif/{image_id:id}/{region}/{size}/{rotation}/{last}": iiif_image,
    # Of another database than the first: its name cannot stand in a query, to which viewers add.
    "/iiif/{db}/{image_id:id}": iiif_base,
    "/iiif/{db}/{image_id:id}/info.json": iiif_info,
    "/iiif/{db}/{image_id:id}/{region}/{size}/{rotation}/{last}": iiif_image,
    "/iiif/{rest:path}": iiif_unknown,
}


class Deep(Route):
    """What a browser asks for below a page, such as /map/3. Streamlit would send its page there, which then finds none
    of its files and stays empty."""

    STREAMLIT = frozenset(("app", "auth", "component", "media", "oauth2callback", "static", "vendor"))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found, more = super().matches(scope)
        if found != Match.FULL:
            return found, more
        first, rest = more["path_params"]["first"], more["path_params"]["rest"].strip("/")
        wanted = any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
        ours = rest and wanted and not first.startswith("_") and first not in self.STREAMLIT
        return (found, more) if ours else (Match.NONE, {})


def deep(request: Request) -> Response:
    """One step up, where the dashboard says that there is no such page and which there are."""
    word = "-".join(part for part in request.path_params["rest"].split("/") if part)
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{base and '/' + base}/{quote(request.path_params['first'] + '-' + word, safe='')}{query}")


def routes() -> list[Route]:
    """Our routes, at the root and under server.baseUrlPath where there is one."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    prefixes = {"", f"/{base}" if base else ""}
    found = [Route(prefix + path, answer) for prefix in prefixes for path, answer in ROUTES.items()]
    return [*found, Deep(f"/{base}/{{first}}/{{rest:path}}" if base else "/{first}/{rest:path}", deep)]


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """As long as the server runs."""
    ahead.begin("dashboard.selection.actions.dock")
    yield


app = st.App(Path(__file__).with_name("main.py"), routes=routes(), lifespan=lifespan)
