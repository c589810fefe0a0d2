-- Trainings, what was measured in each epoch, and what the trained network selects in some pictures of the test. The
-- pictures need not belong to a collection: each has a small copy here.
CREATE TABLE training_run (
    training_id INTEGER PRIMARY KEY,
    kind VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    folder VARCHAR NOT NULL,
    experiment VARCHAR,
    parameters JSON NOT NULL,
    seed BIGINT NOT NULL,
    config JSON NOT NULL,
    versions JSON NOT NULL,
    epochs INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP
);

CREATE TABLE training_metric (
    training_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    split VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE NOT NULL
);

CREATE TABLE training_example (
    training_id INTEGER NOT NULL,
    example INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    labels JSON NOT NULL,
    predictions JSON NOT NULL,
    boxes JSON NOT NULL,
    jpeg BLOB NOT NULL
);

CREATE TABLE training_patch (
    training_id INTEGER NOT NULL,
    example INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    x0 INTEGER NOT NULL,
    y0 INTEGER NOT NULL,
    x1 INTEGER NOT NULL,
    y1 INTEGER NOT NULL,
    score FLOAT NOT NULL
);

-- epochs: how many there are to be; done: how many there are.
CREATE VIEW training_runs AS
SELECT t.training_id, t.kind, t.name, t.experiment, t.parameters, t.seed, t.epochs,
    (SELECT coalesce(max(m.epoch), 0) FROM training_metric m WHERE m.training_id = t.training_id)::INTEGER AS done,
    t.folder, t.config, t.versions, t.created_at, t.finished_at
FROM training_run t;

-- split: train or test; task: '' where all tasks are meant.
CREATE VIEW training_metrics AS
SELECT training_id, epoch, split, task, metric, value FROM training_metric;

-- boxes: where the objects are, [x, y, width, height] in pixels.
CREATE VIEW training_examples AS
SELECT training_id, example, name, width, height, labels, predictions, boxes FROM training_example;

CREATE VIEW training_patches AS
SELECT training_id, example, rank, x0, y0, x1, y1, score FROM training_patch;
