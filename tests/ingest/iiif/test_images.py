"""The Image API: which size is asked for, of servers of every level."""

import pytest

from ingest.sources.iiif.images import BadInfo, parse_info, requests
from tests.ingest.iiif.server import FAST, I2, I3, jpeg
from tests.support.databases import ask


def info(version=3, level=2, width=4000, height=3000, **more):
    data = {"width": width, "height": height}
    if version == 3:
        data |= {"@context": I3, "id": "u", "type": "ImageService3", "profile": f"level{level}"}
    elif version == 2:
        data |= {
            "@context": I2,
            "@id": "u",
            "profile": [f"http://iiif.io/api/image/2/level{level}.json", more.pop("limits", {})],
        }
    else:
        data |= {"@context": "http://library.stanford.edu/iiif/image-api/1.1/context.json", "@id": "u",
                 "profile": f"http://library.stanford.edu/iiif/image-api/1.1/compliance.html#level{level}"}  # fmt: skip
    return parse_info(data | more, "u")


def sizes(*pairs):
    return [{"width": w, "height": h} for w, h in pairs]


@pytest.mark.parametrize(
    ("found", "first"),
    [
        (info(3, 2), "u/full/1024,768/0/default.jpg"),
        (info(3, 1), "u/full/1024,/0/default.jpg"),
        (info(2, 2), "u/full/1024,/0/default.jpg"),
        (info(2, 1), "u/full/1024,/0/default.jpg"),
        (info(1, 1), "u/full/1024,/0/native.jpg"),
        (info(3, 0), "u/full/max/0/default.jpg"),
        (info(2, 0), "u/full/full/0/default.jpg"),
        (info(3, 0, sizes=sizes((250, 188), (1000, 750), (2000, 1500))), "u/full/1000,750/0/default.jpg"),
        (info(3, 0, sizes=sizes((250, 188), (700, 525), (2000, 1500))), "u/full/2000,1500/0/default.jpg"),
        (info(2, 0, sizes=sizes((250, 188), (2000, 1500))), "u/full/2000,/0/default.jpg"),
        (info(3, 2, sizes=sizes((500, 375), (1200, 900), (4000, 3000))), "u/full/1200,900/0/default.jpg"),  # ready-made
        (info(3, 2, sizes=sizes((500, 375), (4000, 3000))), "u/full/1024,768/0/default.jpg"),  # far too large
        (info(3, 2, 600, 400), "u/full/max/0/default.jpg"),  # never enlarged
        (info(2, 2, 600, 400), "u/full/full/0/default.jpg"),
        (info(3, 2, maxWidth=500), "u/full/500,375/0/default.jpg"),
        (info(2, 2, limits={"maxWidth": 500}), "u/full/500,/0/default.jpg"),
        (info(3, 2, maxArea=120_000), "u/full/400,300/0/default.jpg"),
        (info(3, 0, extraFeatures=["sizeByH"]), "u/full/,768/0/default.jpg"),
        (info(3, 0, extraFeatures=["sizeByPct"]), "u/full/pct:25/0/default.jpg"),
        (info(2, 0, tiles=[{"width": 1024, "scaleFactors": [1, 2, 4, 8]}]), "u/full/1000,/0/default.jpg"),  # one tile
        (info(3, 2, 200_000, 2000), "u/full/40000,400/0/default.jpg"),  # a scroll: bounded by its area
        (info(3, 0, 200_000, 150_000, sizes=sizes((800, 600))), "u/full/800,600/0/default.jpg"),  # the whole is too large
        (info(3, 2, sizes=sizes((9000, 6750), (-5, 3), (100, 100), (1040, 780))), "u/full/1040,780/0/default.jpg"),  # lies
    ],
)  # fmt: skip
def test_what_is_asked_for(found, first):
    asked = requests(found)
    assert asked[0].address == first
    assert all(request.width <= found.width and request.height <= found.height for request in asked)


@pytest.mark.parametrize("junk", [None, 0, -5, "x", [], {}, 1e300, float("nan"), True and "0"])
def test_an_image_without_a_size_is_not_believed(junk):
    with pytest.raises(BadInfo):
        parse_info({"width": junk, "height": 100}, "u")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("form", ["w,", "w,h"])
def test_a_server_of_level_0_with_fixed_sizes_only(museum, command, version, form):
    """Static files: each size lies under one way of writing it, and nobody says which; the whole picture may be missing."""
    uri = museum.image("a", version=version, level=0, sizes=[(200, 150), (1200, 900)], forms=(form,))
    source = museum.manifest("/m.json", [museum.canvas("a", uri)])
    assert command("scan", source, *FAST, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT width, height FROM images") == [(1200, 900)]


def test_a_server_that_does_not_offer_what_it_lists(museum, command):
    uri = museum.image("a", level=2, info={"sizes": sizes((1100, 825))})
    real = museum.pages["/iiif/a/*"]
    museum.pages["/iiif/a/*"] = lambda handler: (404, {}, b"") if "1100" in handler.path else real(handler)
    assert command("scan", museum.manifest("/m.json", [museum.canvas("a", uri)]), *FAST, "--json").counts["new"] == 1
    assert ask(command.db, "SELECT width, height FROM images") == [(1024, 768)]


def test_without_a_description_the_picture_of_the_manifest_is_taken(museum, command):
    uri = museum.url("/iiif/broken")
    museum.put("/iiif/broken/info.json", b"", 404)
    museum.put("/iiif/broken/full/max/0/default.jpg", jpeg(900, 700))
    source = museum.manifest(
        "/m.json", [museum.canvas("a", uri), museum.canvas("b", image=museum.put("/b.jpg", jpeg(80, 60)))]
    )
    assert command("scan", source, *FAST, "--json").counts["new"] == 2
    assert ask(command.db, "SELECT width, height FROM images ORDER BY path") == [(900, 700), (80, 60)]
