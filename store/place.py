"""Where the database lies when nobody says. On its own, so that the command line can begin without loading DuckDB."""

import os
from pathlib import Path


def default_path() -> Path:
    """The database in use when none is named: $BILDERATLAS_DB, else bilderatlas.duckdb in the working folder."""
    return Path(os.environ.get("BILDERATLAS_DB") or "bilderatlas.duckdb")
