-- Maps that are nearly even need their codes between their least and their greatest weight. The maps of before have 0
-- for the least, as ever: what they decode to does not change.
-- weight = minimum + scale * (code / 255)^2, row by row of the grid: see store/companding.py.
ALTER TABLE stored_map ADD COLUMN minimum FLOAT DEFAULT 0;

CREATE OR REPLACE VIEW attention AS
SELECT run_id, image_id, method, target, layer, head, rows, cols,
    list_transform(codes, lambda q: (minimum + scale * (q / 255.0) * (q / 255.0))::FLOAT) AS weights
FROM stored_map;

CREATE OR REPLACE MACRO attention_map(run_id, image_id, method, layer, head) AS TABLE
SELECT m.run_id, m.image_id, m.method, m.target, m.layer, m.head, m.rows, m.cols,
    list_transform(m.codes, lambda q: (m.minimum + m.scale * (q / 255.0) * (q / 255.0))::FLOAT) AS weights
FROM stored_map m
WHERE m.run_id = run_id AND m.image_id = image_id AND m.method = method AND m.layer = layer
    AND m.head IS NOT DISTINCT FROM head;

-- The length of a feature before it was brought to length 1; NULL where an older version did not store it.
ALTER TABLE feature ADD COLUMN norm FLOAT;

-- Methods that accumulate: a block's map is what it adds, and their picture of a block is the sum of all blocks up to it.
-- `attention` has the blocks alone, this view the sums. The registry of methods says which these are
-- (ingest/vision/attention, `accumulates`); a test holds the two to each other.
CREATE VIEW attention_accumulated AS
SELECT run_id, image_id, method, target, layer, head, rows, cols,
    list_transform(
        list_reduce(blocks, lambda a, b: list_transform(list_zip(a, b), lambda pair: pair[1] + pair[2])),
        lambda weight: weight::FLOAT
    ) AS weights
FROM (
    SELECT run_id, image_id, method, target, layer, head, rows, cols,
        list(weights::DOUBLE[]) OVER (
            PARTITION BY run_id, image_id, method, target, head, rows, cols ORDER BY layer
        ) AS blocks
    FROM attention WHERE split_part(method, '(', 1) IN ('daam')
);
