mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "sa-east-1" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["sa-east-1c", "sa-east-1a", "sa-east-1b"] }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:sa-east-1:111122223333:log-group:/vpc/sales-dev/flow-logs" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sales-dev-flow-logs-sa-east-1" }
  }
}

variables {
  name = "sales-dev"
  cidr = "10.10.0.0/16"
  # As the services have it.
  service_port = 8080
  logs = {
    retention_days = 7
    key_arn        = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
}

run "three_zones_have_subnets_that_do_not_overlap" {
  command = plan

  assert {
    condition = values(aws_subnet.private)[*].cidr_block == [
      "10.10.0.0/18", "10.10.64.0/18", "10.10.128.0/18"
    ]
    error_message = "each zone has a private quarter of the range"
  }

  assert {
    condition = values(aws_subnet.public)[*].cidr_block == [
      "10.10.192.0/22", "10.10.196.0/22", "10.10.200.0/22"
    ]
    error_message = "the public subnets lie in the last quarter"
  }

  assert {
    condition     = alltrue([for subnet in values(aws_subnet.public) : subnet.map_public_ip_on_launch != true])
    error_message = "nothing gets a public address by itself"
  }
}

run "operators_stand_where_no_service_runs" {
  command = plan

  assert {
    condition = values(aws_subnet.operators)[*].cidr_block == [
      "10.10.204.0/24", "10.10.205.0/24", "10.10.206.0/24"
    ]
    error_message = "their subnets overlap with those of services or of what faces the internet"
  }

  assert {
    condition     = output.operators.cidr == "10.10.204.0/22"
    error_message = "other regions let these addresses in: no more than those of operators"
  }

  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_egress_rule.operators :
      rule.cidr_ipv4 == "10.10.0.0/16" && contains([443, 8080], rule.from_port) && rule.from_port == rule.to_port
    ])
    error_message = "operators reach services and endpoints, and not the internet"
  }
}

run "each_zone_goes_out_through_its_own_nat_gateway" {
  assert {
    condition = alltrue([
      for zone, route in aws_route.private : route.nat_gateway_id == aws_nat_gateway.this[zone].id
    ])
    error_message = "a zone must not depend on another zone's NAT gateway"
  }

  assert {
    condition = alltrue([
      for route in values(aws_route.private) : route.gateway_id == null || route.gateway_id == ""
    ])
    error_message = "a NAT gateway is named by nat_gateway_id, as gateway_id would differ for ever"
  }

  assert {
    condition     = length(distinct(values(aws_nat_gateway.this)[*].id)) == 3
    error_message = "there are three NAT gateways"
  }
}

run "one_nat_gateway_serves_all_zones_by_choice" {
  variables {
    single_nat_gateway = true
  }

  assert {
    condition = (
      length(aws_nat_gateway.this) == 1 && length(distinct(values(aws_route.private)[*].nat_gateway_id)) == 1
    )
    error_message = "there is one NAT gateway, and all routes lead to it"
  }
}

run "calls_to_aws_stay_inside" {
  command = plan

  assert {
    condition     = toset(keys(aws_vpc_endpoint.gateway)) == toset(["dynamodb", "s3"])
    error_message = "tables and buckets are reached through gateway endpoints"
  }

  assert {
    condition     = alltrue([for endpoint in values(aws_vpc_endpoint.interface) : endpoint.private_dns_enabled])
    error_message = "an interface endpoint answers for its service's name"
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.10.0.0/16"
      && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443
    )
    error_message = "endpoints take HTTPS from the VPC alone"
  }
}

run "flow_logs_are_encrypted_and_kept_as_long_as_said" {
  command = plan

  assert {
    condition = (
      aws_cloudwatch_log_group.flow_logs.kms_key_id == var.logs.key_arn
      && aws_cloudwatch_log_group.flow_logs.retention_in_days == 7
    )
    error_message = "flow logs have the key and the retention of the environment"
  }
}

run "a_region_with_two_zones_is_refused" {
  command = plan

  override_data {
    target = data.aws_availability_zones.usable
    values = { names = ["us-west-1a", "us-west-1c"] }
  }

  expect_failures = [data.aws_availability_zones.usable]
}

run "another_size_than_a_16_is_refused" {
  command = plan

  variables {
    cidr = "10.0.0.0/20"
  }

  expect_failures = [var.cidr]
}
