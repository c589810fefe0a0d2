-- Sharpest heads
SELECT layer, head, round(avg(entropy), 2) AS entropy_nats, round(exp(avg(entropy)), 1) AS tokens_looked_at
FROM head_stats
WHERE run_id = $run
GROUP BY layer, head
ORDER BY entropy_nats
LIMIT 20
