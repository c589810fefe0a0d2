-- Catalogue with places on the map
SELECT p.image_id, p.x, p.y, c.* EXCLUDE (image_id, path)
FROM points p
JOIN catalogue c USING (image_id)
WHERE p.projection_id = (SELECT max(projection_id) FROM projections WHERE run_id = $run)
ORDER BY p.x
