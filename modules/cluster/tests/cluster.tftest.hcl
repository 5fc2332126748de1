mock_provider "aws" {}

variables {
  name = "sales-dev"
  logs = {
    retention_days = 7
    key_arn        = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
}

run "container_insights_count_the_tasks" {
  command = plan

  assert {
    condition = (
      { for setting in aws_ecs_cluster.this.setting : setting.name => setting.value }.containerInsights == "enabled"
    )
    error_message = "the worker's scaling divides by the number of running tasks, which Container Insights count"
  }

  assert {
    condition = (
      aws_cloudwatch_log_group.insights.name == "/aws/ecs/containerinsights/sales-dev/performance"
      && aws_cloudwatch_log_group.insights.kms_key_id == var.logs.key_arn
    )
    error_message = "their log group is the one that ECS would make, but encrypted and with an end"
  }
}

run "tasks_run_on_fargate_alone" {
  command = plan

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE"])
    error_message = "Spot may take all tasks away at once"
  }
}

run "without_insights_ecs_writes_no_log_that_would_outlive_the_cluster" {
  command = plan

  variables {
    insights = false
  }

  assert {
    condition = (
      { for setting in aws_ecs_cluster.this.setting : setting.name => setting.value }.containerInsights == "disabled"
    )
    error_message = "ECS would make the log group again after it was deleted"
  }
}
