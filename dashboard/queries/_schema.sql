SELECT 'view' AS kind, c.table_name AS name, c.column_name AS part, c.data_type AS type
FROM duckdb_columns() c
JOIN duckdb_views() v ON v.view_oid = c.table_oid
WHERE NOT v.internal
UNION ALL
SELECT 'macro', function_name, array_to_string(parameters, ', '), 'table'
FROM duckdb_functions()
WHERE function_type = 'table_macro' AND NOT internal
ORDER BY 1 DESC, 2
