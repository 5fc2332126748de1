-- Without the sales of rollouts, which are always cancelled.
SELECT
  dt,
  count(*) AS sales,
  count(cancelled_at) AS cancelled,
  round(100.0 * count(cancelled_at) / count(*), 2) AS percent,
  avg(date_diff('second', accepted_at, cancelled_at)) AS seconds_until_cancelled
FROM sales
WHERE dt >= current_date - INTERVAL '30' DAY
  AND product <> 'rollout check'
GROUP BY 1
ORDER BY 1
