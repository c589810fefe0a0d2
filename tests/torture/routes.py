"""Requests that no page of ours makes: ids that are none, paths that lead elsewhere, numbers without end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

NUMBERS = (
    "-1", "0", "1.5", "1e9", "0x10", "nan", "", "%00", "٣", "1%20OR%201=1", "1;DROP%20TABLE%20image", "'", "..", "%2e%2e",
    str(2**31), str(2**63 - 1), str(2**63), str(10**20), "9" * 400, "9" * 5000, "1/../../../../etc/passwd",
)  # fmt: skip
PLACES = (
    "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "....//....//etc/passwd",
    "..%5c..%5cetc%5cpasswd", "..%c0%af..%c0%afetc/passwd", "/etc/passwd", "//etc/passwd", "file:///etc/passwd", "%00", "~root",
)  # fmt: skip
DATABASES = (
    *PLACES,
    "",
    ".",
    "..",
    "/",
    "nothing.duckdb",
    "room/secret.duckdb",
    "../room/secret.duckdb",
    "%00.duckdb",
    "x" * 5000,
)
NUMBERED = (
    "/thumb/{}",
    "/atlas/points/{}",
    "/atlas/clusters/{}",
    "/atlas/about/{}",
    "/atlas/abouts/{}",
    "/thumbnails/{}",
)
OTHERS = (
    "/atlas/points/1?layout=nonsense",
    "/atlas/points/1?layout=groups&by=%27%3BDROP%20TABLE%20image%3B--",
    '/atlas/points/1?layout=groups&by=%22%20FROM%20image%3B--',
    "/atlas/points/1?layout=groups&by=%00",
    "/atlas/points/1?layout=groups&by=" + "x" * 5000,
    "/atlas/points/1?layout=time&by=title",
    "/atlas/points/1?layout=grid&by=year",
    "/atlas/abouts/" + ",".join(map(str, range(201))),
    "/atlas/abouts/" + "1," * 3000,
    "/atlas/abouts/,,,",
    "/atlas/abouts/1,-1",
    "/atlas/abouts/" + "9" * 18,
    "/atlas/page/1/%27/64/0",
    "/atlas/page/1/../../../etc/passwd/64/0",
    "/atlas/page/1/a/65/0",
    f"/atlas/page/1/a/64/{10**30}",
    f"/atlas/page/1/a/{10**30}/0",
    f"/atlas/page/{'9' * 5000}/a/64/0",
    "/thumbnails/" + "a" * 5000,
    "/thumb/1/2",
    "/thumb/",
    "//evil.example/",
    "//evil.example/thumb/1/",
    "///evil.example/%2e%2e/",
    "/%2f/evil.example/",
    "/\\evil.example/",
    "/thumb//evil.example/",
    "http://evil.example/thumb/1/",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a server said: its status, 0 for a closed connection, the head and the body."""

    request: str
    status: int
    head: str
    body: bytes
    seconds: float


def paths() -> Iterator[str]:
    """Every path with its query."""
    for route in NUMBERED:
        yield from (route.format(number) for number in NUMBERS)
        yield from (route.format(place) for place in PLACES)
    for number in NUMBERS:
        yield f"/atlas/page/{number}/a/64/0"
        yield f"/atlas/page/1/a/{number}/0"
        yield f"/atlas/page/1/a/64/{number}"
    for name in DATABASES:
        yield f"/thumb/1?db={name}"
        yield f"/atlas/about/1?v=1&db={name}"
    for place in PLACES:
        yield f"/{place}"
        yield f"/static/{place}"
        yield f"/app/static/{place}"
        yield f"/media/{place}"
        yield f"/component/{place}"
    yield from OTHERS


def requests() -> Iterator[str]:
    """The first lines and headers of all requests, as they go over the wire."""
    yield from (f"GET {path} HTTP/1.1" for path in paths())
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"):
        yield f"{method} /thumb/1 HTTP/1.1\r\nContent-Length: 0"
    yield "GET /thumb/1 HTTP/1.1\r\nRange: bytes=0-1,2-3,-99999999999999999999"
    yield "GET /thumb/1 HTTP/1.1\r\nIf-None-Match: " + '"x",' * 1000
    yield "GET /thumb/1 HTTP/1.1\r\nX-Long: " + "x" * 100_000
    yield "GET /thumb/1 HTTP/1.1\r\nContent-Length: -5"
    yield "GET /thumb/1 HTTP/9.9"
    yield "\x00\x01\x02"


def ask(address: str, request: str, patience: float = 20.0) -> Answer:
    """Send a request as it stands; no client tidies its path beforehand."""
    where = urlsplit(address)
    began = time.monotonic()
    data = b""
    try:
        with socket.create_connection((where.hostname, where.port), timeout=patience) as wire:
            wire.sendall(f"{request}\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode(errors="replace"))
            while part := wire.recv(65_536):
                data += part
    except ConnectionError:
        pass  # it may hang up on such a client
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return Answer(request, status, head.decode(errors="replace"), body, time.monotonic() - began)


def fault(answer: Answer, secret: bytes) -> str:
    """What is wrong with an answer; nothing if it is a refusal, a picture of ours, or the page that everybody gets."""
    if answer.status >= 500:
        return f"status {answer.status}"
    if 300 <= answer.status < 400 and (elsewhere := _elsewhere(answer.head)):
        return f"it leads to {elsewhere}"
    for leak in (b"root:x:", b"Traceback", secret):
        if leak in answer.body:
            return f"it holds {leak.decode()!r}"
    return ""


def _elsewhere(head: str) -> str:
    """The other host that an answer leads to; nothing if it stays on this one."""
    lines = [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("location:")]
    return next((line for line in lines if not line.startswith("/") or line[1:2] in ("/", "\\")), "")
