-- Patches of large pictures, selected by a scorer with fixed settings: a run of its own kind, whose number no run of the
-- table `run` has.
CREATE TABLE patch_run (
    run_id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    scorer VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    weights_sha256 VARCHAR NOT NULL,
    settings JSON NOT NULL,
    versions JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- The grid that a picture was cut into, and the height and width of its patches in pixels.
CREATE TABLE patch_grid (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    rows INTEGER NOT NULL,
    cols INTEGER NOT NULL,
    patch_height INTEGER NOT NULL,
    patch_width INTEGER NOT NULL
);

-- rank: from 1, the best; the box in pixels of the upright original.
CREATE TABLE selected_patch (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    rank INTEGER NOT NULL,
    x0 INTEGER NOT NULL,
    y0 INTEGER NOT NULL,
    x1 INTEGER NOT NULL,
    y1 INTEGER NOT NULL,
    score FLOAT NOT NULL
);

CREATE TABLE selected_patch_vector (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    rank INTEGER NOT NULL,
    vector FLOAT[] NOT NULL
);

CREATE TABLE selected_patch_thumbnail (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    rank INTEGER NOT NULL,
    width SMALLINT NOT NULL,
    height SMALLINT NOT NULL,
    data BLOB NOT NULL
);

-- Patches that others are compared with, L2-normalised; place: which patch of its picture.
CREATE TABLE patch_sample (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    place INTEGER NOT NULL,
    vector FLOAT[] NOT NULL
);

CREATE VIEW patch_runs AS
SELECT r.run_id, c.name AS collection, r.scorer, r.title, r.model, r.weights_sha256, r.settings, r.versions, r.created_at
FROM patch_run r JOIN collection c USING (collection_id);

CREATE VIEW patches AS SELECT run_id, image_id, rank, x0, y0, x1, y1, score FROM selected_patch;

CREATE VIEW patch_vectors AS SELECT run_id, image_id, rank, vector FROM selected_patch_vector;

CREATE VIEW patch_grids AS SELECT run_id, image_id, rows, cols, patch_height, patch_width FROM patch_grid;
