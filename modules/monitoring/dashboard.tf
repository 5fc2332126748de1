# One page: alarms, requests, pending sales, tasks, replication.

locals {
  charts = [
    {
      title = "Requests a minute"
      stat  = "Sum"
      metrics = [
        ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.entrance.alb_arn_suffix],
        ["AWS/ApiGateway", "Count", "ApiName", var.entrance.api_name, "Stage", var.entrance.api_stage],
      ]
    },
    {
      title = "5xx a minute, without those that tell Route 53 that the region is PASSIVE"
      stat  = "Sum"
      metrics = concat(
        [for name, entrance in local.entrances : [{ label = name, expression = entrance.errors }]],
        [
          for id, metric in merge(values(local.entrances)[*].metrics...) : concat(
            [metric.namespace, metric.name],
            flatten([for name, value in metric.dimensions : [name, value]]),
            [{ id = id, visible = false }],
          ) if !contains(["served", "asked"], id)
        ],
      )
    },
    {
      title = "Answered within, 99 of 100, in seconds"
      stat  = "p99"
      metrics = [
        [
          "AWS/ApplicationELB", "TargetResponseTime",
          "LoadBalancer", var.entrance.alb_arn_suffix, "TargetGroup", var.entrance.target_group_arn_suffix,
        ],
      ]
    },
    {
      title = "Oldest pending sale, in seconds"
      stat  = "Maximum"
      metrics = [
        [var.prefix, "PendingOldestAge"],
      ]
    },
    {
      title = "Pending sales"
      stat  = "Maximum"
      metrics = [
        [var.prefix, "Pending"],
      ]
    },
    {
      title = "Messages: oldest in seconds, waiting, dead"
      stat  = "Maximum"
      metrics = [
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queues.sales],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queues.sales],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queues.dead_letters],
      ]
    },
    {
      title = "Age of the known state, in seconds"
      stat  = "Maximum"
      metrics = [
        [var.prefix, "ApiStateAge"],
        [var.prefix, "WorkerStateAge"],
      ]
    },
    {
      title = "Age of the lake's table, in seconds"
      stat  = "Minimum"
      metrics = [
        [var.prefix, "TableAge"],
      ]
    },
    {
      title = "Running tasks"
      stat  = "Minimum"
      metrics = [
        for service in var.services :
        ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", var.cluster, "ServiceName", service.service_name]
      ]
    },
    {
      title = "CPU, in percent"
      stat  = "Average"
      metrics = [
        for service in var.services :
        ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster, "ServiceName", service.service_name]
      ]
    },
    {
      title = "Replication of the tables, in milliseconds"
      stat  = "Average"
      metrics = [
        for pair in setproduct(var.tables, var.other_regions) :
        ["AWS/DynamoDB", "ReplicationLatency", "TableName", pair[0], "ReceivingRegion", pair[1]]
      ]
    },
    {
      title = "Replication of the lake, in seconds"
      stat  = "Maximum"
      metrics = [
        for target in var.lake.replication : [
          "AWS/S3", "ReplicationLatency",
          "SourceBucket", var.lake.bucket, "DestinationBucket", target.bucket, "RuleId", target.rule,
        ]
      ]
    },
  ]

  alarm_arns = concat(
    [aws_cloudwatch_composite_alarm.impaired.arn],
    [for alarm in aws_cloudwatch_metric_alarm.metric : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.server_errors : alarm.arn],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.prefix}-${var.region}"

  # 24 columns: alarms in full width, then three charts per row. CloudWatch rejects a chart without metrics.
  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type       = "alarm"
          x          = 0
          y          = 0
          width      = 24
          height     = 4
          properties = { title = "Alarms in ${var.region}", alarms = local.alarm_arns }
        },
      ],
      [
        for index, chart in [for chart in local.charts : chart if length(chart.metrics) > 0] : {
          type   = "metric"
          x      = index % 3 * 8
          y      = 4 + floor(index / 3) * 6
          width  = 8
          height = 6
          properties = {
            title   = chart.title
            region  = var.region
            stat    = chart.stat
            period  = 60
            view    = "timeSeries"
            metrics = chart.metrics
          }
        }
      ],
    )
  })
}
