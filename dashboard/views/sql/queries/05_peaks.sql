-- Pictures with the strongest peak
SELECT image_id, round(max(peak), 3) AS peak, arg_max(layer, peak) AS layer, arg_max(head, peak) AS head
FROM head_stats
WHERE run_id = $run
GROUP BY image_id
ORDER BY peak DESC
LIMIT 24
