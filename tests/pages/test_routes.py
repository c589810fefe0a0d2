"""The routes beside Streamlit's: what they answer, how long a browser may keep it, and what they refuse."""

import json

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import app
from dashboard.data import cache
from dashboard.data.cache import projected
from ingest import atlas as pages
from store import atlas, connection
from tests.pages import database


@pytest.fixture
def client(db):
    pages.make(db, 1)
    return TestClient(Starlette(routes=[Route(path, answer) for path, answer in app.ROUTES.items()]))


def version(db) -> str:
    with connection.reading(db) as con:
        return atlas.layout(con, 1).atlas


def test_each_route_answers_with_its_kind(client, db):
    kinds = {
        "/thumb/1": "image/jpeg",
        "/atlas/points/1": "application/octet-stream",
        f"/atlas/page/1/{version(db)}/64/0": "image/jpeg",
        f"/atlas/page/1/{version(db)}/16/0": "image/jpeg",
        "/atlas/about/1": "application/json",
    }
    for path, kind in kinds.items():
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), path
        assert answer.headers["cache-control"] == "no-cache"
    assert json.loads(client.get("/atlas/about/1").text)["title"] == "The Great Wave off Kanagawa"
    points = client.get("/atlas/points/1")
    assert len(points.content) == 8 + 24 * len(database.NAMES) and points.headers["content-encoding"] == "gzip"
    assert client.get("/atlas/points/1", headers={"accept-encoding": "identity"}).content == points.content


def test_what_has_a_version_may_be_kept_for_ever(client, db):
    answer = client.get(f"/atlas/page/1/{version(db)}/64/0?v=1")
    assert "immutable" in answer.headers["cache-control"]
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"/atlas/page/1/{version(db)}/64/0?v=1", headers=tag).status_code == 304


@pytest.mark.parametrize(
    "path",
    ["/thumb/99", "/atlas/points/99", "/atlas/about/99", "/atlas/page/1/0/64/0", "/atlas/about/1?db=other.duckdb"],
)
def test_what_is_not_there_is_not_found_and_not_kept(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


def test_numbers_beyond_what_a_database_holds_are_not_found(client, db):
    for path in (
        f"/thumb/{10**20}",
        f"/atlas/points/{10**20}",
        f"/atlas/about/{10**20}",
        f"/atlas/page/{10**20}/a/64/0",
    ):
        assert client.get(path).status_code == 404, path


def test_a_database_that_cannot_be_read_says_so(client, db):
    db.write_bytes(b"no database")
    assert client.get("/atlas/points/1").status_code == 503


def test_the_part_of_a_map_that_somebody_has_in_view_is_kept_for_them(client):
    for part in ("1.5,-2,3e-7", "", "0,0,1"):
        assert client.get(f"/atlas/view/mine?at={part}").status_code == 204
        assert cache.part_in_view("mine") == part
    assert cache.part_in_view("theirs") == ""
    for bad in ("1,2", "1,2,x", "1,2,3,4", "nan,1,1", "9" * 40 + ",1,1", "<b>"):
        assert client.get(f"/atlas/view/mine?at={bad}").status_code == 400
    assert cache.part_in_view("mine") == "0,0,1"


def test_parts_are_kept_for_a_bounded_number_of_people(client, monkeypatch):
    monkeypatch.setattr(projected, "SESSIONS", 2)
    for name in ("a", "b", "c"):
        assert cache.save_part(name, "1,2,3")
    assert [cache.part_in_view(name) for name in ("a", "b", "c")] == ["", "1,2,3", "1,2,3"]
