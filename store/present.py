"""Pictures as they are now: with their corrections, and without those that were removed."""

PRESENT = "image_id NOT IN (SELECT image_id FROM removal)"

# Every picture with its metadata as corrected: image_id, collection_id, path, metadata. What was removed is among them.
DESCRIBED = """(
    SELECT image.image_id, image.collection_id, image.path, CASE WHEN corrected.cells IS NULL THEN image.metadata
        ELSE json_merge_patch(image.metadata, corrected.cells) END AS metadata
    FROM image LEFT JOIN corrected ON corrected.image_id = image.image_id
)"""
SHOWN = f"(SELECT * FROM {DESCRIBED} ANTI JOIN removal USING (image_id))"
