-- Tables have singular names and are ours to change; the views and macros below them are public.
-- Fat columns (thumbnails, vectors, maps) have tables of their own, without indexes: zone maps find a chunk of images.

CREATE TABLE collection (
    collection_id INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    source VARCHAR,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE image (
    image_id BIGINT PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    bytes BIGINT,
    modified DOUBLE,
    metadata JSON NOT NULL,
    added_at TIMESTAMP NOT NULL
);

CREATE TABLE thumbnail (image_id BIGINT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, jpeg BLOB NOT NULL);

-- The columns of the view `catalogue`, one for each metadata key; store/catalogue.py fills it and builds the view.
CREATE TABLE catalogue_column (position INTEGER NOT NULL, key VARCHAR NOT NULL, name VARCHAR NOT NULL, type VARCHAR NOT NULL);

CREATE TABLE run (
    run_id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL,
    backbone VARCHAR NOT NULL,
    weights_sha256 VARCHAR NOT NULL,
    layers INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    prefix_tokens INTEGER NOT NULL,
    fit VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    settings JSON NOT NULL,
    versions JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE feature (run_id INTEGER NOT NULL, image_id BIGINT NOT NULL, vector FLOAT[] NOT NULL);

CREATE TABLE frame (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    x0 DOUBLE NOT NULL,
    y0 DOUBLE NOT NULL,
    x1 DOUBLE NOT NULL,
    y1 DOUBLE NOT NULL,
    rows INTEGER NOT NULL,
    cols INTEGER NOT NULL
);

-- weight = scale * (code / 255)^2, row by row of the grid: see store/companding.py.
CREATE TABLE stored_map (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    method VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    layer SMALLINT NOT NULL,
    head SMALLINT,
    rows SMALLINT NOT NULL,
    cols SMALLINT NOT NULL,
    scale FLOAT NOT NULL,
    codes UTINYINT[] NOT NULL
);

-- distance: pixels of the network's input, patches weighted to sum to 1; distance_share: of the input's diagonal;
-- distance_raw: without that weighting; entropy: nats; mass_*: shares of the CLS row; peak: its largest weight.
CREATE TABLE head_stat (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    layer SMALLINT NOT NULL,
    head SMALLINT NOT NULL,
    distance FLOAT,
    distance_share FLOAT,
    distance_raw FLOAT,
    entropy FLOAT,
    mass_cls FLOAT,
    mass_registers FLOAT,
    mass_patches FLOAT,
    peak FLOAT
);

CREATE TABLE projection (
    projection_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    settings JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE point (projection_id INTEGER NOT NULL, image_id BIGINT NOT NULL, x DOUBLE NOT NULL, y DOUBLE NOT NULL);

CREATE TABLE tag (image_id BIGINT NOT NULL, tag VARCHAR NOT NULL, note VARCHAR, created_at TIMESTAMP NOT NULL);

CREATE TABLE failure (
    collection_id INTEGER NOT NULL,
    path VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    error VARCHAR NOT NULL,
    "at" TIMESTAMP NOT NULL
);

CREATE VIEW images AS
SELECT i.image_id, c.name AS collection, i.path, i.sha256, i.width, i.height, i.metadata, i.added_at
FROM image i JOIN collection c USING (collection_id);

CREATE VIEW catalogue AS
SELECT i.image_id, c.name AS collection, i.path FROM image i JOIN collection c USING (collection_id);

CREATE VIEW runs AS
SELECT r.run_id, c.name AS collection, r.backbone, r.weights_sha256, r.layers, r.heads, r.dim, r.patch, r.prefix_tokens,
    r.fit, r.size, r.settings, r.versions, r.created_at
FROM run r JOIN collection c USING (collection_id);

CREATE VIEW features AS SELECT run_id, image_id, vector FROM feature;

CREATE VIEW frames AS SELECT run_id, image_id, x0, y0, x1, y1, rows, cols FROM frame;

CREATE VIEW attention AS
SELECT run_id, image_id, method, target, layer, head, rows, cols,
    list_transform(codes, lambda q: (scale * (q / 255.0) * (q / 255.0))::FLOAT) AS weights
FROM stored_map;

CREATE VIEW head_stats AS
SELECT run_id, image_id, layer, head, distance, distance_share, distance_raw, entropy,
    mass_cls, mass_registers, mass_patches, peak
FROM head_stat;

CREATE VIEW projections AS SELECT projection_id, run_id, method, settings FROM projection;

CREATE VIEW points AS SELECT projection_id, image_id, x, y FROM point;

CREATE VIEW tags AS SELECT image_id, tag, note, created_at FROM tag;

CREATE VIEW failures AS
SELECT c.name AS collection, f.path, f.stage, f.error, f."at" FROM failure f JOIN collection c USING (collection_id);

-- The k images most like one image, best first, without itself.
CREATE MACRO nearest(run_id, image_id, k) AS TABLE
SELECT f.image_id, list_cosine_similarity(f.vector, q.vector) AS similarity
FROM feature f, (SELECT s.vector FROM feature s WHERE s.run_id = run_id AND s.image_id = image_id) q
WHERE f.run_id = run_id AND f.image_id <> image_id
ORDER BY similarity DESC, f.image_id
LIMIT k;

-- The rows of `attention` for one layer and head; head NULL is that of maps which belong to no head. It reads the table,
-- because inside a macro the unqualified names of the view would be taken for the parameters.
CREATE MACRO attention_map(run_id, image_id, method, layer, head) AS TABLE
SELECT m.run_id, m.image_id, m.method, m.target, m.layer, m.head, m.rows, m.cols,
    list_transform(m.codes, lambda q: (m.scale * (q / 255.0) * (q / 255.0))::FLOAT) AS weights
FROM stored_map m
WHERE m.run_id = run_id AND m.image_id = image_id AND m.method = method AND m.layer = layer
    AND m.head IS NOT DISTINCT FROM head;
