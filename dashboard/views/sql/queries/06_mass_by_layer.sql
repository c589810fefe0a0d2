-- Attention on the CLS token by layer
SELECT layer, round(avg(mass_cls), 3) AS on_cls, round(avg(mass_registers), 3) AS on_registers,
    round(avg(mass_patches), 3) AS on_patches
FROM head_stats
WHERE run_id = $run
GROUP BY layer
ORDER BY layer
