"""The attention page: what its controls change, what it reads, and what it says where something is missing."""

import base64
import io
import re
import zipfile

import av
import numpy as np
import pytest
import torch
from PIL import Image

from dashboard.components import map_wall
from dashboard.components.patches import Patch
from dashboard.data import cache
from dashboard.drawing import figure, map_values, panels
from dashboard.drawing.panels import MapStyle, Scene
from dashboard.drawing.text import warnings
from dashboard.selection.maps import columns
from dashboard.views.attention import frames
from ingest.vision import loader
from ingest.vision.attention import methods
from ingest.vision.backbones import load
from ingest.vision.embedding import embed, observe
from ingest.vision.explaining import Asked, explain_pictures
from ingest.vision.geometry import Frame, fit_image
from store import connection, write
from store.maps import AttentionMaps
from store.records import FrameRecord, Results
from tests.pages import database
from tests.support.maps import shown_maps
from tests.support.pages import HARMFUL, choose, html_of, walls


def panes(at, key: str = "maps") -> list[dict]:
    return walls(at)[key]["panes"]


def pictures(at) -> list[np.ndarray]:
    """The original, then the maps, as the browser gets them."""
    return [decoded(pane["src"]) for pane in (*panes(at, "maps_original"), *panes(at))]


def decoded(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def titles(at) -> list[str]:
    return [pane["title"] for pane in panes(at)]


@pytest.fixture
def page(db, open_page):
    at = open_page("attention", image=1)
    assert not at.exception
    return at


def test_shows_all_layers_and_heads_of_a_small_network_beside_the_original(page):
    assert titles(page) == [f"Layer {layer} · head {head}" for layer in range(3) for head in range(2)]
    assert len(pictures(page)) == 1 + 6
    assert page.title[0].value == "Attention"


def test_shows_only_the_chosen_layers_and_heads_and_reads_no_others(page, monkeypatch):
    asked = []
    real = cache.maps
    monkeypatch.setattr(cache, "maps", lambda *args: asked.append(args) or real(*args))
    choose(page, "layer", 2)
    choose(page, "head", 1)
    assert titles(page) == ["Layer 2 · head 1"]
    assert "Layer 2, head 1, counted from 0" in html_of(page)
    assert asked[-1] == (1, 1, "cls", "", (2,), (1,))


def test_nothing_chosen_is_a_sentence(page):
    choose(page, "layer")
    assert not page.exception
    assert "at least one layer" in page.main.info[0].value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("edges", "smooth"),
        ("scale", "absolute"),
        ("scale", "shared"),
        ("opacity", 20),
        ("colours", "viridis"),
        ("mask", True),
    ],
)
def test_each_control_changes_the_maps_but_not_the_original(page, key, value):
    before = pictures(page)
    choose(page, key, value)
    after = pictures(page)
    assert np.array_equal(before[0], after[0])
    changed = [not np.array_equal(one, other) for one, other in zip(before[1:], after[1:], strict=True)]
    # A map that has both the least and the greatest weight of all looks the same on the shared scale.
    assert sum(changed) >= (5 if value == "shared" else 6)


def test_the_mask_keeps_fewer_patches_the_smaller_the_share(page):
    choose(page, "mask", True)

    def kept():
        return [int(number) for number in re.findall(r"(\d+) of 24 patches", str(panes(page)))]

    most = kept()
    choose(page, "share", 20)
    fewest = kept()
    assert len(fewest) == 6 and all(0 < few < many for few, many in zip(fewest, most, strict=True))
    assert "20\u00a0%" in html_of(page)


def test_the_mean_of_heads_is_one_map_a_layer(page):
    choose(page, "fuse", "mean")
    assert titles(page) == [f"Layer {layer} · mean of 2 heads" for layer in range(3)]
    assert panes(page)[1]["values"][0] == patch_text(page_weights(page).mean(axis=0)[0, 0])
    choose(page, "fuse", "max")
    assert titles(page) == [f"Layer {layer} · maximum of 2 heads" for layer in range(3)]
    assert panes(page)[1]["values"][0] == patch_text(page_weights(page).max(axis=0)[0, 0])


def page_weights(page) -> np.ndarray:
    """The stored maps of both heads of layer 1 of image 1, (heads, rows, cols)."""
    return cache.maps(1, 1, "cls", "", (1,), None).weights


def patch_text(weight: float) -> str:
    return f"×{panels.times(24 * weight)} · {panels.percent(weight)}"


def test_weights_over_the_patches_alone_sum_to_one(page):
    assert "90\u00a0% on patches" in panes(page)[0]["note"]
    choose(page, "over_patches", True)
    assert all("100\u00a0% on patches" in pane["note"] for pane in panes(page))


def test_rollout_is_a_strip_over_the_depths(page):
    choose(page, "method", "rollout")
    assert titles(page) == ["Depth 0", "Depth 1", "Depth 2"]
    assert [select.key for select in page.multiselect] == ["layer"]


def test_a_link_reproduces_the_view(db, open_page):
    at = open_page("attention", image=2)
    for key, value in {"method": "rollout", "layer": 2, "scale": "absolute"}.items():
        choose(at, key, value)
    assert at.query_params["method"] == "rollout"
    linked = open_page("attention", image=2, method="rollout", layer=2, scale="absolute")
    shown = list(zip(pictures(at), pictures(linked), strict=True))
    assert len(shown) == 2 and all(np.array_equal(one, other) for one, other in shown)


def test_the_method_in_the_address_is_followed_until_another_is_picked(db, open_page, history_navigation):
    at = open_page("attention", image=2, method="rollout")
    assert titles(at) == ["Depth 0", "Depth 1", "Depth 2"]
    choose(at, "method", "cls")
    assert len(titles(at)) == 6 and "method" not in at.query_params
    at.query_params["method"] = "rollout"
    at.run()
    assert len(titles(at)) == 6  # as the browser says it until it hears of the new one
    history_navigation()
    at.query_params["method"] = "rollout"
    at.run()
    assert len(titles(at)) == 3
    at.query_params["method"] = "no such method"
    at.run()
    assert not at.exception and len(titles(at)) == 3


@pytest.mark.parametrize(
    ("scale", "words"),
    [("map", "own greatest weight"), ("shared", "colours can be compared"), ("absolute", "uniform attention")],
)
def test_the_legend_states_the_scale(page, scale, words):
    choose(page, "scale", scale)
    assert words in html_of(page)


def test_says_what_the_maps_are(page):
    sentence = next(html.value for html in page.main.html if "Network:" in html.value)
    for part in (
        "Attention: CLS attention by head",
        "(Caron et al. 2021): where the token",
        "Tiny test network",
        "abababab",
        "run 1",
    ):
        assert part in sentence


def test_a_cut_picture_is_dimmed_outside_and_says_how_much_was_seen(db, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE frame SET x0 = 200, x1 = 400 WHERE image_id = 1")
    at = open_page("attention", image=1)
    assert "The network saw the central 30\u00a0% of the picture" in html_of(at)  # 200 of 665 columns
    original = pictures(at)[0].astype(float)
    scale = original.shape[1] / 665
    whole = np.asarray(cache.picture(1)[0].resize(original.shape[1::-1]), float)
    outside, inside = slice(0, int(180 * scale)), slice(int(210 * scale), int(390 * scale))
    assert np.abs(original[:, inside] - whole[:, inside]).mean() < 8
    assert original[:, outside].mean() < 0.75 * whole[:, outside].mean()


def test_a_picture_seen_whole_says_so(page):
    assert "The network saw the whole picture" in html_of(page)


def test_without_the_original_file_the_thumbnail_stands_in(db, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
    at = open_page("attention", image=1)
    assert "this is its thumbnail" in html_of(at)
    assert len(pictures(at)) == 7


def test_without_any_picture_there_is_a_sentence(db, open_page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere/at/all'")
        con.execute("DELETE FROM thumbnail")
    at = open_page("attention", image=1)
    assert not at.exception
    assert "nothing to draw on" in at.main.error[0].value


def test_without_maps_and_without_the_network_there_is_a_sentence(db, open_page):
    with connection.writing(db) as con:
        con.execute("DELETE FROM stored_map WHERE image_id = 1")
    at = open_page("attention", image=1)
    assert not at.exception and "Tiny test network cannot be used here" in at.main.info[0].value


def test_without_head_statistics_the_maps_are_still_there(db, open_page):
    with connection.writing(db) as con:
        con.execute("DELETE FROM head_stat")
    at = open_page("attention", image=1)
    assert len(pictures(at)) == 7
    assert any("No numbers about the heads" in caption.value for caption in at.main.caption)


def test_an_empty_database_is_a_page(empty_db, open_page):
    at = open_page("attention")
    assert not at.exception
    assert at.title[0].value == "Nothing to show yet"


def test_hostile_titles_are_text(db, open_page):
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": HARMFUL, "artist": HARMFUL}})
    at = open_page("attention", image=1)
    assert not at.exception
    assert "<img src=x" not in "".join(html.value for html in at.main.html)
    assert all(pane["alt"].startswith(HARMFUL) for pane in panes(at))  # the wall sets text, never HTML


def test_the_closer_look_shows_the_numbers_of_one_head(db, page):
    choose(page, "closer", "Layer 1 · head 1")
    with connection.reading(db) as con:
        row = con.execute(
            "SELECT distance, entropy, mass_cls FROM head_stats WHERE image_id = 1 AND layer = 1 AND head = 1"
        ).fetchone()
    assert [metric.value for metric in page.metric] == [f"{row[0]:.0f} px", f"{row[1]:.2f} nats"]
    shares = next(html.value for html in page.main.html if "Where the CLS token looks</p>" in html.value)
    assert "CLS token 10\u00a0%" in shares and "patches 90\u00a0%" in shares
    assert "registers" not in shares  # this network has none


def test_a_choice_survives_a_change_of_run_and_a_default_follows_it(db, open_page):
    with connection.writing(db) as con:
        ids = np.array([row[0] for row in con.execute("SELECT image_id FROM image ORDER BY 1").fetchall()])
        sizes = con.execute("SELECT width, height FROM image ORDER BY 1").fetchall()
        database.add_run(con, 1, ids, sizes, layers=12, weights_sha256="cd" * 32)
    at = open_page("attention", image=1, run=2)
    assert at.multiselect(key="layer").value == [0, 4, 7, 11]
    at.selectbox(key="run").set_value(1).run()
    assert at.multiselect(key="layer").value == [0, 1, 2]
    choose(at, "layer", 1)
    at.selectbox(key="run").set_value(2).run()
    assert at.multiselect(key="layer").value == [1]


# ---- maps made now ------------------------------------------------------------------------------------------------


NETWORK = "tiny:vit-classifier"


def add_network(db, model: str = NETWORK, **other) -> int:
    """A run of a network that can be loaded: features, frames and head statistics of all pictures, no maps."""
    backbone = load(model)
    with connection.writing(db) as con:
        rows = con.execute("SELECT image_id, path, width, height FROM image ORDER BY 1").fetchall()
        ids = np.array([row[0] for row in rows])
        found = [loader.decode(database.PAINTINGS / row[1]).image for row in rows]
        shape = dict(layers=backbone.layers, heads=backbone.heads, dim=backbone.dim, patch=backbone.patch)
        settings = {**backbone.settings(), "methods": []}
        run = database.run_record(
            **shape,
            backbone=model,
            prefix_tokens=backbone.prefix_tokens,
            size=56,
            weights_sha256=backbone.weights_sha256,
            settings=settings,
            **other,
        )
        number = write.add_run(con, 1, run)
        fit = other.get("fit", "crop")
        fitted = [fit_image(picture, backbone.rule, fit, 56)[1] for picture in found]
        seen = [FrameRecord(int(i), f.x0, f.y0, f.x1, f.y1, f.rows, f.cols) for i, f in zip(ids, fitted, strict=True)]
        write.add_results(con, number, Results(ids, embed(backbone, found, fit, 56), seen))
    return number


@pytest.fixture
def network(db) -> int:
    return add_network(db)


def computed_now(at) -> bool:
    return "Computed now in" in html_of(at)


def test_a_method_that_is_not_stored_is_computed_now_and_says_how_to_store_it(network, open_page):
    at = open_page("attention", image=1, run=network, method="rollout(fusion=max)")
    assert not at.exception and titles(at) == ["Depth 0", "Depth 1", "Depth 2"]
    assert f"python -m ingest explain --run {network} --methods &#x27;rollout(fusion=max)&#x27;" in html_of(at)
    assert at.query_params["method"] == ["rollout(fusion=max)"] or at.query_params["method"] == "rollout(fusion=max)"


def test_what_is_computed_now_is_what_the_network_gives(network, open_page):
    at = open_page("attention", image=1, run=network, method="cls", layer=1, head=1)
    backbone, picture = load(NETWORK), cache.picture(1)[0]
    pixels, _ = fit_image(picture, backbone.rule, "crop", 56)
    expected = observe(backbone, torch.from_numpy(pixels[None].copy()), ["cls"]).maps[0].weights[0, 1 * 2 + 1].numpy()
    shown = [text.split(" · ")[1] for text in panes(at)[0]["values"]]
    assert shown == [panels.percent(weight) for weight in expected.tolist()]


def test_stored_maps_are_shown_without_the_network(page, monkeypatch):
    monkeypatch.setattr(cache, "backbone", lambda run: pytest.fail("the network was loaded"))
    choose(page, "scale", "absolute")
    assert not computed_now(page) and not page.exception


def test_options_are_controls_and_stand_in_the_address(network, open_page):
    at = open_page("attention", image=1, run=network, method="rollout")
    before = pictures(at)
    choose(at, "option_rollout_fusion", "min")
    next(n for n in at.number_input if n.key == "option_rollout_start").set_value(1).run()
    assert titles(at) == ["Depth 1", "Depth 2"]
    assert not np.array_equal(before[-1], pictures(at)[-1])
    again = open_page("attention", image=1, run=network, method="rollout(fusion=min,start=1)")
    assert all(np.array_equal(one, two) for one, two in zip(pictures(at), pictures(again), strict=True))


def test_attention_and_attribution_are_never_offered_together(network, open_page):
    at = open_page("attention", image=1, run=network)
    offered = {kind: at.selectbox(key="method").options for kind in ["attention"]}
    choose(at, "kind", "attribution")
    offered["attribution"] = at.selectbox(key="method").options
    assert not set(offered["attention"]) & set(offered["attribution"])
    assert any("DAAM" in title for title in offered["attribution"])
    assert "Attribution:" in html_of(at) and not at.exception


@pytest.mark.parametrize(
    "target",
    [
        "class:predicted",
        "class:3",
        "neighbours:2",
        "image:4",
        "label:artist=Katsushika Hokusai",
        "vote:artist",
    ],
)
def test_each_kind_of_target_is_explained_and_kept_in_the_address(network, open_page, target):
    at = open_page("attention", image=1, run=network, method="daam", target=target)
    assert not at.exception and computed_now(at)
    assert at.query_params["target"] in (target, [target])
    explained = re.search(r"Explained: ([^(]*?)(?: \(.*?\))?\. Accumulated to blocks", html_of(at))[1]
    assert explained == target or (target == "class:predicted" and re.fullmatch(r"class:\d", explained))


def test_another_target_gives_another_map(network, open_page):
    one = open_page("attention", image=1, run=network, method="daam", target="class:1")
    two = open_page("attention", image=1, run=network, method="daam", target="class:2")
    assert not np.array_equal(pictures(one)[1], pictures(two)[1])


def test_a_pair_is_explained_on_both_pictures_with_their_similarity(network, open_page):
    at = open_page("attention", image=1, run=network, method="daam", target="image:4")
    ids, vectors = cache.features(network)
    similarity = float(vectors[ids == 1][0] @ vectors[ids == 4][0])
    assert any(f"**{similarity:.3f}**" in text.value for text in at.main.markdown)
    assert len(panes(at, "other")) == len(panes(at)) and walls(at)["other"]["group"] != walls(at)["maps"]["group"]
    other = open_page("attention", image=4, run=network, method="daam", target="image:1")
    assert [pane["src"] for pane in panes(at, "other")] == [pane["src"] for pane in panes(other)]


def test_a_label_says_how_far_its_probe_can_be_trusted(network, open_page):
    at = open_page("attention", image=1, run=network, method="daam", target="label:artist=Katsushika Hokusai")
    assert "2 of 6 pictures have this label" in html_of(at)
    assert "cross-validation the probe is right for" in html_of(
        at
    ) and "always saying the more frequent: 67%" in html_of(at)


def test_without_a_classifier_no_class_is_offered(db, open_page):
    at = open_page("attention", image=1, run=add_network(db, "tiny:vit"), method="daam")
    assert at.query_params["target"] in ("neighbours:5", ["neighbours:5"])  # of six pictures, no more
    assert not any("class" in option for option in at.selectbox(key="target_kind").options)


def test_a_target_that_is_none_is_left_aside(network, open_page):
    for wrong in ("image:99", "class:12", "neighbours:0", "nonsense", "label:artist=Nobody", "vote:nothing"):
        at = open_page("attention", image=1, run=network, method="daam", target=wrong)
        assert not at.exception and computed_now(at)


def test_a_click_on_a_patch_asks_where_it_looks_and_a_button_leads_back(network, open_page, monkeypatch):
    clicks = [Patch(2, 1, 3)]
    real = map_wall.patches

    def patches(given, key, *args, **more):
        real(given, key, *args, **more)
        return clicks.pop() if key == "maps" and clicks else None

    monkeypatch.setattr(map_wall, "patches", patches)
    at = open_page("attention", image=1, run=network)
    assert not at.exception
    assert at.query_params["method"] in ("query(token=r1c3)", ["query(token=r1c3)"])
    backbone, picture = load(NETWORK), cache.picture(1)[0]
    pixels, _ = fit_image(picture, backbone.rule, "crop", 56)
    found = explain_pictures(backbone, torch.from_numpy(pixels[None].copy()), [Asked("query", {"token": "r1c3"})])
    expected = found.maps[0].weights[0, 0].numpy()
    assert [text.split(" · ")[1] for text in panes(at)[0]["values"]] == list(map(panels.percent, expected.tolist()))
    # The chosen patch is marked where it lies in the picture.
    frame, (width, height) = cache.frame(network, 1), cache.picture(1)[0].size
    box = [frame.x0 + 0.75 * (frame.x1 - frame.x0), frame.y0 + 0.25 * (frame.y1 - frame.y0)]
    assert walls(at)["maps"]["chosen"][:2] == pytest.approx([box[0] / width, box[1] / height])
    at.selectbox(key="asks").set_value("special0").run()
    assert at.query_params["method"] in ("query(token=special0)", ["query(token=special0)"])
    assert walls(at)["maps"]["chosen"] is None
    next(button for button in at.button if button.label == "Back to the whole picture").click().run()
    assert at.selectbox(key="method").value == "cls"


def test_a_map_of_blocks_is_played(network, open_page):
    at = open_page("attention", image=1, run=network, method="daam", target="class:1", layer=2)
    shots = walls(at)["player"]["shots"]
    assert [shot["caption"] for shot in shots] == [f"Accumulated to block {n}" for n in range(3)]
    honest = [decoded(shot["src"]) for shot in shots]
    at.selectbox(key="frame_scale").set_value("own").run()  # buttons would be cut off in this narrow column
    assert "sigmoid" in "".join(caption.value for caption in at.main.caption)
    stretched = [decoded(shot["src"]) for shot in walls(at)["player"]["shots"]]
    assert not np.array_equal(honest[0], stretched[0])
    assert {"film_gif", "film_mp4", "film_zip"} <= {
        button.proto.id.rsplit("-", 1)[1] for button in at.get("download_button")
    }


def test_the_faithfulness_of_a_map_is_tested_when_it_is_asked_for(network, open_page, monkeypatch):
    at = open_page("attention", image=1, run=network)
    assert not at.get("plotly_chart")
    at.button(key="faithful").click().run()
    assert not at.exception and len(at.get("plotly_chart")) == 2
    assert any("as patches in random order" in text.value for text in at.main.markdown)
    at.button(key="forgetting").click().run()
    assert not at.exception and len(at.get("plotly_chart")) == 3
    assert any("blocks are random" in text.value for text in at.main.markdown)
    choose(at, "closer", "Layer 0 · head 0")  # another map: what was found is not about it
    assert not at.get("plotly_chart")


# ---- beside each other --------------------------------------------------------------------------------------------


def test_maps_of_two_runs_stand_beside_each_other_on_one_scale(db, network, open_page):
    columns = ["1;cls;2;1", f"{network};cls;1;mean"]
    at = open_page("attention", image=1, view="compare")
    at.query_params["column"] = columns
    at.run()
    assert not at.exception
    (one,), (two,) = panes(at, "compare_0"), panes(at, "compare_1")
    assert one["title"].startswith("Layer 2 · head 1") and two["title"].startswith("Layer 1 · mean of 2 heads")
    assert (one["rows"], one["cols"], two["rows"], two["cols"]) == (4, 6, 4, 4)
    assert walls(at)["compare_0"]["group"] == walls(at)["compare_1"]["group"]
    assert "as multiples of each map" in html_of(at)
    assert at.query_params["column"] == columns


def test_up_to_four_columns_each_with_controls_of_its_own(network, open_page):
    at = open_page("attention", image=1, run=network, view="compare")
    choose(at, "columns", 4)
    assert not at.exception and len([key for key in walls(at) if key.startswith("compare_")]) == 4
    assert len(set(at.query_params["column"])) == 4
    at.selectbox(key="c3_method").set_value("rollout").run()
    at.selectbox(key="c3_layer").set_value(0).run()
    assert panes(at, "compare_3")[0]["title"].startswith("Depth 0")
    assert at.query_params["column"][3].split(";")[1:] == ["rollout", "0", ""]


def test_a_column_whose_network_is_gone_does_not_spoil_the_others(network, open_page):
    at = open_page("attention", image=1, view="compare")
    at.query_params["column"] = ["1;hackathon;2;mean", f"{network};cls;1;mean"]
    at.run()
    assert not at.exception
    assert "cannot be used here" in at.main.info[0].value and "compare_1" in walls(at)


def test_columns_are_read_as_they_are_written():
    column = columns.Column(3, "rollout(discard=0.9,fusion=max)", 7, "")
    assert columns.Column.parse(column.text) == column
    for wrong in ("", "1", "1;cls;x;0", "a;cls;1;0", "1;cls;1;0;5"):
        assert columns.Column.parse(wrong) is None


def test_one_scale_over_grids_of_two_sizes():
    picture = Image.new("RGB", (64, 64), (90, 90, 90))
    coarse = shown_maps((0,), (0,), ("A",), np.array([[[0.0, 1.0], [1.0, 2.0]]], np.float32), "uniform")
    fine = shown_maps((0,), (0,), ("B",), np.linspace(0, 4, 16, dtype=np.float32).reshape(1, 4, 4), "uniform")
    scenes = [Scene(picture, (64, 64), Frame(0, 0, 64, 64, side, side)) for side in (2, 4)]
    (one, other), bar = panels.scaled(list(zip((coarse, fine), scenes, strict=True)), MapStyle(scale="shared"))
    assert one.ravel() == pytest.approx([0, 0.25, 0.25, 0.5]) and other.max() == 1
    assert (bar.low, bar.high) == ("0.0 ×", "4.0 ×")


# ---- when a map should not be trusted -----------------------------------------------------------------------------


def trusted(weights, prefix: int = 1, method: str = "cls", frame: Frame | None = None, outliers=None) -> list[str]:
    weights = np.asarray(weights, np.float32)
    frame = frame or Frame(0, 0, 40, 40, *weights.shape[1:])
    maps = shown_maps((0,) * len(weights), (0,) * len(weights), ("A",) * len(weights), weights)
    return warnings.warnings(
        methods()[method], maps, Scene(Image.new("RGB", (40, 40)), (40, 40), frame), prefix, outliers
    )


def test_little_mass_on_patches_is_said():
    little, much = np.full((2, 2), 0.02), np.full((2, 2), 0.2)
    assert trusted([much, much]) == []
    assert "In one map less than 20\u00a0%" in trusted([much, little])[0]
    assert "In all maps" in trusted([little, little])[0] and "CLS token itself" in trusted([little, little])[0]
    assert "registers" in trusted([little, little], prefix=5)[0]
    assert trusted([little], method="rollout") == [] and trusted([little], prefix=0) == []


def test_padding_and_outliers_and_emptiness_are_said():
    even = np.full((1, 4, 4), 0.05)
    assert trusted(even, frame=Frame(0, -20, 40, 60, 4, 4)) == [
        "50\u00a0% of what these maps give to patches lies on the plain ground around the picture, which was added to "
        "make it square and is not drawn."
    ]
    assert "3\u00a0% of this picture's patches" in trusted(even, outliers=0.03)[0]
    assert trusted(even, outliers=0.009) == []
    assert trusted(np.zeros((1, 4, 4)), prefix=0) == [
        "These maps are empty: no patch there speaks for what is explained."
    ]


def test_outliers_that_the_database_knows_are_said(db, open_page):
    with connection.writing(db) as con:
        con.execute("INSERT INTO token_stat VALUES (1, 1, 0.04, 10, 100)")
    at = open_page("attention", image=1)
    assert any("4\u00a0% of this picture's patches" in warning.value for warning in at.main.warning)


# ---- frames -------------------------------------------------------------------------------------------------------


def blocks() -> AttentionMaps:
    weights = np.zeros((3, 2, 2), np.float32)
    weights[0, 0, 0], weights[1, 0, 1], weights[2, 1, 1] = 1, 2, 5
    return shown_maps((0, 1, 2), (None,) * 3, ("Block 0", "Block 1", "Block 2"), weights, "evidence")


def test_frames_on_one_scale_add_up_and_never_fade():
    cells = np.ones((2, 2), bool)
    sums = frames.frame_values(blocks(), cells, True, "one")
    assert sums[:, 0, 0] == pytest.approx([0.2, 0.2, 0.2]) and sums[2, 1, 1] == 1
    alone = frames.frame_values(blocks(), cells, False, "one")
    assert alone.max(axis=(1, 2)) == pytest.approx([0.2, 0.4, 1])
    assert frames.frame_values(blocks(), cells, False, "own").max(axis=(1, 2)).tolist() == [1, 1, 1]


def test_the_papers_frames_are_each_stretched():
    stretched = frames.frame_values(blocks(), np.ones((2, 2), bool), True, "own")
    assert stretched.max(axis=(1, 2)).tolist() == [1, 1, 1] and stretched.min(axis=(1, 2)).tolist() == [0, 0, 0]


def test_the_film_opens_and_has_a_frame_for_each_block():
    values = frames.frame_values(blocks(), np.ones((2, 2), bool), True, "one")
    shown = Scene(Image.new("RGB", (101, 67), (120, 110, 90)), (101, 67), Frame(0, 0, 101, 67, 2, 2))
    drawn = frames.draw_frames(values, shown, MapStyle())
    with Image.open(io.BytesIO(frames.gif(drawn, blocks().titles, 2.0))) as film:
        assert film.format == "GIF" and film.n_frames == 3
    with av.open(io.BytesIO(frames.mp4(drawn, blocks().titles, 2.0))) as film:
        assert len(list(film.decode(video=0))) == 3


def test_each_frame_is_a_picture_of_its_own_too():
    values = frames.frame_values(blocks(), np.ones((2, 2), bool), True, "one")
    shown = Scene(Image.new("RGB", (101, 67), (120, 110, 90)), (101, 67), Frame(0, 0, 101, 67, 2, 2))
    drawn = frames.draw_frames(values, shown, MapStyle())
    titles = [f"Accumulated to block {n}" for n in range(3)]
    packed = frames.pngs(drawn, titles, "Evidence, run 1.")
    assert packed == frames.pngs(drawn, titles, "Evidence, run 1.")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        *names, about = archive.namelist()
        assert names == [f"{n:02d}-accumulated-to-block-{n}.png" for n in range(3)] == sorted(names)
        assert about == "about.txt" and archive.read(about).decode() == "Evidence, run 1.\n"
        for name, picture in zip(names, drawn, strict=True):
            with Image.open(io.BytesIO(archive.read(name))) as found:
                assert np.array_equal(np.asarray(found), np.asarray(picture))


def test_a_title_stands_below_the_frame_and_leaves_it_alone():
    picture = Image.new("RGB", (200, 150), (10, 120, 40))
    sheet = frames.titled(picture, "Block 3")
    assert np.array_equal(np.asarray(sheet)[:150], np.asarray(picture))
    strip = np.asarray(sheet)[150:]
    assert strip.max() > 250 and strip.min() < 60  # words on paper


# ---- drawing, without the page ------------------------------------------------------------------------------------


def scene(width: int = 600, height: int = 400) -> Scene:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Scene(Image.fromarray(pixels), (width, height), Frame(100, 0, 500, 400, 16, 16), "The Lion")


def grid(count: int = 16) -> AttentionMaps:
    weights = np.random.default_rng(2).dirichlet(np.full(256, 0.2), count).reshape(-1, 16, 16).astype(np.float32)
    heads = tuple(range(count))
    return shown_maps((0,) * count, heads, tuple(map_values.title(0, head) for head in heads), weights)


def test_a_single_map_of_several_keeps_their_shared_scale():
    style = MapStyle(scale="shared")
    every, _ = panels.draw(grid(), scene(), style)
    one, _ = panels.draw(grid(), scene(), style, only=5)
    assert one[0].picture.tobytes() == every[5].picture.tobytes()


def test_notes_say_peak_and_mass():
    weights = np.full((1, 16, 16), 0.5 / 256, np.float32)
    weights[0, 15, 0] += 0.25
    (panel,), _ = panels.draw(shown_maps((3,), (1,), ("Layer 3 · head 1",), weights), scene(), MapStyle())
    assert panel.note == "peak ×64 · 75\u00a0% on patches"  # 256 · (0.25 + 0.5 / 256)
    assert panel.alt == "The Lion, layer 3 · head 1: the attention peaks at the bottom left of what the network saw."


def test_the_printed_figure_has_the_pixels_that_draw_gives():
    style, shown = MapStyle(colours="magma", scale="shared", share=0.6), scene()
    plate = panels.plate("The Lion", "Dürer, 1494", grid(4), shown, style, 2, "Attention, run 1.")
    drawn, _ = panels.draw(grid(4), shown, style)
    assert [picture.tobytes() for _, picture in plate.panels] == [panel.picture.tobytes() for panel in drawn]
    for part in ("The Lion (Dürer, 1494)", "Attention, run 1.", "Scale: shared", "60\u00a0%", "magma", "flat square"):
        assert part in plate.caption
    text = " ".join(figure.svg(plate).decode().split())
    assert "Attention, run 1." in text


@pytest.mark.parametrize(
    ("count", "wanted", "found"),
    [
        (12, 4, [0, 4, 7, 11]),
        (6, 4, [0, 2, 3, 5]),
        (2, 4, [0, 1]),
        (12, 2, [0, 11]),
        (12, 1, [0]),
        (12, 0, []),
        (0, 1, []),
    ],
)
def test_spread_goes_from_the_first_to_the_last(count, wanted, found):
    assert panels.spread(count, wanted) == found


@pytest.mark.parametrize(
    ("frame", "fit", "sentence"),
    [
        (Frame(0, 0, 600, 400, 4, 4), "stretch", "squeezed into a square"),
        (Frame(0, -100, 600, 500, 4, 4), "pad", "on a ground of a plain colour"),
        (Frame(100, 0, 500, 400, 4, 4), "crop", "the central 67\u00a0%"),
    ],
)
def test_what_the_network_saw_is_said_in_a_sentence(frame, fit, sentence):
    assert sentence in panels.seen_sentence(Scene(Image.new("RGB", (60, 40)), (600, 400), frame), fit)


def test_padding_is_named_where_masses_leave_something_over():
    stats = {"mass_cls": 0.2, "mass_registers": 0.1, "mass_patches": 0.5}
    assert panels.masses(stats)[-1] == ("padding", pytest.approx(0.2))
    assert panels.masses(stats | {"mass_patches": 0.7})[-1] == ("padding", 0.0)
