"""Who may import whom: the leaves know nothing of each other, and the dashboard sees of `ingest` only its vision."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("ingest", "store", "dashboard")
FILES = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


LOWEST = {"vision", "errors", "report", "notation", "addresses"}
# What each of these may import of ingest, beside itself.
BELOW = {
    "tables": LOWEST | {"files"},
    "changes": LOWEST | {"tables", "files", "task", "merging", "metadata"},
    "sources": LOWEST
    | {"tables", "files", "task", "merging", "metadata", "changes", "remote_files", "web", "open_picture"},
    "pipeline": LOWEST | {"isolation", "results", "task"},
}


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


def broken(rule, files=FILES) -> list[str]:
    """What a rule has against each file, as `file: complaint`."""
    return [f"{file.relative_to(ROOT)}: {complaint}" for file in files for complaint in rule(file)]


def test_there_are_files_to_look_at():
    assert len(FILES) > 30


def test_the_store_imports_no_other_room():
    unwanted = ("ingest", "dashboard", "streamlit", "torch", "click")
    files = [file for file in FILES if part(file, 0) == "store"]
    assert not broken(lambda file: [name for name in imports(file) if inside(name, *unwanted)], files)


def test_vision_is_a_leaf():
    unwanted = ("store", "dashboard", "streamlit", "duckdb", "click")
    files = [file for file in FILES if part(file, 0, 1) == "ingest/vision"]
    assert not broken(lambda file: [name for name in imports(file) if inside(name, *unwanted)], files)
    assert not broken(beyond_vision, files)


def test_ingest_draws_no_pages_and_speaks_no_sql():
    unwanted = ("dashboard", "streamlit", "duckdb")
    files = [file for file in FILES if part(file, 0) == "ingest"]
    assert not broken(lambda file: [name for name in imports(file) if inside(name, *unwanted)], files)


def test_the_dashboard_sees_of_ingest_only_its_vision():
    files = [file for file in FILES if part(file, 0) == "dashboard"]
    assert not broken(lambda file: [name for name in imports(file) if inside(name, "duckdb", "click")], files)
    assert not broken(beyond_vision, files)


def test_ingest_has_no_circle_of_imports():
    """Neither among modules nor among the modules and folders that lie side by side in a folder."""
    arrows = {name_of(file): arrows_of(file) for file in FILES if part(file, 0) == "ingest"}
    folders = {name.rpartition(".")[0] for name in arrows if "." in name}
    circles = [" → ".join(circle) for folder in sorted(folders) if (circle := circle_in(beside(folder, arrows)))]
    assert not circles, circles


@pytest.mark.parametrize("room", BELOW)
def test_rooms_of_ingest_import_only_downwards(room):
    files = [file for file in FILES if inside(name_of(file), f"ingest.{room}")]
    assert files and not broken(lambda file: sorted(rooms_of(file) - {room} - BELOW[room]), files)


def test_pages_hold_no_torch():
    files = [
        file
        for file in FILES
        if part(file, 0) == "dashboard" and file.stem == file.parent.name and part(file, 1) == "views"
    ]
    assert len(files) > 8
    assert not broken(lambda file: [name for name in imports(file) if inside(name, "torch")], files)


# The floors of the dashboard, from the top: each imports from itself and from what lies below.
FLOORS = ("views", "selection", "components", "state", "drawing", "data", "compute")


def test_the_dashboard_imports_downwards():
    def upwards(file: Path) -> list[str]:
        floor = FLOORS.index(part(file, 1)) if part(file, 1) in FLOORS else -1
        named = [name.split(".") for name in imports(file) if inside(name, "dashboard")]
        return [".".join(name) for name in named if len(name) > 1 and FLOORS.index(name[1]) < floor]

    assert not broken(upwards, [file for file in FILES if part(file, 0) == "dashboard"])


def test_a_page_is_asked_for_by_no_other_page():
    """Probe alone shows its picture as Attention does."""

    def others(file: Path) -> list[str]:
        pages = {
            name.split(".")[2] for name in imports(file) if name.count(".") > 1 and inside(name, "dashboard.views")
        }
        page = file.relative_to(ROOT).parts[2]
        return sorted(pages - {page} - ({"attention"} if page == "probe" else set()))

    assert not broken(others, [file for file in FILES if part(file, 0, 1) == "dashboard/views"])


def test_only_the_data_floor_opens_the_database():
    def opened(file: Path) -> list[str]:
        calls = ("connection.reading(", "connection.writing(")
        return [call for call in calls if call in file.read_text()]

    files = [file for file in FILES if part(file, 0) == "dashboard" and part(file, 1) != "data"]
    assert not broken(opened, files)


def test_ten_names_at_a_level():
    # The pages are a list, in PAGES of navigation; each is a folder of its own.
    folders = {file.parent for file in FILES if part(file, 0) == "dashboard"} - {ROOT / "dashboard" / "views"}
    crowded = {}
    for folder in folders:
        names = {each.name for each in folder.iterdir() if each.is_dir() and (each / "__init__.py").exists()}
        names |= {each.stem for each in folder.glob("*.py")} - {"__init__"}
        if len(names) > 10:
            crowded[str(folder.relative_to(ROOT))] = sorted(names)
    assert not crowded


def test_only_the_store_speaks_sql():
    """Strings that are SQL statements: outside the store there are none in Python (the SQL page's examples are .sql
    files)."""
    assert not broken(statements, [file for file in FILES if file.parent.name != "store"])


def test_vision_writes_no_file():
    calls = (".write_text(", ".write_bytes(", "save_file(", "torch.save(", ".save_pretrained(", ".mkdir(")
    files = [file for file in FILES if "vision" in file.parts]
    assert not broken(lambda file: [call for call in calls if call in file.read_text()], files)


def part(file: Path, *places: int) -> str:
    """Some folders of a file's path, as `ingest/vision`."""
    parts = file.relative_to(ROOT).parts
    return "/".join(parts[place] for place in places)


def name_of(file: Path) -> str:
    """A module as it is imported."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def arrows_of(file: Path) -> set[str]:
    """The modules of this project that a file imports, at its top or inside a function; of a folder its __init__."""
    known, found = {name_of(each) for each in FILES}, set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in names}
    return found & known


def beside(folder: str, arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows among what lies side by side in a folder; what lies deeper counts as the folder that it lies in."""

    def child(name: str) -> str:
        return ".".join(name.split(".")[: folder.count(".") + 2])

    found: dict[str, set[str]] = {}
    for name, others in arrows.items():
        if inside(name, folder):
            found.setdefault(child(name), set()).update(child(each) for each in others if inside(each, folder))
    return {name: others - {name} for name, others in found.items()}


def circle_in(arrows: dict[str, set[str]]) -> list[str]:
    """A circle of arrows, from a name to itself; empty if there is none."""

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        found = next((circle for each in sorted(arrows.get(name, ())) if (circle := walk(each, [*path, name]))), [])
        done.add(name)
        return found

    done: set[str] = set()
    return next((circle for name in sorted(arrows) if (circle := walk(name, []))), [])


def rooms_of(file: Path) -> set[str]:
    """What a file imports of ingest: modules and folders right below it."""
    return {name.split(".")[1] for name in arrows_of(file) if inside(name, "ingest") and "." in name}


def beyond_vision(file: Path) -> list[str]:
    names = [name for name in imports(file) if inside(name, "ingest") and name != "ingest"]
    return [name for name in names if not inside(name, "ingest.vision")]


def statements(file: Path) -> list[str]:
    texts = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
    texts = [(node.lineno, node.value.strip().split()) for node in texts if isinstance(node.value, str)]
    verbs = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "WITH")
    return [f"line {line}: {words[:8]}" for line, words in texts if len(words) > 4 and words[0] in verbs]
