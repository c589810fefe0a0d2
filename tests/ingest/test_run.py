"""`run` from a folder to a database: what a user sees and what the views hold."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ingest import pipeline
from ingest.vision.backbones import load
from ingest.vision.embedding import observe
from ingest.vision.geometry import fit_image
from tests.support.commands import TINY
from tests.support.databases import ask
from tests.support.pictures import save_picture


def test_a_folder_becomes_a_database(folder, command):
    result = command("run", folder, *TINY, "--json")
    assert result.code == 0
    counts = result.counts
    assert (counts["collection"], counts["new"], counts["already"], counts["failed"]) == ("scans", 9, 0, 0)
    assert "metadata.csv describes 9 of 9 pictures" in result.err
    rows = ask(
        command.db, "SELECT path, width, height, json_extract_string(metadata, '$.title') FROM images ORDER BY path"
    )
    assert len(rows) == 9 and rows[0] == ("inner/p1.png", 90, 70, "Picture 1")
    assert ask(command.db, "SELECT count(*), min(year), max(year) FROM catalogue") == [(9, 1500, 1508)]
    assert ask(command.db, "SELECT count(*) FROM head_stats") == [(9 * 3 * 2,)]
    per_method = (
        "SELECT method, count(*), min(rows), max(cols), min(len(weights)) FROM attention GROUP BY method ORDER BY 1"
    )
    assert ask(command.db, per_method) == [("cls", 54, 4, 4, 16), ("rollout", 27, 4, 4, 16)]
    ((settings, versions, layers, heads, dim, prefix, fit, size),) = ask(
        command.db, "SELECT settings, versions, layers, heads, dim, prefix_tokens, fit, size FROM runs"
    )
    assert (layers, heads, dim, prefix, fit, size) == (3, 2, 32, 1, "crop", 56)
    assert json.loads(settings)["model"] == "tiny:dinov2" and "torch" in json.loads(versions)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad", "aspect"])
def test_what_is_stored_is_what_the_network_computes(folder, command, fit):
    """Features, maps and frames against a direct pass over the same file."""
    assert command("run", folder, *TINY, "--fit", fit, "--batch-size", "4").code == 0
    backbone = load("tiny:dinov2")
    image = Image.open(folder / "p4.jpg").convert("RGB")
    pixels, frame = fit_image(image, backbone.rule, fit)
    cells = torch.from_numpy(frame.picture_cells(90, 70).ravel())[None]
    direct = observe(backbone, torch.from_numpy(pixels.copy())[None], ["cls", "rollout"], True, cells)
    ((image_id,),) = ask(command.db, "SELECT image_id FROM images WHERE path = 'p4.jpg'")
    ((vector,),) = ask(command.db, "SELECT vector FROM features WHERE image_id = ?", image_id)
    np.testing.assert_allclose(vector, direct.features[0], atol=1e-6)
    ((*box, rows, cols),) = ask(
        command.db, "SELECT x0, y0, x1, y1, rows, cols FROM frames WHERE image_id = ?", image_id
    )
    assert (*box, rows, cols) == (frame.x0, frame.y0, frame.x1, frame.y1, frame.rows, frame.cols)
    for maps in direct.maps:
        order = "SELECT weights FROM attention WHERE image_id = ? AND method = ? ORDER BY layer, head"
        stored = np.array([row[0] for row in ask(command.db, order, image_id, maps.method)])
        exact = maps.weights[0].numpy()
        # Square-root companding: half a step of 1/255 in the root.
        bound = exact.max(axis=1, keepdims=True) * (1 / 255) + 1e-7
        assert stored.shape == exact.shape and (np.abs(stored - exact) <= bound).all()
    query = (
        "SELECT distance, entropy, mass_cls, mass_patches, peak FROM head_stats WHERE image_id = ? ORDER BY layer, head"
    )
    names = ("distance", "entropy", "mass_cls", "mass_patches", "peak")
    expected = np.stack([direct.statistics[name][0].flatten().numpy() for name in names], axis=1)
    np.testing.assert_allclose(np.array(ask(command.db, query, image_id)), expected, rtol=1e-4)


def test_again_on_the_same_folder_computes_only_what_is_new(folder, command):
    command("run", folder, *TINY)
    features = ask(command.db, "SELECT image_id, vector FROM features ORDER BY 1")
    again = command("run", folder, *TINY)
    assert "0 new, 9 already there" in again.out and "nothing to do" in again.out
    save_picture(folder / "extra.png", 77)
    third = command("run", folder, *TINY, "--json").counts
    assert (third["new"], third["already"], third["run_id"]) == (1, 9, 1)
    assert ask(command.db, "SELECT image_id, vector FROM features ORDER BY 1")[:9] == features


def test_a_changed_file_is_read_again_under_its_id(folder, command):
    command("run", folder, *TINY)
    before = ask(command.db, "SELECT image_id, sha256 FROM images WHERE path = 'p0.jpg'")
    old = ask(command.db, "SELECT vector FROM features WHERE image_id = ?", before[0][0])
    save_picture(folder / "p0.jpg", 1234, (100, 60))
    counts = command("run", folder, *TINY, "--json").counts
    assert (counts["new"], counts["already"]) == (1, 8)
    after = ask(command.db, "SELECT image_id, sha256 FROM images WHERE path = 'p0.jpg'")
    assert after[0][0] == before[0][0] and after[0][1] != before[0][1]
    assert ask(command.db, "SELECT vector FROM features WHERE image_id = ?", before[0][0]) != old
    assert ask(command.db, "SELECT count(*) FROM features") == [(9,)]
    assert ask(command.db, "SELECT count(*) FROM attention") == [(81,)]


def test_a_corrected_table_changes_metadata_and_nothing_else(folder, command):
    command("run", folder, *TINY)
    table = folder / "metadata.csv"
    table.write_text(table.read_text().replace("Picture 3", "The Third"))
    assert command("run", folder, *TINY, "--json").counts["new"] == 0
    assert ask(command.db, "SELECT title FROM catalogue WHERE path = 'inner/p3.png'") == [("The Third",)]


def test_bad_files_become_failures_and_the_rest_goes_on(folder, command):
    good = (folder / "p0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(good[: len(good) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("I am no picture")
    counts = command("run", folder, *TINY, "--json").counts
    assert (counts["new"], counts["failed"]) == (9, 3)
    rows = dict(ask(command.db, "SELECT path, error FROM failures"))
    assert set(rows) == {"cut.jpg", "empty.png", "text.jpg"} and all(rows.values())
    assert ask(command.db, "SELECT count(*) FROM images") == [(9,)]
    # Mended, it is taken in and its failure forgotten.
    shutil.copy(folder / "p0.jpg", folder / "cut.jpg")
    counts = command("run", folder, *TINY, "--json").counts
    assert (counts["new"], counts["failed"]) == (1, 2)
    assert {path for (path,) in ask(command.db, "SELECT path FROM failures")} == {"empty.png", "text.jpg"}


def test_a_folder_with_nothing_but_bad_files_has_failed(tmp_path, command):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.jpg").write_text("no")
    result = command("run", folder, *TINY)
    assert result.code == 1 and "1 failed" in result.out


def test_a_file_that_may_not_be_read(folder, command, monkeypatch):
    """Simulated, since whoever runs the tests as root may read everything."""
    real = Path.read_bytes

    def forbidden(path):
        if path.name == "p0.jpg":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert command("run", folder, *TINY, "--json").counts["failed"] == 1
    assert "permission" in ask(command.db, "SELECT error FROM failures")[0][0]


def test_features_alone(folder, command):
    assert command("run", folder, *TINY, "--methods", "none").code == 0
    assert ask(command.db, "SELECT (SELECT count(*) FROM features), (SELECT count(*) FROM attention)") == [(9, 0)]
    # Asking for maps afterwards adds them to the same run.
    counts = command("explain", "--methods", "rollout", "--json").counts
    assert (counts["run_id"], counts["new"], counts["methods"]) == (1, 9, ["rollout"])
    assert ask(command.db, "SELECT DISTINCT method FROM attention") == [("rollout",)]
    assert command("explain", "--methods", "rollout", "--json").counts["new"] == 0


def test_scan_then_embed_then_explain(folder, command):
    assert command("scan", folder, "--json").counts["new"] == 9
    assert ask(command.db, "SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM runs)") == [(9, 0)]
    assert command("embed", "--model", "tiny:vit", "--json").counts["new"] == 9
    assert command("explain", "--json").counts["methods"] == ["cls", "rollout"]
    counts = command("scan", folder, "--json").counts
    expected = {
        "db": str(command.db),
        "collection": "scans",
        "new": 0,
        "already": 9,
        "failed": 0,
        "moved": {},
        "gone": [],
    }
    assert {key: counts[key] for key in expected} == expected


def test_a_network_without_cls_stores_attention_received(folder, command):
    result = command("run", folder, "--model", "tiny:siglip", "--project", "none")
    assert result.code == 0 and "has no CLS token" in result.err
    assert ask(command.db, "SELECT DISTINCT method FROM attention ORDER BY 1") == [("received",), ("rollout",)]
    assert "nothing to do" in command("run", folder, "--model", "tiny:siglip", "--project", "none").out


def test_two_models_are_two_runs_over_the_same_images(folder, command):
    command("run", folder, *TINY)
    command("run", folder, "--model", "tiny:dinov3", "--project", "none")
    assert ask(command.db, "SELECT backbone, prefix_tokens FROM runs ORDER BY run_id") == [("tiny:dinov2", 1), ("tiny:dinov3", 5)]  # fmt: skip
    assert ask(command.db, "SELECT count(*) FROM images") == [(9,)]
    # auto goes on with the newest
    assert command("run", folder, "--project", "none", "--json").counts["model"] == "tiny:dinov3"


def test_size_changes_the_grid(folder, command):
    assert command("run", folder, *TINY, "--size", "84").code == 0
    assert ask(command.db, "SELECT DISTINCT rows, cols FROM frames") == [(6, 6)]
    wrong = command("run", folder, *TINY, "--size", "85")
    assert wrong.code == 2 and "84 would be" in wrong.err


def test_weights_from_a_file_are_stored_with_the_run(folder, command, tmp_path):
    import timm

    torch.manual_seed(1)
    file = tmp_path / "mine.pth"
    torch.save({"teacher": timm.create_model("deit_tiny_patch16_224", num_classes=0).state_dict()}, file)
    assert (
        command("run", folder, "--model", "deit-tiny", "--weights", file, "--limit", "2", "--project", "none").code == 0
    )
    ((settings,),) = ask(command.db, "SELECT settings FROM runs")
    assert json.loads(settings)["weights"] == str(file)
    # auto comes back to the same weights, and to the same run
    assert command("run", folder, "--limit", "2", "--project", "none", "--json").counts["run_id"] == 1


def test_limit_and_a_single_file(folder, command):
    assert command("run", folder, *TINY, "--limit", "3", "--json").counts["new"] == 3
    assert command("run", folder / "p8.jpg", *TINY, "--json").counts["new"] == 1


def test_the_same_name_from_another_folder_is_asked_about(folder, command, tmp_path):
    command("run", folder, *TINY)
    other = tmp_path / "elsewhere" / "scans"
    shutil.copytree(folder, other)
    result = command("run", other, *TINY)
    assert result.code == 2 and "--collection NAME" in result.err
    assert command("run", other, *TINY, "--collection", "second", "--json").counts["new"] == 9
    # A folder that has moved goes on as the same collection.
    moved = tmp_path / "moved" / "scans"
    moved.parent.mkdir()
    folder.rename(moved)
    assert command("run", moved, *TINY, "--json").counts["new"] == 0
    rows = ask(command.db, "SELECT collection, count(*) FROM images GROUP BY 1 ORDER BY 1")
    assert rows == [("scans", 9), ("second", 9)]


def test_memory_that_does_not_suffice_halves_the_batch(folder, command, monkeypatch):
    from ingest.vision import explaining

    sizes, real = [], explaining.explain_pictures

    def short_of_memory(backbone, batch, *rest):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(backbone, batch, *rest)

    monkeypatch.setattr(explaining, "explain_pictures", short_of_memory)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    assert command("run", folder, *TINY, "--batch-size", "8", "--json").counts["new"] == 9
    assert sizes[:4] == [8, 4, 2, 2]
    assert ask(command.db, "SELECT count(*) FROM features") == [(9,)]


def test_chunks_are_committed_on_the_way(folder, command, monkeypatch):
    """Whatever ends the run in the middle, the chunks before stay, and the next run does the rest."""
    from ingest.vision import explaining

    monkeypatch.setattr(pipeline, "CHUNK_IMAGES", 2)
    calls, real = [], explaining.explain_pictures

    def fails_at_the_fourth(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise OSError("the graphics driver went away")
        return real(*arguments)

    monkeypatch.setattr(explaining, "explain_pictures", fails_at_the_fourth)
    result = command("run", folder, *TINY, "--batch-size", "2")
    assert result.code == 1 and "the graphics driver went away" in result.err and "Traceback" not in result.err
    assert ask(command.db, "SELECT count(*) FROM features") == [(6,)]
    monkeypatch.setattr(explaining, "explain_pictures", real)
    assert command("run", folder, *TINY, "--json").counts["new"] == 3
    assert ask(command.db, "SELECT count(DISTINCT image_id), count(*) FROM features") == [(9, 9)]
