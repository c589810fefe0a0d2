-- Patches of pictures, in which details are searched. How those of a run are made and coded: tokens of block `layer` (from
-- 0) of pictures fitted to `size` pixels; (token - mean) · axes, `dim` numbers, of length 1. Tokens longer than `longest`
-- are outliers. `report` says what was measured on the collection when this was chosen.
CREATE TABLE patch_coding (
    run_id INTEGER PRIMARY KEY,
    layer SMALLINT NOT NULL,
    fit VARCHAR NOT NULL,
    size INTEGER NOT NULL,
    query_size INTEGER NOT NULL,
    dim SMALLINT NOT NULL,
    mean FLOAT[] NOT NULL,
    axes FLOAT[] NOT NULL,
    longest DOUBLE NOT NULL,
    report JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- x0, y0, x1, y1: the part of the upright original that the grid of rows × cols lies over, in its pixels. `codes` holds a
-- signed byte a number, patch after patch in reading order; 127 is `scale`. `left_out` are the cells, from 0, whose patches
-- are outliers or show padding, and are not among the codes.
CREATE TABLE patch_feature (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    x0 DOUBLE NOT NULL,
    y0 DOUBLE NOT NULL,
    x1 DOUBLE NOT NULL,
    y1 DOUBLE NOT NULL,
    rows SMALLINT NOT NULL,
    cols SMALLINT NOT NULL,
    scale FLOAT NOT NULL,
    codes BLOB NOT NULL,
    left_out INTEGER[] NOT NULL
);

CREATE VIEW patch_codings AS
SELECT run_id, layer, fit, size, query_size, dim, longest, report, created_at FROM patch_coding;

CREATE VIEW patch_features AS
SELECT f.run_id, f.image_id, f.x0, f.y0, f.x1, f.y1, f.rows, f.cols, len(f.left_out) AS left_out,
    octet_length(f.codes) AS bytes
FROM patch_feature f;
