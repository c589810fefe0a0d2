-- The codes of a map, eight to a word, the first in its lowest byte and zeros after the last: an eighth as many values,
-- which DuckDB stores in a quarter of the time. Maps of before keep their `codes`, and have no words.
-- weight = minimum + scale * (code / 255)^2, row by row of the grid: see store/companding.py.
ALTER TABLE stored_map ALTER COLUMN codes DROP NOT NULL;
ALTER TABLE stored_map ADD COLUMN words UBIGINT[];

CREATE OR REPLACE VIEW attention AS
SELECT run_id, image_id, method, target, layer, head, rows, cols,
    list_transform(
        coalesce(codes, flatten(list_transform(words, lambda w: [
            w & 255, (w >> 8) & 255, (w >> 16) & 255, (w >> 24) & 255,
            (w >> 32) & 255, (w >> 40) & 255, (w >> 48) & 255, w >> 56
        ]::UTINYINT[]))[1:rows::BIGINT * cols]),
        lambda q: (minimum + scale * (q / 255.0) * (q / 255.0))::FLOAT
    ) AS weights
FROM stored_map ANTI JOIN removal USING (image_id);

CREATE OR REPLACE MACRO attention_map(run_id, image_id, method, layer, head) AS TABLE
SELECT m.run_id, m.image_id, m.method, m.target, m.layer, m.head, m.rows, m.cols,
    list_transform(
        coalesce(m.codes, flatten(list_transform(m.words, lambda w: [
            w & 255, (w >> 8) & 255, (w >> 16) & 255, (w >> 24) & 255,
            (w >> 32) & 255, (w >> 40) & 255, (w >> 48) & 255, w >> 56
        ]::UTINYINT[]))[1:m.rows::BIGINT * m.cols]),
        lambda q: (m.minimum + m.scale * (q / 255.0) * (q / 255.0))::FLOAT
    ) AS weights
FROM stored_map m
WHERE m.run_id = run_id AND m.image_id = image_id AND m.method = method AND m.layer = layer
    AND m.head IS NOT DISTINCT FROM head AND m.image_id NOT IN (SELECT r.image_id FROM removal r);
