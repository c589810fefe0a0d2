-- No view but `removals` names a picture that was removed. (`term_thresholds` says what was known when a threshold was
-- chosen, also of pictures that were removed later.)
CREATE OR REPLACE VIEW labels AS
SELECT v.run_id, s.image_id, v.name AS vocabulary, t.term, s.score, s.rank,
    CASE WHEN h.threshold IS NULL THEN s.rank = 1 ELSE s.score >= h.threshold END AS labelled
FROM term_score s JOIN vocabulary v USING (vocabulary_id) JOIN vocabulary_term t USING (vocabulary_id, position)
LEFT JOIN term_threshold h ON h.run_id = v.run_id AND h.vocabulary = v.name AND h.term = t.term
ANTI JOIN removal ON removal.image_id = s.image_id;

CREATE OR REPLACE VIEW term_marks AS
SELECT run_id, vocabulary, term, image_id, score, correct, created_at FROM term_mark ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW predictions AS
SELECT run_id, image_id, class, name, probability, value, kind FROM prediction ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW head_importances AS
SELECT run_id, image_id, target, layer, head, importance FROM head_importance ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW token_stats AS
SELECT run_id, image_id, outliers, norm_median, norm_max FROM token_stat ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW regions AS
SELECT r.region_id, r.image_id, r.x0 * i.width AS x0, r.y0 * i.height AS y0, r.x1 * i.width AS x1,
    r.y1 * i.height AS y1, r.note, r.created_at
FROM region r JOIN image i USING (image_id) ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW patch_features AS
SELECT f.run_id, f.image_id, f.x0, f.y0, f.x1, f.y1, f.rows, f.cols, len(f.left_out) AS left_out,
    octet_length(f.codes) AS bytes
FROM patch_feature f ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW patch_grids AS
SELECT run_id, image_id, rows, cols, patch_height, patch_width FROM patch_grid ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW patch_vectors AS
SELECT run_id, image_id, rank, vector FROM selected_patch_vector ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW object_cells AS
SELECT run_id, image_id, rank, seed, cells FROM proposed_object ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW object_frames AS
SELECT run_id, image_id, x0, y0, x1, y1, rows, cols FROM object_frame ANTI JOIN removal USING (image_id);

CREATE OR REPLACE VIEW recurring_links AS
SELECT s.run_id, l.search_id, l.link_id, a.image_id, a.x0, a.y0, a.x1, a.y1, b.image_id AS other_id, b.x0 AS other_x0,
    b.y0 AS other_y0, b.x1 AS other_x1, b.y1 AS other_y1, l.stage, l.matches, l.score, l.mirrored, l.same_picture,
    l.matrix
FROM recurring_link l
JOIN recurring_search s USING (search_id)
JOIN recurring_end a ON a.link_id = l.link_id AND a.side = 0
JOIN recurring_end b ON b.link_id = l.link_id AND b.side = 1
WHERE a.image_id NOT IN (SELECT image_id FROM removal) AND b.image_id NOT IN (SELECT image_id FROM removal);

CREATE OR REPLACE VIEW cluster_levels AS
SELECT p.projection_id, p.level, v.chosen, p.image_id, coalesce(l.merged_into, p.cluster) AS cluster, n.name
FROM cluster_point p
JOIN cluster_level v USING (projection_id, level)
LEFT JOIN cluster_label l USING (projection_id, level, cluster)
LEFT JOIN cluster_label n
    ON n.projection_id = p.projection_id AND n.level = p.level AND n.cluster = coalesce(l.merged_into, p.cluster)
WHERE p.image_id NOT IN (SELECT image_id FROM removal);

CREATE OR REPLACE VIEW cluster_centres AS
SELECT c.projection_id, c.cluster, c.image_id
FROM cluster_centre c
JOIN cluster_level v USING (projection_id, level)
LEFT JOIN cluster_label l USING (projection_id, level, cluster)
WHERE v.chosen AND l.merged_into IS NULL AND c.image_id NOT IN (SELECT image_id FROM removal);
