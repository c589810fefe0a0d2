-- Details that recur: a run's pictures searched against each other. A search is a seed, a condition ('' for all pictures),
-- and settings; the same search goes on where it was. recurring_searched: which pictures it has been through, with how
-- many boxes, of which `plain` ones hold too few key points.
CREATE TABLE recurring_search (
    search_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    mirrored BOOLEAN NOT NULL,
    condition VARCHAR NOT NULL,
    settings JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE recurring_searched (
    search_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    boxes INTEGER NOT NULL,
    plain INTEGER NOT NULL,
    seconds DOUBLE NOT NULL
);

-- Two places that lead to each other; its two ends are the rows of recurring_end, 0 the one that was searched for. stage:
-- 'key points', of which `matches` agree, or 'votes' of patches; score: mean cosine of patches; matrix: the similarity
-- from end 0 to end 1, [a, b, x, c, d, y]; same_picture: it covers both pictures.
CREATE TABLE recurring_link (
    link_id BIGINT PRIMARY KEY,
    search_id INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    matches INTEGER NOT NULL,
    score DOUBLE NOT NULL,
    mirrored BOOLEAN NOT NULL,
    same_picture BOOLEAN NOT NULL,
    matrix DOUBLE[]
);

-- x0, y0, x1, y1 in pixels of the upright original.
CREATE TABLE recurring_end (
    link_id BIGINT NOT NULL,
    side TINYINT NOT NULL,
    image_id BIGINT NOT NULL,
    x0 DOUBLE NOT NULL,
    y0 DOUBLE NOT NULL,
    x1 DOUBLE NOT NULL,
    y1 DOUBLE NOT NULL
);

-- The groups that all links of a run make. group_id: from 1, the largest first; kind: 'detail' or 'same picture';
-- matches: how many key points hold this place, 0 where patches alone vote for it.
CREATE TABLE recurring_place (
    run_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    mirrored BOOLEAN NOT NULL,
    image_id BIGINT NOT NULL,
    x0 DOUBLE NOT NULL,
    y0 DOUBLE NOT NULL,
    x1 DOUBLE NOT NULL,
    y1 DOUBLE NOT NULL,
    matches INTEGER NOT NULL
);

-- Where pictures have gone since, a group may be left with one of them: it is none any more.
CREATE VIEW recurring_details AS
SELECT run_id, group_id, kind, image_id, x0, y0, x1, y1, stage, matches, mirrored,
    count(DISTINCT image_id) OVER (PARTITION BY run_id, group_id) AS pictures
FROM recurring_place
QUALIFY count(DISTINCT image_id) OVER (PARTITION BY run_id, group_id) > 1;

CREATE VIEW recurring_links AS
SELECT s.run_id, l.search_id, l.link_id, a.image_id, a.x0, a.y0, a.x1, a.y1,
    b.image_id AS other_id, b.x0 AS other_x0, b.y0 AS other_y0, b.x1 AS other_x1, b.y1 AS other_y1,
    l.stage, l.matches, l.score, l.mirrored, l.same_picture, l.matrix
FROM recurring_link l
JOIN recurring_search s USING (search_id)
JOIN recurring_end a ON a.link_id = l.link_id AND a.side = 0
JOIN recurring_end b ON b.link_id = l.link_id AND b.side = 1;

CREATE VIEW recurring_searches AS
SELECT s.search_id, s.run_id, s.seed, s.mirrored, s.condition, s.settings, count(d.image_id) AS pictures,
    coalesce(sum(d.boxes), 0)::BIGINT AS boxes, coalesce(sum(d.plain), 0)::BIGINT AS plain,
    coalesce(sum(d.seconds), 0) AS seconds, s.created_at
FROM recurring_search s LEFT JOIN recurring_searched d USING (search_id)
GROUP BY ALL;
