"""The database: one DuckDB file, and the only code of Bilderatlas that knows SQL."""
