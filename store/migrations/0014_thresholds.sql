-- Which pictures a term labels: those whose score reaches its threshold and, while it has none, those of which it is the
-- best term. Kept by the names of vocabulary and term, so that they survive when the vocabulary is scored anew.
CREATE TABLE term_threshold (
    run_id INTEGER NOT NULL,
    vocabulary VARCHAR NOT NULL,
    term VARCHAR NOT NULL,
    threshold FLOAT NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- Whether somebody found a term right for a picture, and the score that the picture had then.
CREATE TABLE term_mark (
    run_id INTEGER NOT NULL,
    vocabulary VARCHAR NOT NULL,
    term VARCHAR NOT NULL,
    image_id BIGINT NOT NULL,
    score FLOAT NOT NULL,
    correct BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE VIEW term_marks AS
SELECT run_id, vocabulary, term, image_id, score, correct, created_at FROM term_mark;

-- marks: what was known of the term when the threshold was chosen.
CREATE VIEW term_thresholds AS
SELECT h.run_id, h.vocabulary, h.term, h.threshold, h.created_at,
    (SELECT coalesce(list({'image_id': m.image_id, 'correct': m.correct} ORDER BY m.image_id), [])
        FROM term_mark m
        WHERE m.run_id = h.run_id AND m.vocabulary = h.vocabulary AND m.term = h.term AND m.created_at <= h.created_at
    ) AS marks
FROM term_threshold h;

CREATE OR REPLACE VIEW labels AS
SELECT v.run_id, s.image_id, v.name AS vocabulary, t.term, s.score, s.rank,
    CASE WHEN h.threshold IS NULL THEN s.rank = 1 ELSE s.score >= h.threshold END AS labelled
FROM term_score s JOIN vocabulary v USING (vocabulary_id) JOIN vocabulary_term t USING (vocabulary_id, position)
LEFT JOIN term_threshold h ON h.run_id = v.run_id AND h.vocabulary = v.name AND h.term = t.term;

-- The terms that pictures are labelled with, each once a picture, broader terms among them. rank: the best of the labels
-- that it comes from; inherited: it comes from narrower terms alone. UNION ends where terms are each other's parents.
CREATE VIEW labelled AS
WITH RECURSIVE broader AS (
    SELECT vocabulary_id, term, parent AS above FROM vocabulary_term WHERE parent IS NOT NULL
    UNION
    SELECT b.vocabulary_id, b.term, t.parent FROM broader b
    JOIN vocabulary_term t ON t.vocabulary_id = b.vocabulary_id AND t.term = b.above
    WHERE t.parent IS NOT NULL
),
upwards AS (
    SELECT vocabulary_id, term, term AS label, false AS inherited FROM vocabulary_term
    UNION ALL
    SELECT vocabulary_id, term, above, true FROM broader WHERE above <> term
)
SELECT l.run_id, l.image_id, l.vocabulary, u.label AS term, bool_and(u.inherited) AS inherited, min(l.rank) AS rank
FROM labels l
JOIN vocabulary v ON v.run_id = l.run_id AND v.name = l.vocabulary
JOIN upwards u ON u.vocabulary_id = v.vocabulary_id AND u.term = l.term
WHERE l.labelled
GROUP BY l.run_id, l.image_id, l.vocabulary, u.label;
