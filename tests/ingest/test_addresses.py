"""Addresses: which lie on the public internet, however they are written, and what of them is shown."""

import socket

import httpx
import pytest

from ingest.addresses import Refused, check, is_public, shown


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
     "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "fec0::1", "5f00::1", "3fff::1", "2001:db8::1", "2002:7f00:1::", "192.0.2.1", "nonsense"],
)  # fmt: skip
def test_private_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::"]
)
def test_public_addresses_are(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/", "http://localhost/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://127.1:80/",
     "http://[::ffff:127.0.0.1]/", "http://0/",
     "http://017700000001/", "http://127。0。0。1/", "http://[0:0:0:0:0:ffff:7f00:1]/", "http://[::ffff:0:127.0.0.1]/"],
)  # fmt: skip
def test_loopback_is_refused_however_it_is_written(address):
    with pytest.raises(Refused, match="not on the public internet; add --allow-host"):
        check(httpx.URL(address))


def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    def look_up(host, port, **_):
        return [(0, 0, 0, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        check(httpx.URL("https://museum.example/"))
    assert check(httpx.URL("https://museum.example/"), frozenset(["museum.example"])) == ["93.184.216.34", "10.0.0.1"]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("https://u:p@x.org/a?id=3&api_key=K1&b=2#c", "https://x.org/a?id=3&api_key=…&b=2#c"),
        ("https://x.org/@anna", "https://x.org/@anna"),
        ("https://x.org/a;jsessionid=K1?page=2", "https://x.org/a;jsessionid=…?page=2"),
        ("https://x.org/a?redirect=/b?access_token=K1", "https://x.org/a?redirect=/b?access_token=…"),
        ("https://x.org/a?sig=K1&Signature=K2#x", "https://x.org/a?sig=…&Signature=…#x"),
    ],
)
def test_what_looks_like_a_key_is_not_shown(address, text):
    assert shown(address) == text


def test_an_address_made_to_be_slow_is_shown_all_the_same():
    """64 KB of it, as a redirect may have; a search that went over a part twice would take hours."""
    for part in ("?token", "&key", "@", "#?"):
        address = "https://x.org/" + part * (65_000 // len(part))
        assert shown(address) == address
