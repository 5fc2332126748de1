mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "sa-east-1" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/app/sales-dev-alb/1" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:listener/app/sales-dev-alb/1/1" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:targetgroup/sales-dev-api/1" }
  }
}

variables {
  name = "sales-dev"
  network = {
    vpc_id     = "vpc-1"
    cidr       = "10.10.0.0/16"
    subnet_ids = ["subnet-1", "subnet-2", "subnet-3"]
  }
  hosts                     = ["sales.example.com", "api.sales.example.com", "api-sa-east-1.sales.example.com"]
  certificate_arn           = "arn:aws:acm:sa-east-1:111122223333:certificate/1"
  access_log_retention_days = 7
}

run "nothing_is_open_to_the_internet" {
  command = plan

  assert {
    condition     = aws_lb.network.internal && aws_lb.application.internal
    error_message = "both load balancers are internal"
  }
}

run "only_the_network_load_balancer_reaches_the_application_load_balancer" {
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.application.referenced_security_group_id == aws_security_group.network.id
      && aws_vpc_security_group_egress_rule.network.referenced_security_group_id == aws_security_group.application.id
    )
    error_message = "the two security groups name each other"
  }
}

run "what_no_rule_names_is_not_found" {
  command = plan

  assert {
    condition     = aws_lb_listener.application.default_action[0].fixed_response[0].status_code == "404"
    error_message = "a default action of 200 would keep a region without tasks healthy"
  }
}

run "a_region_is_healthy_while_its_tasks_answer" {
  command = plan

  assert {
    condition = alltrue([
      for check in [aws_lb_target_group.application.health_check[0], aws_lb_target_group.api.health_check[0]] :
      check.path == "/healthcheck" && check.protocol == "HTTPS" && check.matcher == "200"
    ])
    error_message = "both health checks end at the tasks"
  }

  assert {
    condition     = length(aws_lb_listener_rule.health.condition) == 1
    error_message = "a health check has no host, so that its rule must ask for none"
  }
}

run "rules_fit_what_a_load_balancer_takes" {
  command = plan

  assert {
    condition = alltrue([
      for rule in aws_lb_listener_rule.api : length(flatten([
        for condition in rule.condition : [
          [for host in condition.host_header : tolist(host.values)],
          [for path in condition.path_pattern : tolist(path.values)],
        ]
      ])) <= 5
    ])
    error_message = "a rule takes at most five values: three hosts and two paths"
  }

  assert {
    condition = !contains(flatten([
      for rule in aws_lb_listener_rule.api : [
        for condition in rule.condition : [for path in condition.path_pattern : tolist(path.values)]
      ]
    ]), "/metrics")
    error_message = "metrics are for operators inside"
  }
}

run "dns_hears_of_the_state_and_no_load_balancer_does" {
  command = plan

  assert {
    condition = anytrue(flatten([
      for rule in aws_lb_listener_rule.api : [
        for condition in rule.condition : [for path in condition.path_pattern : contains(path.values, "/active")]
      ]
    ]))
    error_message = "/active would be answered with 404, and Route 53 would take no region for ACTIVE"
  }

  assert {
    condition = alltrue([
      for group in [aws_lb_target_group.application, aws_lb_target_group.api] : group.health_check[0].path != "/active"
    ])
    error_message = "the tasks of a PASSIVE region would be replaced over and over"
  }
}

run "connections_are_closed_by_the_load_balancer_first" {
  command = plan

  assert {
    condition     = aws_lb.application.idle_timeout < 75
    error_message = "the API keeps idle connections for 75 s, and must keep them longer than the load balancer"
  }
}

run "load_balancers_refuse_to_be_deleted_unless_told_otherwise" {
  command = plan

  assert {
    condition     = aws_lb.network.enable_deletion_protection && aws_lb.application.enable_deletion_protection
    error_message = "deletion protection is the default"
  }
}

run "access_logs_end" {
  command = plan

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.access_logs.rule[0].expiration[0].days == 7
    error_message = "access logs are kept as long as the environment says"
  }

  assert {
    condition     = aws_s3_bucket.access_logs.bucket == "sales-dev-logs-111122223333-sa-east-1"
    error_message = "each region of each account has a bucket of its own"
  }
}

run "a_fourth_host_is_refused" {
  command = plan

  variables {
    hosts = ["a.example.com", "b.example.com", "c.example.com", "d.example.com"]
  }

  expect_failures = [var.hosts]
}

run "a_name_that_load_balancers_cannot_have_is_refused" {
  command = plan

  variables {
    name = "sales-in-a-very-long-environment"
  }

  expect_failures = [var.name]
}

run "access_logs_go_with_their_bucket_where_that_is_said" {
  command = plan

  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.access_logs.force_destroy
    error_message = "it would have to be emptied by hand"
  }
}
