"""`search`, `words`, `vocabulary` and `explain --target words:…`, on collections whose right answers are planted."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ingest.vision.words import opening
from ingest.vision.words.opening import load_text_tower
from ingest.vision.words.scores import unit
from store import texts, write
from store.connection import reading, writing
from store.records import ImageRecord, Results, Run
from store.vocabularies import vocabularies
from tests.support import ROOT
from tests.support.databases import ask

TERMS = ("a boat", "a tree", "ein Pferd", "שלום", "🚢")


def planted(path: Path, key: str = "tiny:siglip", **settings) -> np.ndarray:
    """A run with ten pictures, of which i and i + 5 are near to TERMS[i], the first nearer. Returns the vectors."""
    tower = load_text_tower(key)
    noise = np.random.default_rng(0).normal(size=(10, tower.dim))
    near = tower.encode(TERMS * 2) + np.repeat([0.01, 0.05], 5)[:, None] * noise
    facts = {"model": key, "feature_space": "joint", "title": key} | settings
    with writing(path) as con:
        collection = write.add_collection(con, "planted", "/nowhere")
        records = [
            ImageRecord(
                f"{i}.jpg", f"{i}", 10, 10, 1, 0.0, {"title": f"{TERMS[i % 5]} {i}", "year": 1900 + i}, b"", 1, 1
            )
            for i in range(10)
        ]
        ids = write.add_images(con, collection, records)
        run = write.add_run(con, collection, Run(key, "w", 1, 1, tower.dim, 14, 0, "crop", 56, facts, {}))
        write.add_results(con, run, Results(np.array([ids[r.path] for r in records]), unit(near)))
    return unit(near)


@pytest.fixture
def found(command):
    command.vectors = planted(command.db)
    return command


def test_the_planted_pictures_come_first(found):
    tower = load_text_tower("tiny:siglip")
    for place, words in enumerate(TERMS):
        result = found("search", words, "--k", "2", "--json")
        rows = result.counts["images"]
        assert [row["path"] for row in rows] == [f"{place}.jpg", f"{place + 5}.jpg"]
        assert [row["rank"] for row in rows] == [1, 2] and rows[0]["title"] == f"{words} {place}"
        cosine = float(found.vectors[place] @ tower.encode([words])[0])
        assert rows[0]["score"] == pytest.approx(cosine, abs=1e-4)
        assert rows[0]["probability"] == pytest.approx(1 / (1 + np.exp(-(20 * cosine - 4))), abs=1e-3)


def test_words_that_pictures_shall_be_unlike_conditions_and_tables(found):
    plain = found("search", "a boat", "--k", "10", "--json").counts["images"]
    minus = found("search", "a boat", "--minus", "a tree", "--minus", "🚢", "--k", "10", "--json").counts["images"]
    tower = load_text_tower("tiny:siglip")
    vectors = tower.encode(["a boat", "a tree", "🚢"]).astype(float)
    direction = vectors[0] - vectors[1:].mean(axis=0)
    expected = found.vectors @ (direction / np.linalg.norm(direction))
    assert [row["path"] for row in minus] == [f"{i}.jpg" for i in np.argsort(-expected)]
    assert [row["path"] for row in plain] != [row["path"] for row in minus]
    assert "probability" in plain[0] and "probability" not in minus[0]
    some = found("search", "a boat", "--where", "year >= 1905", "--json").counts["images"]
    assert [row["path"] for row in some] == [row["path"] for row in plain if int(row["path"][0]) >= 5]
    rows = list(csv.DictReader(io.StringIO(found("search", "a boat", "--csv", "--k", "2").out)))
    assert [row["path"] for row in rows] == ["0.jpg", "5.jpg"] and list(rows[0])[:3] == ["rank", "image_id", "score"]
    table = found("search", " a boat\t", "--k", "1").out.splitlines()
    assert table[0].split() == ["rank", "image_id", "score", "probability", "path", "title"] and "0.jpg" in table[1]
    wrong = found("search", "a boat", "--where", "no such thing")
    assert wrong.code == 2 and "--where" in wrong.err


@pytest.mark.parametrize("words, says", [("", "no words in an empty text"), ("  ", "no words in an empty text")])
def test_empty_words_are_refused(found, words, says):
    result = found("search", words)
    assert result.code == 2 and says in result.err and "Traceback" not in result.err
    result = found("search", "a boat", "--minus", "a boat")
    assert result.code == 2 and "nothing is left to search for" in result.err


def test_of_clip_the_percentile_and_neutral_texts_are_told(command):
    planted(command.db, "tiny:clip")
    (row,) = command("search", "a boat", "--k", "1", "--json").counts["images"]
    assert row["path"] == "0.jpg" and row["percentile"] == 95 and 0 <= row["against_neutral"] <= 1
    tower = load_text_tower("tiny:clip")
    assert tower.logit_bias is None and "probability" not in row


def test_asked_texts_are_stored_and_need_no_network_again(found, monkeypatch):
    first = found("search", "a boat", "--json").counts
    # on a machine without the network
    monkeypatch.setattr(opening, "SHARED", {})
    assert found("search", "a boat", "--json").counts == first
    nearest = ask(found.db, "SELECT image_id FROM nearest_text(1, 'a boat', 2)")
    assert [row["image_id"] for row in first["images"][:2]] == [image for (image,) in nearest]
    other = found("search", "a tree")
    assert other.code == 2 and other.err.strip().endswith("python -m ingest run FOLDER --model siglip2-base")


def test_texts_of_a_file(found, tmp_path):
    lines = tmp_path / "texts.txt"
    lines.write_text("a boat\n\n ein Boot auf dem Meer \na boat\n", encoding="utf-8")
    counts = found("words", lines, "--json").counts
    assert (counts["texts"], counts["new"]) == (2, 2)
    table = tmp_path / "texts.csv"
    table.write_text(f'id;Text\n1;"a boat; a tree"\n2;a boat\n3;{"the sea " * 40}\n', encoding="cp1252")
    result = found("words", table)
    assert "3 texts, 2 new" in result.out and "its end has no say" in result.err
    stored = ask(found.db, "SELECT text, model, cut FROM texts WHERE run_id = 1 ORDER BY created_at, text")
    assert [row[0][:25] for row in stored] == [
        "a boat",
        "ein Boot auf dem Meer",
        "a boat; a tree",
        "the sea the sea the sea t",
    ]
    assert [row[1:] for row in stored] == [("tiny:siglip", False)] * 3 + [("tiny:siglip", True)]
    for name, content, says in (
        ("no.csv", "a,b\n1,2\n", "needs a column called text"),
        ("no.txt", "\n", "holds no text"),
    ):
        (tmp_path / name).write_text(content)
        wrong = found("words", tmp_path / name)
        assert wrong.code == 2 and says in wrong.err
    assert found("words", tmp_path / "nowhere.txt").code == 2


def test_a_vocabulary_labels_the_planted_pictures(found, tmp_path, monkeypatch):
    file = tmp_path / "motifs.csv"
    file.write_text("term,prompt,parent\nboat,a boat,vehicle\ntree,a tree,\nboat,,\nhorse,ein Pferd,\n,,\n", "utf-8")
    result = found("vocabulary", file, "--json")
    counts = result.counts
    assert (counts["terms"], counts["pictures"], counts["labels"], counts["vocabulary"]) == (3, 10, 30, "motifs")
    assert "1 of the terms of motifs.csv are repeated" in result.err
    best = ask(found.db, "SELECT path, term FROM labels JOIN images USING (image_id) WHERE rank = 1 ORDER BY path")
    right = {0: "boat", 1: "tree", 2: "horse"}
    assert {path: term for path, term in best if int(path[0]) % 5 in right} == {
        f"{i}.jpg": right[i % 5] for i in range(10) if i % 5 in right
    }
    (score,) = ask(found.db, "SELECT score FROM labels WHERE image_id = 1 AND term = 'boat'")[0]
    assert score == pytest.approx(
        float(found.vectors[0] @ load_text_tower("tiny:siglip").encode(["a boat"])[0]), abs=1e-5
    )
    # Again over the same run: the terms need not be read anew, and a term less is a term less.
    monkeypatch.setattr(opening, "SHARED", {})
    file.write_text("term,prompt\nboat,a boat\nhorse,ein Pferd\n")
    assert found("vocabulary", file, "--json").counts["labels"] == 20
    with reading(found.db) as con:
        (stored,) = vocabularies(con)
    assert [term.term for term in stored.terms] == ["boat", "horse"] and stored.prompts == ("a picture of {}",)
    assert stored.settings["logit_scale"] == pytest.approx(20) and stored.settings["kept"] == "all scores"


def test_the_terms_of_another_file_are_replaced_only_on_request(found, tmp_path):
    first, second = tmp_path / "my v.txt", tmp_path / "my v.csv"
    first.write_text("boat\ntree\n")
    second.write_text("term\nhorse\nboat\n")
    assert found("vocabulary", first).code == 0
    refused = found("vocabulary", second)
    assert refused.code == 2 and "has a vocabulary my v already, of my v.txt" in refused.err
    assert "--name OTHER" in refused.err and "--name 'my v'" in refused.err
    kept = "SELECT term FROM terms WHERE vocabulary = 'my v' ORDER BY term"
    assert ask(found.db, kept) == [("boat",), ("tree",)]
    replaced = found("vocabulary", second, "--name", "my v")
    assert replaced.code == 0 and "my v is replaced: 1 term of before not in my v.csv" in replaced.err
    assert ask(found.db, kept) == [("boat",), ("horse",)]
    assert found("vocabulary", second).code == 0


def test_an_empty_condition_is_a_sentence(found):
    for where in ("", "  "):
        wrong = found("search", "a boat", "--where", where)
        assert wrong.code == 2 and "leave --where out" in wrong.err


def test_several_prompts_are_pooled_and_recorded(found, tmp_path):
    file = tmp_path / "motifs.txt"
    file.write_text("boat\ntree\n")
    prompts = ["a picture of {}", "{} on a wall"]
    assert found("vocabulary", file, "--name", "mine", "--prompt", prompts[0], "--prompt", prompts[1]).code == 0
    tower = load_text_tower("tiny:siglip")
    mean = tower.encode([prompt.replace("{}", "tree") for prompt in prompts]).astype(float).mean(axis=0)
    expected = found.vectors @ (mean / np.linalg.norm(mean))
    got = ask(found.db, "SELECT score FROM labels WHERE vocabulary = 'mine' AND term = 'tree' ORDER BY image_id")
    np.testing.assert_allclose([score for (score,) in got], expected, atol=1e-5)
    assert ask(found.db, "SELECT prompts FROM vocabularies") == [(prompts,)]
    wrong = found("vocabulary", file, "--prompt", "a picture")
    assert wrong.code == 2 and "needs one {} where the term goes" in wrong.err
    assert ask(found.db, "SELECT count(*) FROM vocabularies") == [(1,)]


def test_a_run_without_words_says_what_to_type(command):
    planted(command.db, feature_space="image")
    result = command("search", "a boat")
    assert result.code == 2 and result.err.strip().endswith("python -m ingest run FOLDER --model siglip2-base")
    planted(command.db)
    planted(command.db, feature_space="image", title="a newer run that cannot be searched")
    assert command("search", "a boat", "--json").counts["run_id"] == 2
    result = command("search", "a boat", "--run", "3")
    assert result.code == 2 and "of a newer run that cannot be searched lie in no space with texts" in result.err
    assert "there is no run 9" in command("search", "a boat", "--run", "9").err


def test_words_are_explained(folder, command):
    command("run", folder, "--model", "tiny:siglip", "--project", "none", "--limit", "3")
    result = command("explain", "--target", "words:a boat", "--images", "1,2", "--json")
    assert result.code == 0 and result.counts["new"] == 2
    maps = ask(command.db, "SELECT DISTINCT image_id, method, target FROM attention WHERE target <> '' ORDER BY 1")
    assert maps == [(1, "daam", "words:a boat"), (2, "daam", "words:a boat")]
    assert command("explain", "--target", "words: a boat ", "--images", "1,2", "--json").counts["new"] == 0
    with reading(command.db) as con:
        assert list(texts.texts(con, 1)) == ["a boat"]


@pytest.mark.parametrize("key, new", [("tiny:clip", True), ("tiny:siglip", False)])
def test_a_run_of_an_older_version_keeps_its_feature(folder, command, monkeypatch, key, new):
    """CLIP's feature was taken before the projection: a new run is made, and it is said; SigLIP's is the same."""
    from ingest import models
    from ingest.vision import backbones

    def older(*arguments, **more):
        return backbones.load(*arguments, **{**more, "joint": False})

    monkeypatch.setattr(models, "load", older)
    command("run", folder, "--model", key, "--project", "none", "--limit", "2")
    monkeypatch.undo()
    ((settings,),) = ask(command.db, "SELECT settings FROM runs")
    settings = {name: value for name, value in json.loads(settings).items() if name != "feature_space"}
    with writing(command.db) as con:
        con.execute("UPDATE run SET settings = ?", [json.dumps(settings)])
    before = ask(command.db, "SELECT * FROM features")
    result = command("run", folder, "--project", "none", "--json")
    assert ("before its projection, which cannot be searched by words, so this is a new run" in result.err) == new
    assert result.counts["run_id"] == (2 if new else 1)
    assert ask(command.db, "SELECT * FROM features WHERE run_id = 1 AND image_id <= 2") == before
    # What goes on with the old run has its feature.
    assert command("explain", "--run", "1", "--methods", "received", "--json").counts["run_id"] == 1
    dims = ask(command.db, "SELECT DISTINCT run_id, len(vector) FROM features ORDER BY 1")
    assert dims == ([(1, 32), (2, 24)] if new else [(1, 32)])
    assert command("search", "a boat", "--json").counts["run_id"] == result.counts["run_id"]


def test_what_is_stored_is_searched_without_torch(found):
    assert found("search", "a boat", "--k", "1").code == 0
    child = (
        "import sys; from ingest.cli import main\n"
        f"main(['search', 'a boat', '--k', '1', '--db', {str(found.db)!r}], standalone_mode=False)\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", child], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "0.jpg" in done.stdout, done.stderr
