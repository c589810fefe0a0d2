-- Files that could not be read
SELECT collection, path, stage, error, "at"
FROM failures
ORDER BY "at" DESC
