-- How the tables were read that describe a collection's pictures, and what each said of a picture. So a row that is
-- deleted from a table takes its values along, and what others have said stays.
CREATE TABLE table_reading (
    collection_id BIGINT NOT NULL,
    source VARCHAR NOT NULL,
    read_at TIMESTAMP NOT NULL,
    reading JSON NOT NULL
);

-- In the order in which they were read: the last has the last word. Position 0, without a source, holds what was known
-- of the picture otherwise and is hidden by a table. Pictures go by name, since tables are read before pictures are.
CREATE TABLE table_row (
    collection_id BIGINT NOT NULL,
    path VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    cells JSON NOT NULL
);

CREATE VIEW table_readings AS
SELECT c.name AS collection, r.source, r.read_at, r.reading FROM table_reading r JOIN collection c USING (collection_id);
