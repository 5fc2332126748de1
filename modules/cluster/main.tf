# The ECS cluster of a region: Fargate without Spot, which could stop all tasks at once.

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:on unless the cluster is about to be destroyed
  name = var.name

  # The worker's scaling needs the number of running tasks.
  setting {
    name  = "containerInsights"
    value = var.insights ? "enabled" : "disabled"
  }

  # Otherwise ECS creates the group, without encryption or retention.
  depends_on = [aws_cloudwatch_log_group.insights]
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 0
    weight            = 1
  }
}

resource "aws_cloudwatch_log_group" "insights" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the environment's choice
  name              = "/aws/ecs/containerinsights/${var.name}/performance"
  retention_in_days = var.logs.retention_days
  kms_key_id        = var.logs.key_arn
}
