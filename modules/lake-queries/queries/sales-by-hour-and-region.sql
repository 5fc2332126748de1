SELECT date_trunc('hour', accepted_at) AS hour, region, count(*) AS sales, sum(amount) AS amount
FROM sales
WHERE dt >= current_date - INTERVAL '7' DAY
  AND cancelled_at IS NULL
GROUP BY 1, 2
ORDER BY 1, 2
