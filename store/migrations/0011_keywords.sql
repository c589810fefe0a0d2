-- How the text of a column is divided where each of its values may be several: ';', '|', or 'json' for JSON lists; NULL
-- where it is one value. store/keywords.py decides it and builds the view, as store/catalogue.py builds `catalogue`.
ALTER TABLE catalogue_column ADD COLUMN separator VARCHAR;

-- One row for each part of the columns that are lists: `SELECT value, count(*) FROM keywords WHERE key = 'subject' GROUP BY 1`.
CREATE VIEW keywords AS SELECT image_id, path AS key, path AS value FROM image WHERE false;
