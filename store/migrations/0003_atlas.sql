-- The pictures of a collection made small, many to a page, for the map. `pictures` names what was drawn, so that another
-- atlas is made only when that has changed; `version` names this very atlas, so that browsers can keep its pages.
CREATE TABLE atlas (
    atlas_id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    pictures VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- Where each picture lies: cells are counted from 0, row by row, page by page.
CREATE TABLE atlas_place (atlas_id INTEGER NOT NULL, place INTEGER NOT NULL, image_id BIGINT NOT NULL);

-- One number for atlas, cell (the side of a picture on the page, in pixels) and page, as store/atlas.py makes it: by an
-- index DuckDB fetches one row; without it, it would read 2,048 of them, pages of a megabyte each.
CREATE TABLE atlas_page (page_id BIGINT PRIMARY KEY, jpeg BLOB NOT NULL);
