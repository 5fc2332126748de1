# Each alarm says what missing data mean, since that is where alarms lie: where silence is a sign of health they stay
# quiet, and where silence is the fault they ring.

locals {
  alarms = merge(
    {
      # A worker that is silent, or cannot read its index, leaves the promise unwatched: breaching.
      # Not part of "region impaired": every region's index knows what any region owes, and the alarm of a healthy one
      # tells of another that is lost.
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
      # SQS reports nothing for a queue that has long been idle: not breaching.
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
      # As above; and one dead letter is one too many.
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
      # A service that is silent does not know its state, or does not run: breaching.
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
      # A service without tasks reports nothing: breaching.
      for name, service in var.services : "${name}-tasks" => {
        description = "Too few ${name} tasks are running."
        namespace   = "ECS/ContainerInsights"
        metric      = "RunningTaskCount"
        dimensions  = { ClusterName = var.cluster, ServiceName = service.service_name }
        statistic   = "Minimum"
        threshold   = var.thresholds.tasks
        above       = false
        minutes     = 5
        missing     = "breaching"
      }
    },
    {
      # Reported only while something replicates, and a region without sales has nothing: not breaching.
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

  # Metrics that make up the rate of 5xx at each entrance; `requests` are those that `errors` are part of. Both without
  # what Route 53 asks of /active, which a PASSIVE region answers with 503 as it should. It comes through API Gateway, by
  # whose metrics of single methods it is told apart at the load balancer, too.
  entrances = {
    load-balancer = {
      # What the load balancer answers for want of a target is not counted among its requests.
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

# Without requests there are no errors: not breaching. Whether there ought to be requests, the accelerator's and
# Route 53's health checks know.
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

# What speaks for switching away from this region: it does not serve, does not process, or would not hear of a switch.
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
