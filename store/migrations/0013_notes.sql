-- Notes on pictures: what people write down of a picture as a whole, without a tag.
CREATE TABLE note (
    note_id BIGINT PRIMARY KEY,
    image_id BIGINT NOT NULL,
    note VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE VIEW notes AS SELECT note_id, image_id, note, created_at FROM note;
