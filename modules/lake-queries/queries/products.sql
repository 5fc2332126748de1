SELECT product, count(*) AS sales, sum(amount) AS amount
FROM sales
WHERE dt >= current_date - INTERVAL '30' DAY
  AND cancelled_at IS NULL
GROUP BY 1
ORDER BY amount DESC
LIMIT 20
