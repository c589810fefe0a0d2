"""Files from the web: only from addresses that were checked, no faster than a host likes, never more than a bound.

Manifests are written by others, and name whatever addresses they like. So every request, redirected ones too, passes
one gate: http or https, no name and password in the address, and a server on the public internet, unless the user has
named the host. The name is resolved once, and the connection goes to the very address that was checked.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

import ingest
from ingest.addresses import Refused, WebError, check, parsed, shown

ATTEMPTS = 5
FIRST_PAUSE = 1.0  # seconds before the second attempt; twice as long before each further one
LONGEST_PAUSE = 120.0  # seconds that a server may ask us to wait; for more, the user comes back later
SILENCE = 30.0  # seconds without a byte
WHOLE = 300.0  # seconds for one file
REDIRECTS = 5
GIVE_UP = 8  # attempts in a row without an answer, after which a host is left alone
MOST_TEXT = 32 * 2**20  # bytes of a JSON document, unpacked
MOST_PICTURE = 128 * 2**20  # bytes of a picture

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Busy(Exception):
    """A failure that may pass. `wait` is how many seconds the server wants to be left alone, None if it did not say."""

    def __init__(self, reason: str, status: int = 0, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.status, self.wait = reason, status, wait


@dataclass(frozen=True)
class Download:
    """A file: its bytes, decompressed, and the address it came from in the end."""

    address: str
    data: bytes


class Web:
    """Asks for files. One for a whole ingest, for all its threads; to be closed, as a context manager or by `close`.

    `allow_hosts` names hosts that may have private addresses; `per_second` requests at most go to one host.
    """

    def __init__(self, allow_hosts: Iterable[str] = (), per_second: float = 4.0) -> None:
        self._closed = threading.Event()
        self._gate = _Gate(frozenset(host.strip("[]").casefold() for host in allow_hosts), per_second, self._closed)
        self._client = httpx.Client(
            transport=self._gate,
            timeout=SILENCE,
            follow_redirects=True,
            max_redirects=REDIRECTS,
            trust_env=False,  # a proxy would look the name up itself, and no address could be checked
            headers={"User-Agent": f"bilderatlas/{ingest.__version__}"},
        )

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections; whoever still waits is sent away with a WebError."""
        self._closed.set()
        self._client.close()

    def json(self, address: str, most: int = MOST_TEXT) -> tuple[Any, str]:
        """A JSON document of at most `most` bytes, and the address it came from in the end. WebError."""
        answer = self.get(address, most, "application/json, application/ld+json;q=0.9, */*;q=0.1", packed=True)
        return parse_json(answer.data, shown(answer.address)), answer.address

    def get(self, address: str, most: int = MOST_PICTURE, accept: str = "*/*", packed: bool = False) -> Download:
        """A file of at most `most` bytes, which may come `packed`. Servers that are busy are asked again, ATTEMPTS
        times in all.

        Refused for an address that is not asked, WebError for all else.
        """
        host, pause = self._gate.host(parsed(address)), FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            host.refuse_if_dead()
            try:
                answer = self._once(address, most, accept, packed)
            except _Busy as busy:
                host.heard(bool(busy.status))
                if attempt == ATTEMPTS:
                    raise WebError(f"{busy.reason} (asked {ATTEMPTS} times)", busy.status) from busy
                host.rest(pause * random.uniform(0.75, 1.25) if busy.wait is None else busy.wait)
                pause *= 2
            except WebError as error:
                if error.status:
                    host.heard(True)
                raise
            except httpx.TooManyRedirects:
                raise WebError(f"{shown(address)} leads from one address to the next without end") from None
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise Refused(f"{shown(address)} leads to an address that is not asked: {error}") from None
            else:
                host.heard(True)
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _once(self, address: str, most: int, accept: str, packed: bool) -> Download:
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if packed else "identity"}
        try:
            with self._client.stream("GET", address, headers=headers) as response:
                if response.status_code in _BUSY:
                    raise _Busy(_reason(response), response.status_code, self._wait(response))
                if not response.is_success:
                    raise WebError(_reason(response), response.status_code)
                return Download(str(response.url), b"".join(_parts(response, most)))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects):
            raise
        except httpx.TimeoutException:
            raise _Busy(f"{_host(address)} did not answer in time") from None
        except (httpx.TransportError, httpx.StreamError) as error:
            if "location header" in str(error):  # that is how httpx tells it from a connection that broke
                raise WebError(f"{_host(address)} leads on to something that is no address") from None
            raise _Busy(f"the connection to {_host(address)} broke: {error or type(error).__name__}") from None

    def _wait(self, response: httpx.Response) -> float | None:
        wait = retry_after(response.headers.get("retry-after"))
        if wait is not None and wait > LONGEST_PAUSE:
            raise WebError(
                f"{response.url.host} asks to be left alone for {wait:.0f} seconds: give the same command again later",
                response.status_code,
            )
        return wait


def parse_json(data: bytes, name: str) -> Any:
    """The bytes as JSON. WebError with a sentence, and the status of an answer that came, for all that is none."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise WebError(f"{name} is nested too deep to be read", 200) from None
    except ValueError:
        if re.match(rb"\s*<(!doctype|html|\?xml|!--)", data[:200].removeprefix(b"\xef\xbb\xbf"), re.IGNORECASE):
            raise WebError(
                f"{name} is a web page, no IIIF manifest: look there for the IIIF logo or a link to the manifest, an "
                "address that often ends in manifest.json",
                200,
            ) from None
        raise WebError(f"{name} is no JSON document, or is cut short", 200) from None


def retry_after(value: str | None) -> float | None:
    """Seconds, from a Retry-After header: a number or a date; None if it says nothing."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


class _Gate(httpx.BaseTransport):
    """The one way out: checks every request's address, and lets it through when its host's turn has come."""

    def __init__(self, allowed: frozenset[str], per_second: float, closed: threading.Event) -> None:
        self._allowed, self._every, self._closed = allowed, 1 / per_second, closed
        self._certificates = httpx.create_ssl_context()
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def host(self, url: httpx.URL) -> _Host:
        name = url.host.casefold()
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = _Host(name, self._every, self._closed, self._certificates)
            return self._hosts[name]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        addresses = check(request.url, self._allowed)
        host = self.host(request.url)
        host.wait_turn()
        for place, address in enumerate(addresses, start=1):
            try:
                return host.transport.handle_request(_directed(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise httpx.ConnectError(f"{host.name} has no address")

    def close(self) -> None:
        for host in self._hosts.values():
            host.transport.close()


class _Host:
    """What is known of a server: when it may be asked next, and how often in a row it gave no answer.

    It has a pool of connections of its own: two names may share a numeric address, but not a certificate.
    """

    def __init__(self, name: str, every: float, closed: threading.Event, certificates: ssl.SSLContext) -> None:
        kept = httpx.Limits(max_keepalive_connections=4)
        self.name, self.transport = name, httpx.HTTPTransport(verify=certificates, limits=kept)
        self._every, self._closed = every, closed
        self._next, self._unheard = 0.0, 0
        self._lock = threading.Lock()

    def wait_turn(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                if self._next <= now:
                    self._next = now + self._every
                    break
                pause = self._next - now
            if self._closed.wait(pause):
                break
        if self._closed.is_set():
            raise WebError("stopped")

    def rest(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def heard(self, answered: bool) -> None:
        with self._lock:
            self._unheard = 0 if answered else self._unheard + 1

    def refuse_if_dead(self) -> None:
        if self._unheard >= GIVE_UP:
            raise WebError(f"{self.name} gives no answer; once it does, the same command goes on from here")


def _directed(request: httpx.Request, address: str) -> httpx.Request:
    """The request, to this numeric address; the host's name stays in its header and in the check of the certificate."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")},
    )


def _parts(response: httpx.Response, most: int) -> Iterator[bytes]:
    """The body in parts, decompressed; no part makes it longer than `most` bytes."""
    until, size = time.monotonic() + WHOLE, 0
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise WebError(_too_long(response, most))
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise WebError(f"{response.url.host} sends a file packed as {encoding[:20]!r}, which was not asked for")
    inflate = zlib.decompressobj(47) if encoding not in ("identity", "") else None
    for part in response.iter_raw():
        if time.monotonic() > until:
            raise WebError(f"{response.url.host} needed more than {WHOLE:.0f} seconds for one file")
        try:
            out = inflate.decompress(part, most - size + 1) if inflate else part
        except zlib.error:
            raise WebError(f"{response.url.host} sent a file that cannot be unpacked") from None
        size += len(out)
        if size > most:
            raise WebError(_too_long(response, most))
        yield out
    if inflate and not inflate.eof:
        raise _Busy(f"{response.url.host} sent only a part of the file")


def _too_long(response: httpx.Response, most: int) -> str:
    return f"{response.url.host} sends more than the {most / 2**20:.0f} MB that are read of one file"


def _reason(response: httpx.Response) -> str:
    hint = {401: "; it asks for a login", 403: "; it does not allow this", 429: "; it is asked too often"}
    phrase = f" {response.reason_phrase}" if response.reason_phrase.isprintable() else ""
    return f"{response.url.host} answers {response.status_code}{phrase}{hint.get(response.status_code, '')}"


def _host(address: str) -> str:
    return urlsplit(address).hostname or "the server"
