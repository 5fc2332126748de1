# Each alarm defines how missing data is treated: as OK if no data is a sign of health, as ALARM if no data is the fault.

locals {
  alarms = merge(
    {
      # Without data, the worker does not run or cannot read its index, so pending sales are not monitored: breaching.
      # Not part of "region impaired": every region's index has the pending items of all regions, so a healthy region's
      # alarm is raised for another that is lost.
      pending-age = {
        description = "Sales have not reached the lake: see `salesctl pending list`."
        namespace   = var.prefix
        metric      = "PendingOldestAge"
        dimensions  = {}
        statistic   = "Maximum"
        threshold   = var.thresholds.pending_age
        above       = true
        minutes     = 3
        missing     = "breaching"
      }
      # SQS reports no data for a queue that has been idle for long: not breaching.
      queue-age = {
        description = "The queue is not draining; the sweep still processes the sales."
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = var.queues.sales }
        statistic   = "Maximum"
        threshold   = var.thresholds.queue_age
        above       = true
        minutes     = 3
        missing     = "notBreaching"
      }
      # As above. A single dead letter raises it.
      dead-letters = {
        description = "A message could not be processed: see `salesctl dlq list`."
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = var.queues.dead_letters }
        statistic   = "Maximum"
        threshold   = 0
        above       = true
        minutes     = 1
        missing     = "notBreaching"
      }
    },
    {
      # Without data, the service does not know its state or does not run: breaching.
      for name, metric in { api = "ApiStateAge", worker = "WorkerStateAge" } : "${name}-state-age" => {
        description             = "The ${name} cannot read its region's state and would miss a switch."
        namespace               = var.prefix
        metric                  = metric
        dimensions              = {}
        statistic               = "Maximum"
        threshold               = var.thresholds.state_age
        above                   = true
        minutes                 = 3
        missing                 = "breaching"
      }
    },
    {
      # Without data, no builder runs, or none has folded the journal yet: breaching. Of two tasks, the one that is ahead says how
      # old the table is: the other one is new, or has lost its lease.
      table-age = {
        description = "The lake's table is late; no sale is lost. See the logs of sales-lake."
        namespace   = var.prefix
        metric      = "TableAge"
        dimensions  = {}
        statistic   = "Minimum"
        threshold   = var.thresholds.table_age
        above       = true
        minutes     = 3
        missing     = "breaching"
      }
    },
    {
      # A service without tasks reports no data: breaching.
      for name, service in var.services : "${name}-tasks" => {
        description = "Too few ${name} tasks are running."
        namespace   = "ECS/ContainerInsights"
        metric      = "RunningTaskCount"
        dimensions  = { ClusterName = var.cluster, ServiceName = service.service_name }
        statistic   = "Minimum"
        threshold   = name == "lake" ? 1 : var.thresholds.tasks
        above       = false
        minutes     = 5
        missing     = "breaching"
      }
    },
    {
      # Reported only while items are replicated: not breaching.
      for pair in setproduct(var.tables, var.other_regions) : "${pair[0]}-to-${pair[1]}" => {
        description = "Replication of the table ${pair[0]} to ${pair[1]} is slow."
        namespace   = "AWS/DynamoDB"
        metric      = "ReplicationLatency"
        dimensions  = { TableName = pair[0], ReceivingRegion = pair[1] }
        statistic   = "Average"
        threshold   = var.thresholds.table_replication
        above       = true
        minutes     = 5
        missing     = "notBreaching"
      }
    },
    {
      for region, target in var.lake.replication : "lake-to-${region}" => {
        description = "Replication of the lake to ${region} is slow."
        namespace   = "AWS/S3"
        metric      = "ReplicationLatency"
        dimensions  = { SourceBucket = var.lake.bucket, DestinationBucket = target.bucket, RuleId = target.rule }
        statistic   = "Maximum"
        threshold   = var.thresholds.lake_replication
        above       = true
        minutes     = 5
        missing     = "notBreaching"
      }
    },
    {
      for region, target in var.lake.replication : "lake-to-${region}-failed" => {
        description = "Objects of the lake were not replicated to ${region}: see `salesctl lake verify`."
        namespace   = "AWS/S3"
        metric      = "OperationsFailedReplication"
        dimensions  = { SourceBucket = var.lake.bucket, DestinationBucket = target.bucket, RuleId = target.rule }
        statistic   = "Sum"
        threshold   = 0
        above       = true
        minutes     = 1
        missing     = "notBreaching"
      }
    },
  )

  # Metrics for the rate of 5xx at each entry point: `errors` in relation to `requests`. Both exclude Route 53's requests for
  # /active, which a PASSIVE region correctly answers with 503. They come through API Gateway, whose metrics per method are
  # also used to exclude them at the load balancer.
  entrances = {
    load-balancer = {
      # The load balancer's own errors, if it has no target, are not included in its number of requests.
      metrics  = merge(local.questions, { for id, name in local.load_balancer_metrics : id => merge(local.load_balancer, { name = name }) })
      requests = "(FILL(served, 0) + FILL(own, 0) - FILL(asked, 0))"
      errors   = "(FILL(target, 0) + FILL(own, 0) - FILL(passive, 0))"
    }
    api-gateway = {
      metrics  = merge(local.questions, { for id, name in local.api_gateway_metrics : id => merge(local.api_gateway, { name = name }) })
      requests = "(FILL(served, 0) - FILL(asked, 0))"
      errors   = "(FILL(failed, 0) - FILL(passive, 0))"
    }
  }

  load_balancer         = { namespace = "AWS/ApplicationELB", dimensions = { LoadBalancer = var.entrance.alb_arn_suffix } }
  load_balancer_metrics = { served = "RequestCount", target = "HTTPCode_Target_5XX_Count", own = "HTTPCode_ELB_5XX_Count" }
  api_gateway           = { namespace = "AWS/ApiGateway", dimensions = { ApiName = var.entrance.api_name, Stage = var.entrance.api_stage } }
  api_gateway_metrics   = { served = "Count", failed = "5XXError" }

  questions = {
    for id, name in { asked = "Count", passive = "5XXError" } : id => {
      name                  = name
      namespace             = local.api_gateway.namespace
      dimensions            = merge(local.api_gateway.dimensions, { Method = "GET", Resource = "/active" })
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "metric" {
  for_each = local.alarms

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = each.value.minutes
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# Without requests there are no errors: not breaching. The health checks of the accelerator and of Route 53 detect missing
# requests.
resource "aws_cloudwatch_metric_alarm" "server_errors" {
  for_each = local.entrances

  alarm_name          = "${var.prefix}-${each.key}-5xx"
  alarm_description   = "More than ${var.thresholds.server_errors} % of the requests fail at the ${each.key}."
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.server_errors
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "rate"
    label       = "percent"
    return_data = true
    expression = join("", [
      "IF(${each.value.requests} >= ${var.thresholds.server_errors_requests}, ",
      "100 * ${each.value.errors} / ${each.value.requests}, 0)",
    ])
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

# Reasons to switch away from this region: it does not serve, does not process, or would miss a switch. A late table is none:
# nothing is lost, and the other region has its own.
locals {
  impaired_by = concat(
    [for name in ["api-state-age", "api-tasks", "worker-state-age", "worker-tasks"] : aws_cloudwatch_metric_alarm.metric[name].alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.server_errors : alarm.alarm_name],
  )
}

resource "aws_cloudwatch_composite_alarm" "impaired" {
  alarm_name        = "${var.prefix}-region-impaired"
  alarm_description = "${var.region} is impaired: consider a switch, see docs/runbook.md."
  alarm_rule        = join(" OR ", [for name in local.impaired_by : "ALARM(\"${name}\")"])
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]
}
