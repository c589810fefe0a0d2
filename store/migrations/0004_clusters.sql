-- Groups of points that lie close together in a layout. One row in `clustering` for each layout whose groups have been
-- looked for, also where none were found; clusters count from 1, the largest, and NULL is in none.
CREATE TABLE clustering (
    projection_id INTEGER NOT NULL,
    method VARCHAR NOT NULL,
    settings JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE cluster_point (projection_id INTEGER NOT NULL, image_id BIGINT NOT NULL, cluster INTEGER);

-- The member whose feature is nearest to the mean of the features of all members.
CREATE TABLE cluster_centre (projection_id INTEGER NOT NULL, cluster INTEGER NOT NULL, image_id BIGINT NOT NULL);

CREATE VIEW clusterings AS SELECT projection_id, method, settings FROM clustering;

CREATE VIEW clusters AS SELECT projection_id, image_id, cluster FROM cluster_point;

CREATE VIEW cluster_centres AS SELECT projection_id, cluster, image_id FROM cluster_centre;
