-- What the attention microscope adds: more numbers about heads, predictions, outlier tokens, names of heads.

-- entropy_mean: nats, mean over the patches that ask; effective_patches: e^entropy of the summary's row over the patches
-- alone, weighted to sum to 1.
ALTER TABLE head_stat ADD COLUMN entropy_mean FLOAT;
ALTER TABLE head_stat ADD COLUMN effective_patches FLOAT;

-- importance = |z_h · ∂s/∂z_h| of the CLS token (Michel et al. 2019), s what `target` says.
CREATE TABLE head_importance (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    target VARCHAR NOT NULL,
    layer SMALLINT NOT NULL,
    head SMALLINT NOT NULL,
    importance FLOAT NOT NULL
);

-- Norms of the patch tokens as the last block leaves them, before the final norm; outliers: the share of patches whose
-- norm is more than three times the median.
CREATE TABLE token_stat (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    outliers FLOAT NOT NULL,
    norm_median FLOAT NOT NULL,
    norm_max FLOAT NOT NULL
);

-- The class that a classifier thinks likeliest.
CREATE TABLE prediction (
    run_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    class INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    probability FLOAT NOT NULL
);

-- The names that people give to heads.
CREATE TABLE head_name (
    run_id INTEGER NOT NULL,
    layer SMALLINT NOT NULL,
    head SMALLINT NOT NULL,
    name VARCHAR NOT NULL,
    note VARCHAR,
    created_at TIMESTAMP NOT NULL
);

CREATE OR REPLACE VIEW head_stats AS
SELECT run_id, image_id, layer, head, distance, distance_share, distance_raw, entropy,
    mass_cls, mass_registers, mass_patches, peak, entropy_mean, effective_patches
FROM head_stat;

CREATE VIEW head_importances AS SELECT run_id, image_id, target, layer, head, importance FROM head_importance;

CREATE VIEW token_stats AS SELECT run_id, image_id, outliers, norm_median, norm_max FROM token_stat;

CREATE VIEW predictions AS SELECT run_id, image_id, class, name, probability FROM prediction;

CREATE VIEW head_names AS SELECT run_id, layer, head, name, note, created_at FROM head_name;
