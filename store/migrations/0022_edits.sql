-- What people do can be undone: `edit` is the journal, `edit_row` has the rows that each edit took away and put in, as
-- JSON. session: whose edit it is, as a digest; who: the name of the person, '' where it is not known; state: done,
-- undone, or dropped, which is neither undone nor done again. See store/edits.py.
CREATE TABLE edit (
    edit_id BIGINT PRIMARY KEY,
    made_at TIMESTAMP NOT NULL,
    session VARCHAR NOT NULL,
    who VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    state VARCHAR NOT NULL
);

CREATE TABLE edit_row (edit_id BIGINT NOT NULL, table_name VARCHAR NOT NULL, added BOOLEAN NOT NULL, cells JSON NOT NULL);

CREATE VIEW edits AS SELECT edit_id, made_at, who, words, state FROM edit;

-- Pictures that somebody removed from their collection. What is known of them stays until `prune`.
CREATE TABLE removal (image_id BIGINT NOT NULL, who VARCHAR NOT NULL, removed_at TIMESTAMP NOT NULL);

CREATE VIEW removals AS
SELECT r.image_id, c.name AS collection, i.path, r.who, r.removed_at
FROM removal r JOIN image i USING (image_id) JOIN collection c USING (collection_id);

-- Cells of the metadata that somebody corrected, apart from what the tables say. before: what the source said then,
-- after: the right value, null for none.
CREATE TABLE correction (
    image_id BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    before JSON,
    after JSON NOT NULL,
    who VARCHAR NOT NULL,
    made_at TIMESTAMP NOT NULL
);

CREATE VIEW corrections AS
SELECT k.image_id, c.name AS collection, i.path, coalesce(n.name, k.key) AS "column", k.before ->> '$' AS before,
    k.after ->> '$' AS after, i.metadata ->> ('/' || replace(replace(k.key, '~', '~0'), '/', '~1')) AS source_says,
    k.who, k.made_at
FROM correction k JOIN image i USING (image_id) JOIN collection c USING (collection_id)
LEFT JOIN catalogue_column n ON n.key = k.key
WHERE k.image_id NOT IN (SELECT image_id FROM removal);

-- The corrections of a picture as one object, to be merged into its metadata.
CREATE VIEW corrected AS SELECT image_id, json_group_object(key, after) AS cells FROM correction GROUP BY image_id;

CREATE OR REPLACE VIEW images AS
SELECT i.image_id, c.name AS collection, i.path, i.sha256, i.width, i.height,
    CASE WHEN k.cells IS NULL THEN i.metadata ELSE json_merge_patch(i.metadata, k.cells) END AS metadata, i.added_at
FROM image i JOIN collection c USING (collection_id) LEFT JOIN corrected k USING (image_id)
ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW features AS SELECT run_id, image_id, vector FROM feature ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW frames AS
SELECT run_id, image_id, x0, y0, x1, y1, rows, cols FROM frame ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW attention AS
SELECT run_id, image_id, method, target, layer, head, rows, cols,
    list_transform(codes, lambda q: (minimum + scale * (q / 255.0) * (q / 255.0))::FLOAT) AS weights
FROM stored_map ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW head_stats AS
SELECT run_id, image_id, layer, head, distance, distance_share, distance_raw, entropy,
    mass_cls, mass_registers, mass_patches, peak, entropy_mean, effective_patches
FROM head_stat ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW points AS SELECT projection_id, image_id, x, y FROM point ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW tags AS SELECT image_id, tag, note, created_at FROM tag ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW notes AS
SELECT note_id, image_id, note, created_at FROM note ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW selections AS
SELECT s.selection_id, c.name AS collection, s.name, s.note, s.created_at, m.image_id
FROM selection s JOIN collection c USING (collection_id) JOIN selection_member m USING (selection_id)
ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW objects AS
SELECT o.run_id, o.image_id, r.method, o.rank, o.x0, o.y0, o.x1, o.y1, o.score, o.area
FROM proposed_object o JOIN object_run r USING (run_id) ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW patches AS
SELECT run_id, image_id, rank, x0, y0, x1, y1, score FROM selected_patch ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW recurring_details AS
SELECT run_id, group_id, kind, image_id, x0, y0, x1, y1, stage, matches, mirrored,
    count(DISTINCT image_id) OVER (PARTITION BY run_id, group_id) AS pictures
FROM recurring_place ANTI JOIN removal USING (image_id)
QUALIFY count(DISTINCT image_id) OVER (PARTITION BY run_id, group_id) > 1;

CREATE OR REPLACE VIEW evaluation_images AS
SELECT i.evaluation_id, e.run_id, e.truth, i.image_id, t.split, i.method, i.target, i.layer, i.head,
    i.relevance_mass, i.pointing_game, i.relevance_rank, i.auprc, i.best_iou, i.sparseness, t.area, t.boxes
FROM evaluation_image i JOIN evaluation e USING (evaluation_id) JOIN evaluation_truth t USING (evaluation_id, image_id)
ANTI JOIN removal USING (image_id);

CREATE OR REPLACE MACRO nearest(run_id, image_id, k) AS TABLE
SELECT f.image_id, list_cosine_similarity(f.vector, q.vector) AS similarity
FROM feature f, (SELECT s.vector FROM feature s WHERE s.run_id = run_id AND s.image_id = image_id) q
WHERE f.run_id = run_id AND f.image_id <> image_id AND f.image_id NOT IN (SELECT r.image_id FROM removal r)
ORDER BY similarity DESC, f.image_id
LIMIT k;
