"""The web server: Streamlit with routes of our own for pictures. Run it with: streamlit run dashboard/app.py"""

import hashlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# `streamlit run dashboard/app.py` puts dashboard/ on the path, not the project's root that `import store` needs.
ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

from dashboard import cache, layouts  # noqa: E402
from store.errors import StoreError  # noqa: E402

FOR_EVER = "public, max-age=31536000, immutable"
PLACEHOLDER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><rect width="4" height="4" fill="#8883"/></svg>'
)


def thumb(request: Request) -> Response:
    """GET /thumb/{image_id}?v=VERSION[&db=NAME]: the image's JPEG, or a grey square that says by its status why not.

    With `v` a browser may keep it for ever, since another picture would have another address. 404 for an unknown image,
    503 while the database cannot be read. Starlette runs plain functions in a thread, so the event loop never waits.
    """
    return _answer(request, cache.thumbnail_of, "image/jpeg")


def points(request: Request) -> Response:
    """GET /atlas/points/{projection_id}?v=VERSION[&db=NAME]: a layout as `layouts.packed` says."""
    return _answer(request, layouts.points, "application/octet-stream")


def page(request: Request) -> Response:
    """GET /atlas/page/{collection_id}/{version}/{cell}/{page}?v[&db=NAME]: many small pictures as one JPEG."""
    return _answer(request, layouts.page, "image/jpeg")


def about(request: Request) -> Response:
    """GET /atlas/about/{image_id}?v=VERSION[&db=NAME]: title and caption as JSON."""
    return _answer(request, layouts.about, "application/json")


def _answer(request: Request, find: Callable[..., bytes | None], kind: str) -> Response:
    """What `find` finds in the database for the parameters of the path, in their order."""
    _hurry(request)
    path = cache.database(request.query_params.get("db"))
    try:
        data: Any = path and find(path, *request.path_params.values())
    except StoreError:
        return _placeholder(503)
    if not data:
        return _placeholder(404)
    tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": FOR_EVER if "v" in request.query_params else "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
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


ROUTES = {
    "/thumb/{image_id:int}": thumb,
    "/atlas/points/{projection_id:int}": points,
    "/atlas/page/{collection_id:int}/{version}/{cell:int}/{page:int}": page,
    "/atlas/about/{image_id:int}": about,
}


def routes() -> list[Route]:
    """Our routes, at the root and under server.baseUrlPath where there is one."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    prefixes = {"", f"/{base}" if base else ""}
    return [Route(prefix + path, answer) for prefix in prefixes for path, answer in ROUTES.items()]


app = st.App(Path(__file__).with_name("main.py"), routes=routes())
