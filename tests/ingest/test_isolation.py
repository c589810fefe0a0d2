"""One picture's fault is that picture's; a run is booked with its first pictures; predictions say what they are."""

import numpy as np
import pytest
import torch
import transformers as T
from PIL import Image

from ingest.isolation import PATIENCE, ForEvery, Isolation
from ingest.vision import explaining
from ingest.vision.backbones import load
from ingest.vision.targets import TargetError, make_target
from store.connection import writing
from tests.support.databases import ask

SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=32, patch_size=16)  # fmt: skip
TINY = ("--model", "tiny:vit", "--project", "none")


def saved(folder, model):
    model.save_pretrained(folder)
    T.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return f"hf:{folder}"


@pytest.fixture(scope="module")
def overflowing(tmp_path_factory):
    """A network whose numbers overflow on bright pictures and not on dark ones."""
    torch.manual_seed(0)
    model = T.ViTModel(T.ViTConfig(**SHAPE), add_pooling_layer=False)
    with torch.no_grad():
        model.embeddings.patch_embeddings.projection.weight.normal_(0, 0.01).abs_().mul_(4e18)
    return saved(tmp_path_factory.mktemp("overflows"), model)


def pictures(folder, **levels):
    folder.mkdir(exist_ok=True)
    for name, level in levels.items():
        noise = np.random.default_rng(level).integers(0, 12, (40, 40, 3))
        Image.fromarray((noise + level).clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("size", ["1", "3", "8"])
@pytest.mark.parametrize("methods", ["none", "cls,rollout"])
def test_pictures_whose_numbers_overflow_fail_alone(tmp_path, command, overflowing, size, methods):
    folder = pictures(tmp_path / "p", a=244, b=125, c=244, d=120, e=123, f=244)
    words = ("run", folder, "--model", overflowing, "--project", "none", "--methods", methods, "--batch-size", size)
    result = command(*words, "--json")
    assert (result.code, result.counts["new"], result.counts["failed"]) == (0, 3, 3), result.err
    rows = ask(command.db, "SELECT path, error FROM failures ORDER BY path")
    assert [path for path, _ in rows] == ["a.png", "c.png", "f.png"]
    assert all("the network's numbers overflow at this picture" in error for _, error in rows)
    assert ask(command.db, "SELECT count(*) FROM features") == [(3,)]
    again = command(*words, "--json")
    assert (again.counts["already"], again.counts["failed"], again.counts["run_id"]) == (3, 3, result.counts["run_id"])


def test_where_all_pictures_fail_no_run_is_left_and_auto_stays(tmp_path, command, overflowing):
    dark = pictures(tmp_path / "dark", a=20, b=90)
    first = command("run", dark, *TINY, "--json")
    bright = pictures(tmp_path / "bright", a=244, b=240)
    failed = command("run", bright, "--model", overflowing, "--project", "pca", "--json")
    assert (failed.code, failed.counts["new"], failed.counts["failed"]) == (1, 0, 2)
    assert failed.counts["run_id"] is None and failed.counts["projections"] == []
    assert ask(command.db, "SELECT run_id FROM runs") == [(first.counts["run_id"],)]
    after = command("run", bright, "--project", "none", "--json")
    assert (after.counts["model"], after.counts["new"]) == ("tiny:vit", 2)


@pytest.mark.parametrize("error", [RuntimeError("it broke"), ValueError("no such thing"), OSError("disk"), KeyError(3)])
def test_a_run_that_fails_at_its_first_picture_leaves_nothing_behind(tmp_path, command, monkeypatch, error):
    def failing(*_):
        raise error

    folder = pictures(tmp_path / "p", a=20, b=90, c=150)
    monkeypatch.setattr(explaining, "explain_pictures", failing)
    result = command("run", folder, *TINY)
    assert result.code != 0 and str(error) in result.err
    assert ask(command.db, "SELECT count(*) FROM runs") == [(0,)]


def test_auto_passes_over_empty_runs_that_older_versions_left(tmp_path, command):
    folder = pictures(tmp_path / "p", a=20, b=90)
    command("run", folder, *TINY, "--fit", "pad")
    with writing(command.db) as con:
        con.execute("INSERT INTO run SELECT * REPLACE (9 AS run_id, 'tiny:siglip' AS backbone, 'crop' AS fit, '{\"model\": \"tiny:siglip\"}' AS settings) FROM run")  # fmt: skip
    again = command("run", folder, "--project", "none", "--json")
    assert (again.counts["model"], again.counts["already"], again.counts["run_id"]) == ("tiny:vit", 2, 1)


def test_a_run_of_before_is_gone_on_with_though_it_says_less(tmp_path, command):
    folder = pictures(tmp_path / "p", a=20, b=90)
    command("run", folder, *TINY)
    with writing(command.db) as con:
        con.execute("""UPDATE run SET settings = json_merge_patch(settings, '{"positions": null, "note": "other", "input": {"model": null, "rescale": null}}')""")  # fmt: skip
    pictures(folder, c=200)
    again = command("run", folder, *TINY, "--json")
    assert (again.counts["new"], again.counts["already"], again.counts["run_id"]) == (1, 2, 1)
    told = command("explain", "--target", "neighbours:1", "--json")
    assert (told.counts["run_id"], told.counts["new"]) == (1, 3)
    with writing(command.db) as con:
        con.execute("""UPDATE run SET settings = json_merge_patch(settings, '{"input": {"mean": [0.1, 0.1, 0.1]}}')""")
    other = command("run", folder, *TINY, "--json")
    assert (other.counts["new"], other.counts["run_id"]) == (3, 2)
    assert "run 1 prepared its pictures" in other.err and "this is a new run" in other.err
    # Maps that are added to the old run follow its rule.
    kept = command("explain", "--run", "1", "--methods", "received", "--json")
    assert (kept.counts["run_id"], kept.counts["new"]) == (1, 3)


def test_a_fit_of_before_stays_and_the_usual_one_is_told(tmp_path, command):
    model = saved(tmp_path / "net", T.ViTModel(T.ViTConfig(**SHAPE), add_pooling_layer=False))
    folder = pictures(tmp_path / "p", a=20)
    words = ("run", folder, "--model", model, "--project", "none", "--methods", "none", "--json")
    assert "fit model: the whole picture squeezed to 32 × 32 pixels" in command(*words).err
    assert command(*words, "--fit", "crop").code == 0
    again = command(*words)
    assert "the fit is crop, as in run 2; --fit model would be the usual one" in again.err
    assert ask(command.db, "SELECT run_id, fit FROM runs ORDER BY 1") == [(1, "model"), (2, "crop")]


# ---- what isolation promises, without any network --------------------------------------------------------------------


def passed(observe, batches, worked=False):
    isolation = Isolation(observe, lambda picture, reason: (picture, reason), worked)
    return [each for batch in batches for each in isolation.batch(batch)] + list(isolation.end())


@pytest.mark.parametrize("bad", [set(), {0}, {3}, {2, 3, 4}, {0, 1, 2, 3}, {7}])
def test_the_others_of_a_batch_go_through(bad):
    def observe(pictures):
        if bad & set(pictures):
            raise RuntimeError("odd")
        return [list(pictures)]

    found = passed(observe, [[0, 1, 2], [3, 4, 5], [6, 7]])
    done = sorted(n for each in found if isinstance(each, list) for n in each)
    assert done == sorted(set(range(8)) - bad)
    assert {each for each in found if isinstance(each, tuple)} == {(n, "RuntimeError: odd") for n in bad}


@pytest.mark.parametrize(
    ("error", "worked", "tried"),
    [
        (RuntimeError("always"), False, PATIENCE),
        (RuntimeError("always"), True, PATIENCE),
        (ValueError("words"), False, 4),
        (MemoryError(), True, 0),
        (OSError("disk"), True, 0),
        (ForEvery("known"), True, 0),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True, 0),
    ],
)
def test_what_holds_for_every_picture_is_raised_soon(error, worked, tried):
    alone = []

    def observe(pictures):
        if len(pictures) == 1:
            alone.append(pictures[0])
        raise error

    with pytest.raises(type(error)):
        passed(observe, [list(range(n, n + 4)) for n in range(0, 400, 4)], worked)
    assert len(alone) == tried


def test_a_few_pictures_that_all_fail_raise_unless_others_have_been_through():
    def observe(pictures):
        raise RuntimeError("odd")

    with pytest.raises(RuntimeError):
        passed(observe, [[1, 2]])
    assert passed(observe, [[1, 2]], worked=True) == [(1, "RuntimeError: odd"), (2, "RuntimeError: odd")]


# ---- predictions -----------------------------------------------------------------------------------------------------

PROBLEMS = {
    "single": (dict(num_labels=3), "single_label"),
    "multi": (dict(num_labels=4, problem_type="multi_label_classification"), "multi_label"),
    "one": (dict(num_labels=1), "multi_label"),
    "regression": (dict(num_labels=1, problem_type="regression"), "regression"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_predictions_say_what_their_numbers_are(tmp_path, command, name):
    settings, kind = PROBLEMS[name]
    torch.manual_seed(4)
    model = T.ViTForImageClassification(T.ViTConfig(**SHAPE, **settings)).eval()
    with torch.no_grad():
        model.classifier.weight.normal_(0, 0.5)
        model.classifier.bias.fill_(1.7)
    key = saved(tmp_path / "net", model)
    command("run", pictures(tmp_path / "p", a=20, b=150), "--model", key, "--project", "none", "--methods", "none")
    assert command("explain", "--target", "class:predicted").code == 0
    rows = ask(command.db, "SELECT path, class, probability, value, kind FROM predictions JOIN images USING (image_id)")
    processor = T.AutoImageProcessor.from_pretrained(tmp_path / "net")
    for path, number, probability, value, stored in rows:
        inputs = processor(images=Image.open(tmp_path / "p" / path), return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits[0]
        assert stored == kind and number == int(logits.argmax())
        if kind == "regression":
            assert probability is None and value == pytest.approx(float(logits[0]), abs=0.01)
        else:
            shares = logits.softmax(0) if kind == "single_label" else logits.sigmoid()
            assert value is None and probability == pytest.approx(float(shares.max()), abs=0.01)
            assert probability != 1  # which a softmax over one class always is
    assert len(rows) == 2
    maps = ask(command.db, "SELECT DISTINCT target FROM attention WHERE method = 'daam'")
    assert set(maps) == {(f"class:{row[1]}",) for row in rows}


def test_of_several_estimates_one_is_named(tmp_path):
    model = T.ViTForImageClassification(T.ViTConfig(**SHAPE, num_labels=2, problem_type="regression", id2label={0: "age", 1: "size"}))  # fmt: skip
    backbone = load(saved(tmp_path, model))
    with pytest.raises(TargetError, match=r"estimates 2 numbers, none of them likelier; name one: class:0 \(age\)"):
        make_target("class:predicted", backbone)
    batch = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    answer = make_target("class:age", backbone).ask(backbone, backbone.pixels(batch), [None])
    assert (answer.predictions[0].name, answer.predictions[0].probability) == ("age", None)
    assert answer.predictions[0].value == pytest.approx(float(answer.scores[0]))
