-- Files that an older version may have read as one picture though they have pages: these are counted at the next reading.
-- What is read from here on has been counted before.
CREATE TABLE uncounted (image_id BIGINT NOT NULL);
INSERT INTO uncounted SELECT image_id FROM image WHERE NOT regexp_matches(path, '#(page|t)=|://');
