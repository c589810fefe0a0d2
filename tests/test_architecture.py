"""Who may import whom: the leaves know nothing of each other, and the dashboard sees of `ingest` only its vision."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("ingest", "store", "dashboard")
FILES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


def imports(file: Path) -> set[str]:
    """Every module that a file names in an import, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide which room is meant"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def inside(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_there_are_files_to_look_at():
    assert len(FILES) > 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(file):
    room = file.relative_to(ROOT)
    for name in imports(file):
        if inside(str(room), "store") or room.parts[0] == "store":
            assert not inside(name, "ingest", "dashboard", "streamlit", "torch", "click"), name
        elif room.parts[:2] == ("ingest", "vision"):
            assert not inside(name, "store", "dashboard", "streamlit", "duckdb", "click"), name
            assert not inside(name, "ingest") or inside(name, "ingest.vision") or name == "ingest", name
        elif room.parts[0] == "ingest":
            assert not inside(name, "dashboard", "streamlit", "duckdb"), name
        else:
            assert not inside(name, "ingest") or inside(name, "ingest.vision") or name == "ingest", name
            assert not inside(name, "duckdb", "click"), name
            if room.parts[1] == "views":
                assert not inside(name, "torch"), name


@pytest.mark.parametrize("file", [f for f in FILES if f.parent.name != "store"], ids=lambda f: str(f.relative_to(ROOT)))
def test_only_the_store_speaks_sql(file):
    """Strings that are SQL statements: outside the store there are none in Python (the SQL page's examples are .sql files)."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.strip().split()
            statement = len(words) > 4 and words[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "WITH")
            assert not statement, f"line {node.lineno}: {node.value[:60]}"


@pytest.mark.parametrize("file", [f for f in FILES if "vision" in f.parts], ids=lambda f: f.name)
def test_vision_writes_no_file(file):
    text = file.read_text()
    for call in (".write_text(", ".write_bytes(", "save_file(", "torch.save(", ".save_pretrained(", ".mkdir("):
        assert call not in text, call
