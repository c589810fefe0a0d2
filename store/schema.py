"""What a person's SQL can use: the views with their columns, and the table macros with their parameters."""

import duckdb
import pyarrow as pa


def usable(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """kind ('view' or 'macro'), name, parts: each column with its type, or each parameter; views first, by name."""
    return con.sql(
        """
        SELECT 'view' AS kind, v.view_name AS name,
            list(c.column_name || ' ' || c.data_type ORDER BY c.column_index) AS parts
        FROM duckdb_views() v
        JOIN duckdb_columns() c ON c.database_oid = v.database_oid AND c.table_oid = v.view_oid
        WHERE NOT v.internal GROUP BY v.view_name
        UNION ALL
        SELECT 'macro', function_name, parameters FROM duckdb_functions()
        WHERE function_type = 'table_macro' AND NOT internal
        ORDER BY kind DESC, name
        """
    ).to_arrow_table()
