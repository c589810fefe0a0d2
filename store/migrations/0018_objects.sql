-- Objects that a method without training proposes, with fixed settings: a run of its own kind, whose number no run of the
-- tables `run` and `patch_run` has.
CREATE TABLE object_run (
    run_id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    weights_sha256 VARCHAR NOT NULL,
    settings JSON NOT NULL,
    versions JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- Each picture that was searched, also where nothing was found: x0, y0, x1, y1 is the part of the upright original that
-- the grid of rows × cols patches lies over, in its pixels.
CREATE TABLE object_frame (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    x0 DOUBLE NOT NULL,
    y0 DOUBLE NOT NULL,
    x1 DOUBLE NOT NULL,
    y1 DOUBLE NOT NULL,
    rows SMALLINT NOT NULL,
    cols SMALLINT NOT NULL
);

-- rank: from 1, in the order in which they were found; the box in pixels of the upright original. score: the mean cosine
-- of the keys of the object's patches with each other minus that with all other patches. area: its share of the picture's
-- patches. `cells` are its patches, `seed` the one that it began with, counted from 0 in reading order.
CREATE TABLE proposed_object (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    rank INTEGER NOT NULL,
    x0 INTEGER NOT NULL,
    y0 INTEGER NOT NULL,
    x1 INTEGER NOT NULL,
    y1 INTEGER NOT NULL,
    score FLOAT NOT NULL,
    area FLOAT NOT NULL,
    seed INTEGER NOT NULL,
    cells INTEGER[] NOT NULL
);

CREATE TABLE proposed_object_thumbnail (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    rank INTEGER NOT NULL,
    width SMALLINT NOT NULL,
    height SMALLINT NOT NULL,
    data BLOB NOT NULL
);

CREATE VIEW object_runs AS
SELECT r.run_id, c.name AS collection, r.method, r.title, r.model, r.weights_sha256, r.settings, r.versions, r.created_at
FROM object_run r JOIN collection c USING (collection_id);

CREATE VIEW objects AS
SELECT o.run_id, o.image_id, r.method, o.rank, o.x0, o.y0, o.x1, o.y1, o.score, o.area
FROM proposed_object o JOIN object_run r USING (run_id);

CREATE VIEW object_cells AS SELECT run_id, image_id, rank, seed, cells FROM proposed_object;

CREATE VIEW object_frames AS SELECT run_id, image_id, x0, y0, x1, y1, rows, cols FROM object_frame;
