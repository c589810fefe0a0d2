"""Addresses on the web: which may be asked, and how they are shown.

Manifests are written by others, and name whatever addresses they like. Only those are asked that begin with http or
https, hold no name and password, and lead to a server on the public internet, unless the user has named its host.
"""

from __future__ import annotations

import ipaddress
import re
import socket

import httpx

_PAIR = re.compile(r"([?&;])([^=&;?#]*)=([^&;?#]*)")  # no part of an address is looked at twice, however long it is
_SECRET = re.compile(r"token|key|secret|sig|pass|auth|session|credential", re.IGNORECASE)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")  # all of IPv6 that is given out; the rest is local, or wraps something else
_EXAMPLES = ipaddress.ip_network("3fff::/20")


class WebError(Exception):
    """Something that could not be had from the web; `reason` says why in a sentence, `status` is the server's answer
    as a number, 0 where it gave none."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


class Refused(WebError):
    """An address that is not asked."""


def parsed(address: str) -> httpx.URL:
    """The address in its parts. Refused if it is none."""
    try:
        return httpx.URL(address)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Refused(f"{shown(str(address))[:200]} is no address: {error}") from None


def shown(address: str) -> str:
    """An address to be shown or kept: without a name and password, and without what looks like a key."""
    return _PAIR.sub(_hidden, re.sub(r"^([A-Za-z][\w+.-]*:/*)[^/?#]*@", r"\1", address))


def _hidden(pair: re.Match) -> str:
    return f"{pair[1]}{pair[2]}=…" if _SECRET.search(pair[2]) else pair[0]


def check(url: httpx.URL, allowed: frozenset[str] = frozenset()) -> list[str]:
    """The numeric addresses behind a URL, all of them such as may be asked. `allowed` hosts may have private ones.

    Refused if it may not be asked, WebError where the name is unknown.
    """
    if url.scheme not in ("http", "https"):
        raise Refused(f"{shown(str(url))} is not asked: only addresses that begin with http:// or https:// are")
    if url.userinfo:
        raise Refused(f"{shown(str(url))} is not asked: leave name and password out of the address")
    host = url.raw_host.decode("ascii").strip("[]").casefold()
    if not host:
        raise Refused(f"{shown(str(url))} names no server")
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise httpx.ConnectError(f"the name {host} cannot be looked up now") from None
        raise WebError(f"there is no server with the name {host}") from None
    private = [address for address in found if not is_public(address)]
    if private and host not in allowed:
        raise Refused(
            f"{host} has the address {private[0]}, which is not on the public internet; "
            f"add --allow-host {host} if you trust this server"
        )
    return list(dict.fromkeys(found))


def is_public(address: str) -> bool:
    """Whether a numeric address lies on the public internet, also where it is wrapped in an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
        if found not in _UNICAST or found in _EXAMPLES:
            return False
    return found.is_global and not found.is_multicast
