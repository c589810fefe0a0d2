"""The schema, as numbered SQL files applied in order: migrations/0001_first.sql and so on."""

from pathlib import Path

import duckdb

from store import catalogue
from store.errors import DatabaseNewer, DatabaseOlder, NotADatabase
from store.rows import fetch, now, one

FOLDER = Path(__file__).parent / "migrations"
REBUILT = (22,)  # the migrations after which the views of the metadata are made anew


def steps(folder: Path = FOLDER) -> list[tuple[int, Path]]:
    """Every migration as (number, file), in order."""
    return [(int(file.name[:4]), file) for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))]


def apply(con: duckdb.DuckDBPyConnection, path: Path, folder: Path = FOLDER) -> list[int]:
    """Apply what is missing, each migration as one transaction, in a new database all of them; returns their numbers.

    Raises DatabaseNewer, or NotADatabase for a DuckDB file that holds somebody else's tables.
    """
    known, found = steps(folder), _number(con, path)
    _refuse_newer(found, known, path)
    missing = [(number, file) for number, file in known if number > found]
    for together in [[step] for step in missing] if found else [missing]:
        con.begin()
        try:
            con.execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER, name VARCHAR, applied_at TIMESTAMP)")
            for number, file in together:
                con.execute(file.read_text(encoding="utf-8"))
                if folder == FOLDER and number in REBUILT:
                    catalogue.rebuild(con, anew=True)
                con.execute("INSERT INTO migration VALUES (?, ?, ?)", [number, file.stem[5:], now()])
        except BaseException:
            con.rollback()
            raise
        con.commit()
    return [number for number, _ in missing]


def check(con: duckdb.DuckDBPyConnection, path: Path, folder: Path = FOLDER) -> None:
    """Raises DatabaseOlder, DatabaseNewer or NotADatabase unless the schema is exactly this code's."""
    known, found = steps(folder), _number(con, path)
    _refuse_newer(found, known, path)
    if found < known[-1][0]:
        raise DatabaseOlder(
            f"The database {path} has an older layout (migration {found} of {known[-1][0]}). "
            f"Bring it up to date with: python -m ingest migrate --db {path}"
        )


def _number(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The last migration applied; 0 for an empty file."""
    try:
        return one(con, "SELECT coalesce(max(number), 0) FROM migration")[0]
    except duckdb.CatalogException:
        tables = sorted(name for (name,) in fetch(con, "SELECT table_name FROM duckdb_tables()"))
    if tables:
        raise NotADatabase(
            f"{path} is a DuckDB database of something other than Bilderatlas (it holds the tables "
            f"{', '.join(tables[:5])}). Name another file with --db or BILDERATLAS_DB."
        )
    return 0


def _refuse_newer(found: int, known: list[tuple[int, Path]], path: Path) -> None:
    if found > known[-1][0]:
        raise DatabaseNewer(
            f"The database {path} was made by a newer Bilderatlas (its layout has number {found}, this one knows "
            f"{known[-1][0]}). Update Bilderatlas, or name another database with --db."
        )
