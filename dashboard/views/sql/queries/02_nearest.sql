-- Most like this picture
SELECT image_id, round(similarity, 3) AS similarity, c.* EXCLUDE (image_id, collection, path)
FROM nearest($run, $image, 12)
JOIN catalogue c USING (image_id)
ORDER BY similarity DESC
