-- Selections of pictures that people keep by a name, one of each name in a collection.
CREATE TABLE selection (
    selection_id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    note VARCHAR,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE selection_member (selection_id INTEGER NOT NULL, image_id BIGINT NOT NULL);

-- A row for each picture: SELECT image_id FROM selections WHERE name = '...'
CREATE VIEW selections AS
SELECT s.selection_id, c.name AS collection, s.name, s.note, s.created_at, m.image_id
FROM selection s JOIN collection c USING (collection_id) JOIN selection_member m USING (selection_id);
