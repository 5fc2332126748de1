mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "sa-east-1" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:sa-east-1:111122223333:task-definition/sales-dev-api:2" }
  }

  mock_data "aws_ecs_service" {
    defaults = { task_definition = "arn:aws:ecs:sa-east-1:111122223333:task-definition/sales-dev-api:2" }
  }
}

variables {
  name = "sales-dev-api"
  cluster = {
    name = "sales-dev"
    arn  = "arn:aws:ecs:sa-east-1:111122223333:cluster/sales-dev"
  }
  network = {
    vpc_id                      = "vpc-1"
    subnet_ids                  = ["subnet-1", "subnet-2", "subnet-3"]
    operators_security_group_id = "sg-operators"
  }
  image = join("", [
    "111122223333.dkr.ecr.sa-east-1.amazonaws.com/sales-dev/sales-api@sha256:",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  ])
  size = {
    architecture = "ARM64"
    cpu          = 256
    memory       = 512
    minimum      = 2
    maximum      = 20
  }
  roles = {
    task      = "arn:aws:iam::111122223333:role/sales-dev-api-sa-east-1"
    execution = "arn:aws:iam::111122223333:role/sales-dev-execution"
  }
  environment  = { TLS = "self-signed", AWS_REGION = "sa-east-1" }
  health_check = ["/usr/local/bin/sales-api", "--healthcheck"]
  stop_timeout = 30
  load_balancer = {
    target_group_arn  = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:targetgroup/sales-dev-api/1"
    security_group_id = "sg-alb"
  }
  scaling = {
    cpu_percent = 60
    requests = {
      per_task_and_minute = 30000
      resource_label      = "app/sales-dev-alb/1/targetgroup/sales-dev-api/1"
    }
  }
  logs = {
    retention_days = 7
    key_arn        = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
}

run "a_container_can_do_no_more_than_serve" {
  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : (
      container.readonlyRootFilesystem
      && container.user == "65532:65532"
      && container.linuxParameters.capabilities.drop == ["ALL"]
      && container.stopTimeout == 30
      && container.healthCheck.command == ["CMD", "/usr/local/bin/sales-api", "--healthcheck"]
    )])
    error_message = "no writable file system, no root, no capabilities, and the time that it needs to stop"
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.this.container_definitions) :
      container.environment == [
        { name = "AWS_REGION", value = "sa-east-1" },
        { name = "IMAGE", value = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
        { name = "TLS", value = "self-signed" },
      ]
    ])
    error_message = "variables are in order, so that the same ones make the same task definition, and name the image"
  }
}

# ECS calls it steady, and so would the provider.
run "an_apply_that_ecs_has_rolled_back_fails" {
  variables {
    image = join("", [
      "111122223333.dkr.ecr.sa-east-1.amazonaws.com/sales-dev/sales-api@sha256:",
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ])
  }

  override_data {
    target = data.aws_ecs_service.running
    values = { task_definition = "arn:aws:ecs:sa-east-1:111122223333:task-definition/sales-dev-api:1" }
  }

  expect_failures = [data.aws_ecs_service.running]
}

run "a_deployment_leaves_no_gap_and_is_undone_when_it_fails" {
  command = plan

  assert {
    condition = (
      aws_ecs_service.this.deployment_minimum_healthy_percent == 100
      && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
      && aws_ecs_service.this.availability_zone_rebalancing == "ENABLED"
      && aws_ecs_service.this.desired_count == 2
    )
    error_message = "two tasks or more, spread over zones, never fewer during a deployment, rolled back on failure"
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "tasks have no public address"
  }
}

run "traffic_comes_from_the_load_balancer_alone" {
  command = plan

  assert {
    condition = (
      [for rule in aws_vpc_security_group_ingress_rule.load_balancer : rule.referenced_security_group_id] == ["sg-alb"]
      && alltrue([for rule in aws_vpc_security_group_ingress_rule.load_balancer : rule.cidr_ipv4 == null])
    )
    error_message = "tasks are open to the load balancer's security group, and to no address"
  }
}

run "operators_see_health_and_metrics_by_their_security_group" {
  command = plan

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.operators.referenced_security_group_id == "sg-operators"
      && aws_vpc_security_group_ingress_rule.operators.cidr_ipv4 == null
      && aws_vpc_security_group_ingress_rule.operators.from_port == 8080
      && aws_vpc_security_group_ingress_rule.operators.to_port == 8080
    )
    error_message = "the service's port alone, for operators alone"
  }
}

run "the_api_follows_cpu_and_requests" {
  command = plan

  assert {
    condition = (
      aws_appautoscaling_policy.cpu[0].target_tracking_scaling_policy_configuration[0].target_value == 60
      && aws_appautoscaling_policy.requests[0].target_tracking_scaling_policy_configuration[0].target_value == 30000
      && length(aws_appautoscaling_policy.backlog) == 0
    )
    error_message = "CPU and requests per target decide the number of tasks"
  }
}

run "a_floor_of_two" {
  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 2 && aws_ecs_service.this.desired_count == 2
    error_message = "a new service begins with its least number of tasks"
  }
}

# With the state of the run before. In between, scaling or an operator may have brought it to twelve.
run "a_raised_floor_is_scaling_s_and_the_number_of_tasks_is_left_alone" {
  variables {
    size = {
      architecture = "ARM64"
      cpu          = 256
      memory       = 512
      minimum      = 6
      maximum      = 20
    }
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 6 && aws_ecs_service.this.desired_count == 2
    error_message = "an apply would set the number of tasks back to the least"
  }
}

run "a_worker_takes_no_traffic_and_follows_its_backlog" {
  command = plan

  variables {
    name          = "sales-dev-worker"
    load_balancer = null
    scaling       = { backlog = { messages_per_task = 500, queue_name = "sales-dev-sales" } }
  }

  assert {
    condition = (
      length(aws_vpc_security_group_ingress_rule.load_balancer) == 0
      && length(aws_ecs_service.this.load_balancer) == 0
    )
    error_message = "nobody but operators can reach a worker"
  }

  assert {
    condition = flatten([
      for tracking in aws_appautoscaling_policy.backlog[0].target_tracking_scaling_policy_configuration : [
        for metric in tracking.customized_metric_specification[0].metrics : metric.expression if metric.return_data
      ]
    ]) == ["backlog / tasks"]
    error_message = "the measure is the backlog per task"
  }
}

run "an_image_by_tag_is_refused" {
  command = plan

  variables {
    image = "111122223333.dkr.ecr.sa-east-1.amazonaws.com/sales-dev/sales-api:latest"
  }

  expect_failures = [var.image]
}

run "one_task_is_refused" {
  command = plan

  variables {
    size = {
      architecture = "ARM64"
      cpu          = 256
      memory       = 512
      minimum      = 1
      maximum      = 20
    }
  }

  expect_failures = [var.size]
}

run "one_task_may_be_all_if_nothing_scales_it" {
  command   = plan
  state_key = "one-task"

  variables {
    size = {
      architecture = "ARM64"
      cpu          = 256
      memory       = 1024
      minimum      = 1
      maximum      = 1
    }
    scaling       = null
    load_balancer = null
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 1 && aws_ecs_service.this.deployment_minimum_healthy_percent == 100
    error_message = "one task, which runs until the next one does"
  }

  assert {
    condition = (
      length(aws_appautoscaling_target.this) == 0 && length(aws_appautoscaling_policy.cpu) == 0
      && length(aws_appautoscaling_policy.requests) == 0 && length(aws_appautoscaling_policy.backlog) == 0
    )
    error_message = "a target without a policy would still raise the number to its minimum"
  }
}

run "a_range_without_scaling_is_refused" {
  command = plan

  variables {
    scaling = null
  }

  expect_failures = [var.size]
}

run "scaling_by_nothing_is_refused" {
  command = plan

  variables {
    scaling = {}
  }

  expect_failures = [var.scaling]
}

run "a_stop_timeout_that_fargate_would_not_keep_is_refused" {
  command = plan

  variables {
    stop_timeout = 300
  }

  expect_failures = [var.stop_timeout]
}
