"""The gate to the web: which addresses are asked, how often, and how much is taken."""

import gzip
import json
import socket
import ssl
import threading
import time
import zlib
from email.utils import formatdate

import pytest
import trustme

from ingest import web
from ingest.web import Refused, Web, WebError, parse_json, retry_after
from tests.ingest.iiif.server import Museum


@pytest.fixture
def museum():
    made = Museum()
    yield made
    made.close()


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.01)
    with Web(["127.0.0.1"], per_second=1000) as made:
        yield made


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://example.org/a", "gopher://example.org", "data:text/plain,a", "/etc/passwd", ""],
)
def test_only_http_is_asked(address):
    with Web() as client, pytest.raises(Refused):
        client.get(address)


def test_a_name_and_a_password_are_refused_and_never_shown(museum, client):
    address = museum.url("/a").replace("127.0.0.1", "anna:geheim@127.0.0.1")
    with pytest.raises(Refused, match="leave name and password out") as error:
        client.get(address)
    assert "geheim" not in str(error.value) and not museum.asked


def test_the_connection_goes_to_the_address_that_was_checked(museum, monkeypatch):
    """A name that answers differently when asked again gains nothing: it is asked once for each request."""
    museum.put("/a", b"here")
    real, lookups = socket.getaddrinfo, []

    def look_up(host, port, *rest, **how):
        if host != "museum.example":
            assert host == "127.0.0.1"  # the numeric address, as checked
            return real(host, port, *rest, **how)
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    seen = []
    museum.pages["/a"] = lambda handler: seen.append(handler.headers["Host"]) or (200, {}, b"here")
    with Web(["museum.example"], per_second=1000) as client:
        answer = client.get(f"http://museum.example:{museum.port}/a")
    assert answer.data == b"here" and answer.address == f"http://museum.example:{museum.port}/a"
    assert lookups == ["museum.example"] and seen == [f"museum.example:{museum.port}"]


def test_a_certificate_is_checked_against_the_name(museum, monkeypatch, tmp_path):
    """The connection goes to a number, and yet only a server that can prove the name is believed."""
    authority, pem = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("museum.example").configure_cert(context)
    museum.server.socket = context.wrap_socket(museum.server.socket, server_side=True)
    museum.put("/a", b"proven")
    real = socket.getaddrinfo

    def look_up(host, port, *rest, **how):
        return real("127.0.0.1" if host.endswith(".example") else host, port, *rest, **how)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with Web(["museum.example", "other.example"], per_second=1000) as client:
        assert client.get(f"https://museum.example:{museum.port}/a").data == b"proven"
        with pytest.raises(WebError, match="CERTIFICATE_VERIFY_FAILED.*other.example"):
            client.get(f"https://other.example:{museum.port}/a")


def test_redirects_are_followed_and_checked(museum, client):
    museum.put("/new", b"moved here")
    museum.put("/old", b"", 302, Location="/new")
    assert client.get(museum.url("/old")).data == b"moved here"
    museum.put("/trap", b"", 302, Location=f"http://localhost:{museum.port}/new")
    before = len(museum.asked)
    with pytest.raises(Refused, match="localhost has the address"):
        client.get(museum.url("/trap"))
    assert museum.asked[before:] == ["/trap"]
    museum.put("/file", b"", 302, Location="file:///etc/passwd")
    with pytest.raises(Refused):
        client.get(museum.url("/file"))
    museum.put("/broken", b"", 302, Location="http://[::1")
    before = len(museum.asked)
    with pytest.raises(WebError, match="leads on to something that is no address"):
        client.get(museum.url("/broken"))
    assert museum.asked[before:] == ["/broken"]
    museum.put("/login", b"", 302, Location=museum.url("/new").replace("127.0.0.1", "anna:geheim@127.0.0.1"))
    with pytest.raises(Refused, match="leave name and password out") as error:
        client.get(museum.url("/login"))
    assert "geheim" not in str(error.value) and museum.asked[-1] == "/login"
    museum.put("/round", b"", 302, Location="/round")
    with pytest.raises(WebError, match="without end"):
        client.get(museum.url("/round"))


def test_a_proxy_of_the_environment_is_not_used(museum, monkeypatch):
    museum.put("/a", b"direct")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Web(["127.0.0.1"]) as client:
        assert client.get(museum.url("/a")).data == b"direct"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(museum, client, status):
    address = museum.stumbling("/a", 3, status, {}, b"at last")
    assert client.get(address).data == b"at last" and len(museum.asked) == 4


def test_a_server_that_stays_busy_is_left_alone(museum, client):
    with pytest.raises(WebError, match=r"answers 503 .*\(asked 5 times\)") as error:
        client.get(museum.stumbling("/a", 99, 503, {}, b""))
    assert error.value.status == 503 and len(museum.asked) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_taken_at_its_word(museum, client, status):
    with pytest.raises(WebError, match=str(status)) as error:
        client.get(museum.put("/a", b"", status))
    assert error.value.status == status and len(museum.asked) == 1


@pytest.mark.parametrize("after", ["1", "date"])
def test_retry_after_is_honoured_by_all_threads(museum, client, after, monkeypatch):
    resting = heard(monkeypatch, web._Host, "rest", after=True)
    museum.put("/b", b"b")
    wait = formatdate(time.time() + 2, usegmt=True) if after == "date" else after
    address = museum.stumbling("/a", 1, 429, {"Retry-After": wait}, b"a")
    threads = [threading.Thread(target=client.get, args=(address,))]
    threads[0].start()
    assert resting.wait(20)
    client.get(museum.url("/b"))
    threads[0].join()
    assert min(museum.times[1:]) - museum.times[0] > (0.9 if after == "1" else 0.2)


def test_a_server_that_wants_an_hour_is_left_for_later(museum, client):
    with pytest.raises(WebError, match="3600 seconds: give the same command again later"):
        client.get(museum.stumbling("/a", 9, 429, {"Retry-After": "3600"}, b""))
    assert len(museum.asked) == 1


def test_retry_after():
    assert retry_after("7") == 7
    assert [retry_after(text) for text in (None, "soon", "", "-3", "1.5", "²", "9" * 400)] == [None] * 7
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert 50 < retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60


def test_requests_to_one_host_keep_their_distance(museum):
    museum.put("/a", b"a")
    with Web(["127.0.0.1"], per_second=20) as client:
        threads = [threading.Thread(target=client.get, args=(museum.url("/a"),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    gaps = [later - earlier for earlier, later in zip(sorted(museum.times), sorted(museum.times)[1:], strict=False)]
    assert len(gaps) == 5 and sum(gaps) > 0.1


def test_a_server_that_dies_mid_file_is_asked_again(museum, client):
    left = [2]

    def page(handler):
        left[0] -= 1
        if left[0] < 0:
            return 200, {}, b"x" * 1000
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 400)
        return None

    museum.pages["/a"] = page
    assert len(client.get(museum.url("/a")).data) == 1000 and len(museum.asked) == 3


def test_a_silent_server_is_given_up(museum, monkeypatch):
    monkeypatch.setattr(web, "SILENCE", 0.1)
    monkeypatch.setattr(web, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(web, "ATTEMPTS", 2)
    museum.pages["/a"] = lambda handler: time.sleep(0.4)
    with Web(["127.0.0.1"], per_second=1000) as client, pytest.raises(WebError, match="did not answer in time"):
        client.get(museum.url("/a"))
    assert len(museum.asked) == 2


def test_a_trickle_is_given_up(museum, client, monkeypatch):
    monkeypatch.setattr(web, "WHOLE", 0.2)

    def page(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)

    museum.pages["/a"] = page
    with pytest.raises(WebError, match="needed more than"):
        client.get(museum.url("/a"))


def test_a_host_that_never_answers_is_asked_no_more(museum, client, monkeypatch):
    monkeypatch.setattr(web, "GIVE_UP", 3)
    museum.pages["/a"] = lambda handler: None
    with pytest.raises(WebError):
        client.get(museum.url("/a"))
    before = len(museum.asked)
    assert before <= 4
    with pytest.raises(WebError, match="gives no answer; once it does, the same command goes on"):
        client.get(museum.url("/a"))
    assert len(museum.asked) == before


def test_a_refusal_is_an_answer_too(museum, client, monkeypatch):
    """A host that is asked no more is one that is silent, not one that lacks some pictures."""
    monkeypatch.setattr(web, "GIVE_UP", 6)
    museum.pages["/silent"] = lambda handler: None
    for _ in range(3):
        with pytest.raises(WebError, match="asked 5 times"):
            client.get(museum.url("/silent"))
        with pytest.raises(WebError, match="404"):
            client.get(museum.url("/lost"))


@pytest.mark.parametrize("honest", [True, False])
def test_a_file_longer_than_the_bound_is_not_taken(museum, client, honest):
    def endless(handler):
        handler.send_response(200)
        if honest:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b"x" * 100_000)
        except OSError:
            pass

    museum.pages["/a"] = endless
    with pytest.raises(WebError, match="more than the 1 MB"):
        client.get(museum.url("/a"), most=2**20)


def test_what_unpacks_to_more_than_the_bound_is_not_taken(museum, client):
    bomb = gzip.compress(b"[" + b" " * 200_000_000 + b"]", 9)
    assert len(bomb) < 300_000
    with pytest.raises(WebError, match="more than the 32 MB"):
        client.json(museum.put("/a", bomb, Content_Encoding="gzip"))


def test_packed_json(museum, client):
    data = {"a": "ü" * 1000}
    assert client.json(museum.json("/a", data, pack=True)) == (data, museum.url("/a"))
    packed = zlib.compress(json.dumps(data).encode())
    assert client.json(museum.put("/b", packed, Content_Encoding="deflate"))[0] == data
    with pytest.raises(WebError, match="only a part"):
        client.json(museum.put("/c", gzip.compress(json.dumps(data).encode())[:-9], Content_Encoding="gzip"))
    with pytest.raises(WebError, match="cannot be unpacked"):
        client.json(museum.put("/d", b"not gzip at all", Content_Encoding="gzip"))
    with pytest.raises(WebError, match="'br', which was not asked for"):
        client.json(museum.put("/e", b"x", Content_Encoding="br"))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<!DOCTYPE html><html>", "a web page, no IIIF manifest: look there for"),
        (b"\xef\xbb\xbf\n<html>", "a web page"),
        (b'{"a": ', "no JSON document, or is cut short"),
        (b"\xff\xfe\x00", "no JSON document"),
        (b"[" * 200_000, "nested too deep"),
        (b"1" * 10_000, "no JSON document"),
        (b"", "no JSON document"),
    ],
)
def test_what_is_no_json(data, sentence):
    with pytest.raises(WebError, match=sentence):
        parse_json(data, "x")


def heard(monkeypatch, owner: type, name: str, after: bool = False) -> threading.Event:
    """An event that is set when this method is called, or when it has returned."""
    event, real = threading.Event(), getattr(owner, name)

    def method(self, *arguments):
        if not after:
            event.set()
        try:
            return real(self, *arguments)
        finally:
            event.set()

    monkeypatch.setattr(owner, name, method)
    return event


def test_a_closed_web_sends_everybody_away(museum, monkeypatch):
    client = Web(["127.0.0.1"], per_second=0.1)
    museum.put("/a", b"a")
    client.get(museum.url("/a"))
    errors = []

    def ask():
        try:
            client.get(museum.url("/a"))
        except (WebError, RuntimeError) as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    waiting = heard(monkeypatch, web._Host, "wait_turn")
    thread.start()
    assert waiting.wait(20)
    client.close()
    thread.join(2)
    assert not thread.is_alive() and len(errors) == 1
