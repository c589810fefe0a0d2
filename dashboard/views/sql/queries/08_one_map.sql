-- One attention map, patch by patch
WITH map AS (FROM attention_map($run, $image, '$method', $layer, $head))
SELECT patch // cols AS "row", patch % cols AS col, round(weights[patch + 1], 5) AS weight
FROM map, range(map.rows * map.cols) AS patches(patch)
ORDER BY weight DESC
