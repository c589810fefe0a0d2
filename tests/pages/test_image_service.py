"""The image service by the rules that IIIF's validator of Image API 3.0 has, on its picture of 10 × 10 coloured squares;
and by what is ours: other formats, moved files, museums' own services, databases beside the first."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import app
from dashboard.data.iiif import parameters, service
from store import connection, write
from store.records import ImageRecord
from tests.support.pictures import gradient

SQUARES = np.random.default_rng(3).integers(0, 256, (10, 10, 3), dtype=np.uint8)
SIDE = 1000


def squares(width: int = SIDE, height: int = SIDE) -> Image.Image:
    return Image.fromarray(SQUARES).resize((width, height), Image.Resampling.NEAREST)


def add(db, folder, *files: tuple[str, tuple[int, int], dict]) -> None:
    with connection.writing(db) as con:
        collection = write.add_collection(con, "scans", str(folder))
        records = [
            ImageRecord(name, f"{number:064}", *size, 1, 0.0, facts, b"", 1, 1)
            for number, (name, size, facts) in enumerate(files)
        ]
        write.add_images(con, collection, records)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A database of scans of many kinds, whose numbers are those of FILES from 1."""
    folder = tmp_path_factory.mktemp("scans")
    squares().save(folder / "squares.png")
    squares(1000, 600).save(folder / "broad.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    squares().save(folder / "turned.jpg", exif=exif, quality=95, subsampling=0)
    tifffile.imwrite(
        folder / "deep.tif", np.asarray(squares()).astype(np.uint16) * 257, photometric="rgb", tile=(64, 64)
    )
    with tifffile.TiffWriter(folder / "pages.tif") as writer:
        for picture in (gradient(), squares()):
            writer.write(np.asarray(picture), photometric="rgb", tile=(128, 128), compression="zlib", metadata=None)
            writer.write(
                np.asarray(picture.reduce(2)), photometric="rgb", tile=(128, 128), metadata=None, subfiletype=1
            )
    squares().save(folder / "squares.jp2", irreversible=False)
    return folder


FILES = ("squares.png", "broad.png", "turned.jpg", "deep.tif", "pages.tif#page=2", "squares.jp2")


@pytest.fixture(scope="module")
def client(folder):
    db = folder / "scans.duckdb"
    sizes = {"broad.png": (1000, 600)}
    museum = {"iiif_service": "https://iiif.example/wave", "iiif_service_type": "ImageService3 level2"}
    more = (("gone.png", (10, 10), {}), ("https://iiif.example/wave.jpg", (10, 10), museum), ("broad.png", (9, 9), {}))
    add(db, folder, *((name, sizes.get(name, (SIDE, SIDE)), {}) for name in FILES), *more[:2])
    add(folder / "other.duckdb", folder, ("broad.png", (1000, 600), {}), ("squares.png", (9, 9), {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BILDERATLAS_DB", str(db))
        yield TestClient(Starlette(routes=[Route(path, answer) for path, answer in app.ROUTES.items()]))


def get(client, words: str = "full/max/0/default.png", number: int = 1) -> Image.Image:
    answer = client.get(f"/iiif/{number}/{words}")
    assert answer.status_code == 200, (words, answer.text)
    return Image.open(io.BytesIO(answer.content))


def shows(picture: Image.Image, expected: np.ndarray, tolerance: int = 0) -> None:
    """Fails unless the centres of the picture's squares have these colours (rows, cols, 3)."""
    rows, cols = expected.shape[:2]
    x = ((np.arange(cols) + 0.5) * picture.width / cols).astype(int)
    y = ((np.arange(rows) + 0.5) * picture.height / rows).astype(int)
    found = np.asarray(picture.convert("RGB")).astype(int)[np.ix_(y, x)]
    assert np.abs(found - expected).max() <= tolerance


# ---- region, size, rotation, quality, format --------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, len(FILES) + 1), ids=FILES)
def test_whatever_the_format_the_squares_are_at_their_places(client, number):
    upright = np.rot90(SQUARES, -1) if FILES[number - 1] == "turned.jpg" else SQUARES
    tolerance = 6 if FILES[number - 1] == "turned.jpg" else 0
    shows(get(client, number=number), upright, tolerance)
    size = (200, 300) if number == 2 else (200, 200)
    part = get(client, f"300,{120 if number == 2 else 200},200,{120 if number == 2 else 200}/max/0/default.png", number)
    assert part.size[0] == size[0]
    shows(part, upright[2:4, 3:5], tolerance)
    small = get(client, "full/100,/0/default.png", number)
    assert small.size == (100, 60 if number == 2 else 100)
    shows(small, upright, max(tolerance, 2))


@pytest.mark.parametrize(
    ("region", "rows", "cols"),
    [
        ("full", (0, 10), (0, 10)),
        ("100,200,300,400", (2, 6), (1, 4)),
        ("pct:10,20,30,40", (2, 6), (1, 4)),
        ("800,900,500,500", (9, 10), (8, 10)),
        ("square", (0, 10), (0, 10)),
    ],
)
def test_regions(client, region, rows, cols):
    picture = get(client, f"{region}/max/0/default.png")
    assert picture.size == (100 * (cols[1] - cols[0]), 100 * (rows[1] - rows[0]))
    shows(picture, SQUARES[slice(*rows), slice(*cols)])


def test_a_square_of_a_broad_picture_is_cut_from_its_middle(client):
    picture = get(client, "square/max/0/default.png", 2)
    assert picture.size == (600, 600)
    shows(picture, SQUARES[:, 2:8])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("max", (1000, 600)),
        ("500,", (500, 300)),
        (",300", (500, 300)),
        ("200,400", (200, 400)),
        ("pct:50", (500, 300)),
        ("!500,500", (500, 300)),
        ("!5000,5000", (1000, 600)),
        ("^2000,", (2000, 1200)),
        ("^,1200", (2000, 1200)),
        ("^2000,100", (2000, 100)),
        ("^pct:200", (2000, 1200)),
        ("^!2000,3000", (2000, 1200)),
        ("^!2000,300", (500, 300)),
        ("pct:.01", (1, 1)),
    ],
)
def test_sizes(client, size, expected):
    picture = get(client, f"full/{size}/0/default.png", 2)
    assert picture.size == expected
    if min(expected) > 100:
        shows(picture, SQUARES, 2)


def test_the_largest_size_is_within_the_limits(client):
    picture = get(client, "full/^max/0/default.jpg", 2)
    assert picture.width * picture.height <= parameters.MAX_AREA < (picture.width + 1) * (picture.height + 1) * 1.001
    assert picture.width / picture.height == pytest.approx(1000 / 600, rel=1e-3)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 360])
def test_rotations(client, degrees, mirrored):
    picture = get(client, f"100,0,300,200/max/{'!' if mirrored else ''}{degrees}/default.png")
    expected = SQUARES[0:2, 1:4]
    expected = np.rot90(expected[:, ::-1] if mirrored else expected, -degrees // 90)
    assert picture.size == (100 * expected.shape[1], 100 * expected.shape[0])
    shows(picture, expected)


def test_qualities(client):
    shows(get(client, "full/max/0/color.png"), SQUARES)
    grey = get(client, "full/max/0/gray.png")
    assert grey.mode == "L"
    light = SQUARES @ np.array([0.299, 0.587, 0.114])
    shows(grey, np.repeat(light.round()[..., None], 3, axis=2), 1)
    assert {value for _, value in get(client, "full/max/0/bitonal.png").getcolors()} == {0, 255}


def test_formats(client):
    assert get(client, "full/200,/0/default.jpg").format == "JPEG"
    shows(get(client, "full/max/0/default.jpg"), SQUARES, 6)
    assert client.get("/iiif/1/full/200,/0/default.png").headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "full/full/0/default.jpg"),
        (400, "full/1100,/0/default.jpg"),
        (400, "full/,1100/0/default.jpg"),
        (400, "full/1100,1100/0/default.jpg"),
        (400, "full/pct:200/0/default.jpg"),
        (400, "100,100,50,50/60,/0/default.jpg"),
        (400, "full/^20000,/0/default.jpg"),
        (400, "full/^8000,8000/0/default.jpg"),
        (400, "full/0,/0/default.jpg"),
        (400, "full/,/0/default.jpg"),
        (400, "full/pct:0/0/default.jpg"),
        (400, "full/abc/0/default.jpg"),
        (400, "abc/max/0/default.jpg"),
        (400, "1000,0,10,10/max/0/default.jpg"),
        (400, "10,10,0,10/max/0/default.jpg"),
        (400, "-1,0,10,10/max/0/default.jpg"),
        (400, "1.5,0,10,10/max/0/default.jpg"),
        (400, "full/max/abcd/default.jpg"),
        (400, "full/max/361/default.jpg"),
        (501, "full/max/45/default.jpg"),
        (400, "full/max/0/abcd.jpg"),
        (400, "full/max/0/default.abc"),
        (400, "full/max/0/default"),
        (404, "full/max/0/default.jpg/more"),
    ],
)
def test_what_is_refused(client, status, words):
    answer = client.get(f"/iiif/1/{words}")
    assert (
        answer.status_code == status and answer.text.endswith(".") and answer.headers["content-type"].startswith("text")
    )
    assert answer.headers["access-control-allow-origin"] == "*"


# ---- info.json and HTTP -----------------------------------------------------------------------------------------------


def test_the_description_of_an_image(client):
    answer = client.get("/iiif/2/info.json")
    data = answer.json()
    assert answer.headers["content-type"] == "application/json" and answer.headers["access-control-allow-origin"] == "*"
    assert data["@context"] == "http://iiif.io/api/image/3/context.json"
    assert (data["id"], data["type"], data["protocol"]) == (
        "http://testserver/iiif/2",
        "ImageService3",
        "http://iiif.io/api/image",
    )
    assert (data["profile"], data["width"], data["height"]) == ("level2", 1000, 600)
    assert data["tiles"] == [{"width": 512, "height": 512, "scaleFactors": [1, 2]}]
    assert data["sizes"] == [{"width": 500, "height": 300}, {"width": 1000, "height": 600}]
    for size in data["sizes"]:
        assert get(client, f"full/{size['width']},{size['height']}/0/default.jpg", 2).size == tuple(size.values())


def test_linked_data_has_its_own_media_type(client):
    answer = client.get("/iiif/1/info.json", headers={"Accept": "application/ld+json"})
    assert answer.headers["content-type"] == 'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'
    assert "accept" in answer.headers["vary"].lower()


def test_the_address_of_an_image_leads_to_its_description(client):
    answer = client.get("/iiif/1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "http://testserver/iiif/1/info.json")
    behind = {"x-forwarded-proto": "https", "x-forwarded-host": "atlas.example"}
    assert client.get("/iiif/1/info.json", headers=behind).json()["id"] == "https://atlas.example/iiif/1"


@pytest.mark.parametrize(
    ("scheme", "host", "base"),
    [
        ("https, http", "atlas.example:8443, inner", "https://atlas.example:8443"),  # two proxies, the outer one first
        ("https", "[::1]:8501", "https://[::1]:8501"),
        ("javascript", "atlas.example", "http://atlas.example"),
        ("", 'x>;rel="stylesheet", <y', "http://testserver"),
        ("https", "a/b", "https://testserver"),
        ("https", "someone@atlas.example", "https://testserver"),
    ],
)
def test_of_what_proxies_say_only_a_scheme_and_a_host_are_taken(client, scheme, host, base):
    behind = {"x-forwarded-proto": scheme, "x-forwarded-host": host}
    assert client.get("/iiif/1/info.json", headers=behind).json()["id"] == f"{base}/iiif/1"
    assert (
        client.get("/iiif/1", headers=behind, follow_redirects=False).headers["location"] == f"{base}/iiif/1/info.json"
    )
    canonical = client.get("/iiif/1/full/9,/0/default.jpg", headers=behind).headers["link"]
    assert canonical.startswith(f"<{base}/iiif/1/full/9,9/0/default.jpg>;")


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("0,0,1000,1000/1000,/0/color.jpg", "full/max/0/default.jpg"),
        ("pct:10,20,30,40/pct:50/!360/gray.png", "100,200,300,400/150,200/!0/gray.png"),
        ("full/^1500,/90/default.jpg", "full/^1500,1500/90/default.jpg"),
    ],
)
def test_one_picture_has_one_canonical_address(client, words, canonical):
    answer = client.get(f"/iiif/1/{words}")
    assert f'<http://testserver/iiif/1/{canonical}>;rel="canonical"' in answer.headers["link"]
    assert '<http://iiif.io/api/image/3/level2.json>;rel="profile"' in answer.headers["link"]
    again = client.get(f"/iiif/1/{canonical}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_the_way_a_browser_keeps_parts(client):
    assert client.get("/iiif/1/full/9,/0/default.jpg").headers["cache-control"] == "no-cache"
    assert "immutable" in client.get("/iiif/1/full/9,/0/default.jpg?v=1").headers["cache-control"]


def test_what_is_not_there(client):
    for path in (
        "/iiif/99/info.json",
        f"/iiif/{10**20}/info.json",
        "/iiif/abc/info.json",
        "/iiif/1/full/max",
        "/iiif/..%2F1/info.json",
    ):
        assert client.get(path).status_code == 404, path
    for rest in ("info.json", "full/max/0/default.jpg"):
        answer = client.get(f"/iiif/7/{rest}")
        assert answer.status_code == 404 and answer.text == "The original file is not where it was when it was read in."


def test_a_museum_s_picture_is_its_own_service_s(client):
    answer = client.get("/iiif/8/info.json", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://iiif.example/wave/info.json")
    assert client.get("/iiif/8/full/max/0/default.jpg").status_code == 404


def test_a_database_beside_the_first(client):
    for address in ("/iiif/other.duckdb/1", "/iiif/1/info.json?db=other.duckdb"):
        data = client.get(address).json()
        assert (data["id"], data["height"]) == ("http://testserver/iiif/other.duckdb/1", 600)
    part = client.get("/iiif/other.duckdb/1/0,0,100,60/max/0/default.png")
    shows(Image.open(io.BytesIO(part.content)), SQUARES[:1, :1])
    assert client.get("/iiif/third.duckdb/1/info.json").status_code == 404


def test_another_picture_in_the_place_of_the_original_is_not_shown(client):
    answer = client.get("/iiif/other.duckdb/2/full/max/0/default.jpg")
    assert answer.status_code == 404 and "Another picture lies there now" in answer.text


def test_a_file_that_is_replaced_is_not_served_as_it_was(client, folder):
    before = client.get("/iiif/2/0,0,100,60/max/0/default.png")
    kept = (folder / "broad.png").read_bytes()
    try:
        Image.new("RGB", (1000, 600), "red").save(folder / "broad.png")
        after = client.get("/iiif/2/0,0,100,60/max/0/default.png", headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200 and Image.open(io.BytesIO(after.content)).getpixel((5, 5)) == (255, 0, 0)
    finally:
        (folder / "broad.png").write_bytes(kept)


# ---- memory -----------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_bounded():
    kept = service.BoundedCache(len, 10, 3)
    for key, value in (("a", b"12345"), ("b", b"1234"), ("c", b"123")):
        assert kept.get(key, lambda value=value: value) == value
    assert kept.bytes() == 7  # "a" went
    assert kept.get("b", lambda: b"made again") == b"1234"
    assert kept.get("d", lambda: b"x" * 50) == b"x" * 50 and kept.bytes() == 50
    with pytest.raises(ZeroDivisionError):
        kept.get("e", lambda: 1 / 0)
    assert kept.get("e", lambda: b"1") == b"1"


def test_a_picture_too_large_to_be_decoded_whole_is_a_sentence(client, folder, monkeypatch):
    monkeypatch.setattr("ingest.vision.windows.MAX_WHOLE", 1000)
    monkeypatch.setattr(service, "_scans", service.BoundedCache(lambda scan: scan.bytes, 1, 1))
    answer = client.get("/iiif/1/5,5,9,9/max/0/default.png")
    assert answer.status_code == 404 and "save a smaller copy" in answer.text
    assert json.loads(client.get("/iiif/1/info.json").text)["width"] == SIDE


def test_parts_that_take_long_keep_nobody_from_other_answers(client, monkeypatch):
    go, begun = threading.Event(), threading.Semaphore(0)

    def slow(*_):
        begun.release()
        go.wait(30)
        return b"part"

    monkeypatch.setattr(service, "_made", slow)
    with ThreadPoolExecutor(60) as askers, client:
        parts = [askers.submit(client.get, f"/iiif/1/{at},0,9,9/9,/0/default.png") for at in range(50)]
        assert all(begun.acquire(timeout=20) for _ in range(8))
        try:
            description = askers.submit(client.get, "/iiif/1/info.json")
            assert description.result(timeout=10).status_code == 200
        finally:
            go.set()
        assert {part.result().content for part in parts} == {b"part"}
