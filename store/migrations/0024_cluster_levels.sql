-- Clusters of a layout at several levels, each called by how many there are; `chosen` is the one that is shown at first.
-- What people call clusters, which colour they give them, and which other one a cluster has been merged into.
CREATE TABLE cluster_level (projection_id INTEGER NOT NULL, level INTEGER NOT NULL, chosen BOOLEAN NOT NULL);

CREATE TABLE cluster_label (
    projection_id INTEGER NOT NULL,
    level INTEGER NOT NULL,
    cluster INTEGER NOT NULL,
    name VARCHAR,
    colour VARCHAR,
    merged_into INTEGER
);

INSERT INTO cluster_level
SELECT projection_id, coalesce(max(cluster), 0), true FROM clustering LEFT JOIN cluster_point USING (projection_id)
GROUP BY projection_id;

ALTER TABLE cluster_point ADD COLUMN level INTEGER;

ALTER TABLE cluster_centre ADD COLUMN level INTEGER;

UPDATE cluster_point SET level = v.level FROM cluster_level v WHERE v.projection_id = cluster_point.projection_id;

UPDATE cluster_centre SET level = v.level FROM cluster_level v WHERE v.projection_id = cluster_centre.projection_id;

CREATE VIEW cluster_levels AS
SELECT p.projection_id, p.level, v.chosen, p.image_id, coalesce(l.merged_into, p.cluster) AS cluster, n.name
FROM cluster_point p
JOIN cluster_level v USING (projection_id, level)
LEFT JOIN cluster_label l USING (projection_id, level, cluster)
LEFT JOIN cluster_label n
    ON n.projection_id = p.projection_id AND n.level = p.level AND n.cluster = coalesce(l.merged_into, p.cluster);

CREATE OR REPLACE VIEW clusters AS SELECT projection_id, image_id, cluster, name FROM cluster_levels WHERE chosen;

CREATE OR REPLACE VIEW cluster_centres AS
SELECT c.projection_id, c.cluster, c.image_id
FROM cluster_centre c
JOIN cluster_level v USING (projection_id, level)
LEFT JOIN cluster_label l USING (projection_id, level, cluster)
WHERE v.chosen AND l.merged_into IS NULL;
