-- Heads that look farthest
SELECT layer, head, round(avg(distance), 1) AS distance_px, round(avg(distance_share), 3) AS of_diagonal
FROM head_stats
WHERE run_id = $run
GROUP BY layer, head
ORDER BY distance_px DESC
LIMIT 20
