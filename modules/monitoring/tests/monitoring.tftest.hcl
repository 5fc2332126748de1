mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:sa-east-1:111122223333:sales-dev-alarms" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:sa-east-1:111122223333:alarm:sales-dev-some" }
  }
  mock_resource "aws_cloudwatch_composite_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:sa-east-1:111122223333:alarm:sales-dev-region-impaired" }
  }
}

variables {
  prefix        = "sales-dev"
  region        = "sa-east-1"
  account       = "111122223333"
  other_regions = ["us-east-1"]
  key_arn       = "arn:aws:kms:sa-east-1:111122223333:key/mrk-00000000000000000000000000000000"
  emails        = ["operators@example.com"]
  cluster       = "sales-dev"
  services = {
    api    = { service_name = "sales-api", log_group_name = "/sales-dev/sales-api" }
    worker = { service_name = "sales-worker", log_group_name = "/sales-dev/sales-worker" }
    lake   = { service_name = "sales-lake", log_group_name = "/sales-dev/sales-lake" }
  }
  entrance = {
    alb_arn_suffix          = "app/sales-dev/0123456789abcdef"
    target_group_arn_suffix = "targetgroup/sales-dev/0123456789abcdef"
    api_name                = "sales-dev"
    api_stage               = "live"
  }
  queues = { sales = "sales-dev-sales", dead_letters = "sales-dev-sales-dead-letters" }
  tables = ["sales-dev-sales", "sales-dev-sales-idempotency"]
  lake = {
    bucket      = "sales-dev-lake-111122223333-sa-east-1"
    replication = { us-east-1 = { bucket = "sales-dev-lake-111122223333-us-east-1", rule = "to-us-east-1" } }
  }
}

run "silence_where_it_is_the_fault_rings" {
  assert {
    condition = alltrue([
      for name in ["pending-age", "api-state-age", "worker-state-age", "table-age", "api-tasks", "worker-tasks", "lake-tasks"] :
      aws_cloudwatch_metric_alarm.metric[name].treat_missing_data == "breaching"
    ])
    error_message = "a service that is gone would not be noticed"
  }
}

run "silence_where_it_is_health_does_not_ring" {
  assert {
    condition = alltrue([
      for name in ["queue-age", "dead-letters", "sales-dev-sales-to-us-east-1", "lake-to-us-east-1", "lake-to-us-east-1-failed"] :
      aws_cloudwatch_metric_alarm.metric[name].treat_missing_data == "notBreaching"
    ])
    error_message = "an idle pipeline would ring"
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.server_errors : alarm.treat_missing_data == "notBreaching"])
    error_message = "an idle pipeline would ring"
  }
}

run "every_alarm_tells_somebody" {
  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.metric), values(aws_cloudwatch_metric_alarm.server_errors)) :
      contains(alarm.alarm_actions, aws_sns_topic.alarms.arn)
    ])
    error_message = "an alarm rings in an empty room"
  }

  assert {
    condition = (
      contains(aws_cloudwatch_composite_alarm.impaired.alarm_actions, aws_sns_topic.alarms.arn) &&
      keys(aws_sns_topic_subscription.email) == ["operators@example.com"]
    )
    error_message = "nobody is told that the region is impaired"
  }
}

run "metrics_come_from_the_lines_that_the_services_log" {
  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.vital_sign["pending-oldest-age"].pattern ==
      "{ ($.message = \"vital signs\") && ($.pending_oldest_age_seconds >= 0) }"
    )
    error_message = "another line is read"
  }

  # What is filtered and what is watched must be the same, and nothing else would notice.
  assert {
    condition = length(setsubtract(
      [for alarm in aws_cloudwatch_metric_alarm.metric : alarm.metric_name if alarm.namespace == "sales-dev"],
      [for filter in aws_cloudwatch_log_metric_filter.vital_sign : one(filter.metric_transformation).name],
    )) == 0
    error_message = "an alarm watches a metric that nothing makes"
  }
}

run "one_task_is_too_few" {
  assert {
    condition = alltrue([
      for name in ["api-tasks", "worker-tasks"] :
      aws_cloudwatch_metric_alarm.metric[name].threshold == 2 &&
      aws_cloudwatch_metric_alarm.metric[name].comparison_operator == "LessThanThreshold"
    ])
    error_message = "one task alone would be left in peace"
  }
}

run "the_lake_has_one_task" {
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.metric["lake-tasks"].threshold == 1
      && aws_cloudwatch_metric_alarm.metric["lake-tasks"].comparison_operator == "LessThanThreshold"
    )
    error_message = "its alarm would ring for ever, or never"
  }
}

run "a_table_that_is_ten_minutes_old_rings_and_impairs_no_region" {
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.metric["table-age"].threshold == 600
      && aws_cloudwatch_metric_alarm.metric["table-age"].comparison_operator == "GreaterThanThreshold"
      && aws_cloudwatch_metric_alarm.metric["table-age"].statistic == "Minimum"
    )
    error_message = "a table is as old as the builder says that is ahead"
  }

  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.vital_sign["table-age"].pattern ==
      "{ ($.message = \"vital signs\") && ($.table_age_seconds >= 0) }"
      && aws_cloudwatch_log_metric_filter.vital_sign["table-age"].log_group_name == "/sales-dev/sales-lake"
    )
    error_message = "another line is read"
  }

  assert {
    condition = !anytrue([
      for name in ["table-age", "lake-tasks"] :
      strcontains(aws_cloudwatch_composite_alarm.impaired.alarm_rule, name)
    ])
    error_message = "somebody would switch regions because a table is late"
  }
}

run "a_table_that_is_never_young_enough_is_refused" {
  command = plan

  variables {
    thresholds = { table_age = 60 }
  }

  expect_failures = [var.thresholds]
}

run "what_the_load_balancer_answers_without_a_target_counts" {
  assert {
    condition = anytrue([
      for query in aws_cloudwatch_metric_alarm.server_errors["load-balancer"].metric_query :
      strcontains(query.expression == null ? "" : query.expression, "(FILL(served, 0) + FILL(own, 0) - FILL(asked, 0))")
    ])
    error_message = "a region without tasks would have no errors"
  }
}

# Route 53's checkers ask about once a second, which alone is more than server_errors_requests.
run "a_passive_region_that_says_so_is_not_impaired" {
  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.server_errors : anytrue([
        for query in alarm.metric_query :
        strcontains(query.expression == null ? "" : query.expression, "- FILL(passive, 0)) / ")
      ])
    ])
    error_message = "each PASSIVE region would ring for ever"
  }

  assert {
    condition = alltrue(flatten([
      for alarm in aws_cloudwatch_metric_alarm.server_errors : [
        for query in alarm.metric_query : one(query.metric).dimensions == tomap({
          ApiName = "sales-dev", Stage = "live", Method = "GET", Resource = "/active"
        }) if contains(["asked", "passive"], query.id)
      ]
    ]))
    error_message = "what is taken off is something else than the answers to Route 53"
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.server_errors :
      length(setintersection(alarm.metric_query[*].id, ["asked", "passive"])) == 2
    ])
    error_message = "an expression names a metric that is not there"
  }
}

run "impaired_is_a_region_that_does_not_serve_process_or_listen" {
  assert {
    condition = alltrue([
      for name in ["api-tasks", "worker-tasks", "api-state-age", "worker-state-age", "load-balancer-5xx", "api-gateway-5xx"] :
      strcontains(aws_cloudwatch_composite_alarm.impaired.alarm_rule, "ALARM(\"sales-dev-${name}\")")
    ])
    error_message = "a sign is left out"
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_composite_alarm.impaired.alarm_rule, "pending")
    error_message = "what another region owes does not impair this one"
  }
}

run "the_dashboard_shows_every_alarm_and_no_empty_chart" {
  assert {
    condition = (
      length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.alarms) ==
      1 + length(aws_cloudwatch_metric_alarm.metric) + length(aws_cloudwatch_metric_alarm.server_errors)
    )
    error_message = "an alarm is not shown"
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 13
    error_message = "a chart is missing"
  }
}

run "a_third_region_is_watched_too" {
  variables {
    other_regions = ["eu-west-1", "us-east-1"]
    lake = {
      bucket = "sales-dev-lake-111122223333-sa-east-1"
      replication = {
        eu-west-1 = { bucket = "sales-dev-lake-111122223333-eu-west-1", rule = "to-eu-west-1" }
        us-east-1 = { bucket = "sales-dev-lake-111122223333-us-east-1", rule = "to-us-east-1" }
      }
    }
  }

  assert {
    condition = alltrue([
      for name in ["sales-dev-sales-to-eu-west-1", "sales-dev-sales-idempotency-to-eu-west-1", "lake-to-eu-west-1"] :
      contains(keys(aws_cloudwatch_metric_alarm.metric), name)
    ])
    error_message = "replication to the third region is not watched"
  }
}

run "a_region_alone_has_no_empty_chart" {
  variables {
    other_regions = []
    lake          = { bucket = "sales-dev-lake-111122223333-sa-east-1", replication = {} }
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 11
    error_message = "CloudWatch refuses a chart without metrics"
  }
}

run "a_threshold_below_what_is_normal_is_refused" {
  command = plan

  variables {
    thresholds = { state_age = 5 }
  }

  expect_failures = [var.thresholds]
}
