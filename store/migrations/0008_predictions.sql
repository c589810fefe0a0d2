-- What a prediction's number is: the probability of one class among others (kind single_label: softmax) or of a class
-- that may stand beside others (multi_label: sigmoid), or no probability at all but the number that a network estimates
-- (regression: `value`). What older versions stored was a softmax, whatever the network.
ALTER TABLE prediction ALTER COLUMN probability DROP NOT NULL;
ALTER TABLE prediction ADD COLUMN value FLOAT;
ALTER TABLE prediction ADD COLUMN kind VARCHAR DEFAULT 'single_label';

CREATE OR REPLACE VIEW predictions AS SELECT run_id, image_id, class, name, probability, value, kind FROM prediction;
