-- Pictures per $group_name
SELECT $group, count(*) AS pictures, any_value(image_id) AS image_id
FROM catalogue
GROUP BY $group
ORDER BY pictures DESC, $group
