-- Texts and pictures in one space. A text's vector belongs to a run, whose network read it: L2-normalised, as long as the
-- run's features. logit_scale and logit_bias turn cosines into the network's own scores; CLIP has no bias. `cut`: the
-- text was longer than its network reads.
CREATE TABLE stored_text (
    stored_text_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    text VARCHAR NOT NULL,
    vector FLOAT[] NOT NULL,
    model VARCHAR NOT NULL,
    logit_scale DOUBLE NOT NULL,
    logit_bias DOUBLE,
    cut BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- A list of terms that was scored over a run. `prompts` are the templates whose mean vector stands for a term; settings
-- say which scores were kept, and the scale and bias of the network.
CREATE TABLE vocabulary (
    vocabulary_id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    prompts VARCHAR[] NOT NULL,
    settings JSON NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE vocabulary_term (
    vocabulary_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    term VARCHAR NOT NULL,
    prompt VARCHAR,
    parent VARCHAR,
    vector FLOAT[] NOT NULL
);

-- score: the cosine of a picture's and a term's vector; rank: of the term among all terms of the picture, from 1.
CREATE TABLE term_score (
    vocabulary_id INTEGER NOT NULL,
    image_id BIGINT NOT NULL,
    position INTEGER NOT NULL,
    score FLOAT NOT NULL,
    rank INTEGER NOT NULL
);

CREATE VIEW texts AS SELECT run_id, text, vector, model, logit_scale, logit_bias, cut, created_at FROM stored_text;

CREATE VIEW vocabularies AS
SELECT vocabulary_id, run_id, name AS vocabulary, prompts, settings, created_at FROM vocabulary;

CREATE VIEW terms AS
SELECT v.run_id, v.name AS vocabulary, t.term, t.prompt, t.parent
FROM vocabulary_term t JOIN vocabulary v USING (vocabulary_id);

CREATE VIEW labels AS
SELECT v.run_id, s.image_id, v.name AS vocabulary, t.term, s.score, s.rank
FROM term_score s JOIN vocabulary v USING (vocabulary_id) JOIN vocabulary_term t USING (vocabulary_id, position);

-- The k images most like a text of the view `texts`, best first.
CREATE MACRO nearest_text(run_id, text, k) AS TABLE
SELECT f.image_id, list_cosine_similarity(f.vector, q.vector) AS similarity
FROM feature f, (SELECT s.vector FROM stored_text s WHERE s.run_id = run_id AND s.text = text) q
WHERE f.run_id = run_id
ORDER BY similarity DESC, f.image_id
LIMIT k;
