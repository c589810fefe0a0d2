"""What the command line says: at once, in good English, and what to type next."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ingest.cli import main, plain
from store.counts import counted

BEGINS = """
import sys, click
def echo(text, **how):
    loaded = {"torch", "duckdb", "numpy", "PIL", "pandas"} & set(sys.modules)
    print(text, loaded, how); sys.stdout.flush(); import os; os._exit(7)
click.echo = echo
from ingest.cli import main
main(["run", "nowhere", "--json"])
"""


def test_the_first_line_comes_before_any_library_is_loaded_and_not_where_json_goes():
    done = subprocess.run([sys.executable, "-c", BEGINS], cwd=plain.ROOT, capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert done.stdout.strip() == "listing the pictures of nowhere … set() {'err': True}"


@pytest.mark.parametrize(
    ("number", "noun", "sentence"),
    [
        (1, "picture", "1 picture"),
        (0, "picture", "0 pictures"),
        (2000, "patch", "2,000 patches"),
        (2, "entry", "2 entries"),
    ],
)
def test_counts(number, noun, sentence):
    assert counted(number, noun) == sentence


def test_the_last_line_says_what_to_type_next(command, folder):
    result = command("run", folder, "--model", "tiny:vit", "--project", "none", "--limit", "1")
    last = result.out.strip().splitlines()[-1]
    assert last.endswith(f"see it with: {plain.dashboard_command(Path(last.partition('→ ')[2].partition(' ·')[0]))}")
    counts = command("run", folder, "--model", "tiny:vit", "--project", "none", "--limit", "1", "--json").counts
    assert "dashboard" in counts["next"]
    lines = " ".join([result.out, result.err, command("status").out])
    assert not re.search(r"(?<![\d.])1 (pictures|images|failures|maps|heads|layers)\b(?!/)", lines), lines
    assert "1 picture " in lines and "1 image" in lines


@pytest.mark.parametrize(
    ("at_home", "make", "db", "sentence"),
    [
        (True, True, "bilderatlas.duckdb", "make dashboard"),
        (True, True, "my own.duckdb", "make dashboard DB='my own.duckdb'"),
        (True, False, "bilderatlas.duckdb", "streamlit run dashboard/app.py"),
        (True, True, "a$b.duckdb", "BILDERATLAS_DB='{db}' streamlit run dashboard/app.py"),
        (False, True, "a.duckdb", "cd {root} && BILDERATLAS_DB={db} streamlit run dashboard/app.py"),
    ],
)
def test_the_command_fits_what_there_is(monkeypatch, tmp_path, at_home, make, db, sentence):
    monkeypatch.delenv("BILDERATLAS_DB", raising=False)
    monkeypatch.chdir(plain.ROOT if at_home else tmp_path)
    monkeypatch.setattr(plain.shutil, "which", lambda name: None if name == "make" and not make else f"/bin/{name}")
    assert plain.dashboard_command(Path(db)) == sentence.format(db=Path(db).absolute(), root=plain.ROOT)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_explains_itself_in_sentences(name):
    text = CliRunner().invoke(main, [name, "--help"]).output
    assert main.commands[name].help.strip().endswith(".") and "Usage:" in text
    for option in main.commands[name].params:
        assert isinstance(option, click.Argument) or option.help, f"{name} does not explain {option.opts[-1]}"
