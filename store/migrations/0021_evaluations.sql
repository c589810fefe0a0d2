-- How well the maps of a run show what is known to be in some pictures. `condition` is the SQL that chose the pictures,
-- '' for all; `left_out` says of which pictures there is no word, and why.
CREATE TABLE evaluation (
    evaluation_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    truth VARCHAR NOT NULL,
    condition VARCHAR NOT NULL,
    images INTEGER NOT NULL,
    left_out JSON NOT NULL,
    settings JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE evaluation_result (
    evaluation_id INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    layer SMALLINT NOT NULL,
    head SMALLINT,
    metric VARCHAR NOT NULL,
    size VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    value DOUBLE NOT NULL,
    low DOUBLE,
    high DOUBLE,
    baseline_area DOUBLE,
    baseline_random DOUBLE,
    p_value DOUBLE,
    p_holm DOUBLE,
    n INTEGER NOT NULL
);

-- Of each picture and map what was measured.
CREATE TABLE evaluation_image (
    evaluation_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    method VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    layer SMALLINT NOT NULL,
    head SMALLINT,
    relevance_mass FLOAT,
    pointing_game FLOAT,
    relevance_rank FLOAT,
    auprc FLOAT,
    best_iou FLOAT,
    sparseness FLOAT
);

-- What was known of each picture, in the patches of the run: 255 where the truth covers all of a patch. Boxes are
-- [x0, y0, x1, y1] in pixels of the picture.
CREATE TABLE evaluation_truth (
    evaluation_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    split VARCHAR NOT NULL,
    area DOUBLE NOT NULL,
    boxes JSON NOT NULL,
    rows SMALLINT NOT NULL,
    cols SMALLINT NOT NULL,
    coverage UTINYINT[] NOT NULL
);

-- metric: relevance_mass, pointing_game, relevance_rank, auprc, best_iou, sparseness, box_acc_30, box_acc_50, box_acc_70,
-- deletion, insertion. size: of BoxAcc the objects that count: '' for all, small, medium, large. split: all pictures, the
-- half by which a map may be chosen, or the half that is held out. low, high: the interval of the value by bootstrap over
-- pictures. baseline_area: a map that is the same everywhere (of deletion and insertion: a random order).
-- baseline_random: the same network with random weights, the mean over the heads of the layer. p_value: of being better
-- than baseline_area; p_holm: corrected for having looked at all maps.
CREATE VIEW evaluations AS
SELECT r.evaluation_id, e.run_id, e.truth, e.condition, r.method, r.target, r.layer, r.head, r.metric, r.size, r.split,
    r.value, r.low, r.high, r.baseline_area, r.baseline_random, r.p_value, r.p_holm, r.n, e.created_at
FROM evaluation_result r JOIN evaluation e USING (evaluation_id);

CREATE VIEW evaluation_images AS
SELECT i.evaluation_id, e.run_id, e.truth, i.image_id, t.split, i.method, i.target, i.layer, i.head,
    i.relevance_mass, i.pointing_game, i.relevance_rank, i.auprc, i.best_iou, i.sparseness, t.area, t.boxes
FROM evaluation_image i JOIN evaluation e USING (evaluation_id) JOIN evaluation_truth t USING (evaluation_id, image_id);
