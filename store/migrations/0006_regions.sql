-- Parts of pictures that people keep, with a note. Edges are shares of the picture's sides, so that a region stays where
-- it is when a larger scan takes the place of the picture.
CREATE TABLE region (
    region_id BIGINT PRIMARY KEY,
    image_id BIGINT NOT NULL,
    x0 DOUBLE NOT NULL,
    y0 DOUBLE NOT NULL,
    x1 DOUBLE NOT NULL,
    y1 DOUBLE NOT NULL,
    note VARCHAR,
    created_at TIMESTAMP NOT NULL
);

-- In pixels of the picture as the view `images` has it.
CREATE VIEW regions AS
SELECT r.region_id, r.image_id, r.x0 * i.width AS x0, r.y0 * i.height AS y0, r.x1 * i.width AS x1, r.y1 * i.height AS y1,
    r.note, r.created_at
FROM region r JOIN image i USING (image_id);
