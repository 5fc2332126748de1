mock_provider "aws" {
  alias = "requester"

  mock_resource "aws_vpc_peering_connection" {
    defaults = { id = "pcx-1" }
  }
}

mock_provider "aws" {
  alias = "accepter"

  mock_resource "aws_vpc_peering_connection_accepter" {
    defaults = { id = "pcx-1" }
  }
}

variables {
  name = "sales-dev"
  requester = {
    region                      = "sa-east-1"
    vpc_id                      = "vpc-sa"
    cidr                        = "10.10.0.0/16"
    private_route_table_ids     = { sa-east-1a = "rtb-sa-a", sa-east-1b = "rtb-sa-b", sa-east-1c = "rtb-sa-c" }
    operators_cidr              = "10.10.204.0/22"
    operators_route_table_id    = "rtb-sa-operators"
    operators_security_group_id = "sg-sa-operators"
    service_port                = 8080
    service_security_group_ids  = { api = "sg-sa-api", worker = "sg-sa-worker" }
  }
  accepter = {
    region                      = "us-east-1"
    vpc_id                      = "vpc-us"
    cidr                        = "10.11.0.0/16"
    private_route_table_ids     = { us-east-1a = "rtb-us-a", us-east-1b = "rtb-us-b", us-east-1c = "rtb-us-c" }
    operators_cidr              = "10.11.204.0/22"
    operators_route_table_id    = "rtb-us-operators"
    operators_security_group_id = "sg-us-operators"
    service_port                = 8080
    service_security_group_ids  = { api = "sg-us-api", worker = "sg-us-worker" }
  }
}

run "one_side_asks_and_the_other_accepts" {
  command = plan

  assert {
    condition = (
      aws_vpc_peering_connection.this.vpc_id == "vpc-sa" && aws_vpc_peering_connection.this.peer_vpc_id == "vpc-us"
      && aws_vpc_peering_connection.this.peer_region == "us-east-1"
    )
    error_message = "the connection is another one's"
  }

  # AWS refuses auto_accept for another region.
  assert {
    condition = (
      aws_vpc_peering_connection.this.auto_accept == false && aws_vpc_peering_connection_accepter.this.auto_accept == true
    )
    error_message = "the connection would stay pending, and be gone after a week"
  }
}

run "names_resolve_to_private_addresses_on_both_sides_once_it_is_active" {
  assert {
    condition = (
      aws_vpc_peering_connection_options.requester.requester[0].allow_remote_vpc_dns_resolution
      && aws_vpc_peering_connection_options.accepter.accepter[0].allow_remote_vpc_dns_resolution
    )
    error_message = "a side resolves names to public addresses"
  }

  assert {
    condition = alltrue([
      for options in [aws_vpc_peering_connection_options.requester, aws_vpc_peering_connection_options.accepter] :
      options.vpc_peering_connection_id == aws_vpc_peering_connection_accepter.this.id
    ])
    error_message = "AWS refuses options of a connection that is pending"
  }
}

run "operators_reach_the_other_region_and_services_answer_operators_alone" {
  assert {
    condition = {
      for route in aws_route.requester : route.route_table_id => route.destination_cidr_block
      } == {
      rtb-sa-operators = "10.11.0.0/16"
      rtb-sa-a         = "10.11.204.0/22"
      rtb-sa-b         = "10.11.204.0/22"
      rtb-sa-c         = "10.11.204.0/22"
    }
    error_message = "a service could reach a service of the other region, and a sale cross"
  }

  assert {
    condition = {
      for route in aws_route.accepter : route.route_table_id => route.destination_cidr_block
      } == {
      rtb-us-operators = "10.10.0.0/16"
      rtb-us-a         = "10.10.204.0/22"
      rtb-us-b         = "10.10.204.0/22"
      rtb-us-c         = "10.10.204.0/22"
    }
    error_message = "a service could reach a service of the other region, and a sale cross"
  }

  assert {
    condition = alltrue([
      for route in concat(values(aws_route.requester), values(aws_route.accepter)) : route.vpc_peering_connection_id == "pcx-1"
    ])
    error_message = "a route leads elsewhere"
  }
}

run "security_groups_let_operators_to_the_services_port_and_nothing_else" {
  command = plan

  assert {
    condition = toset([
      for rule in concat(
        values(aws_vpc_security_group_ingress_rule.requester), values(aws_vpc_security_group_ingress_rule.accepter),
      ) : "${rule.security_group_id} ${rule.cidr_ipv4} ${rule.ip_protocol} ${rule.from_port}-${rule.to_port}"
      ]) == toset([
      "sg-sa-api 10.11.204.0/22 tcp 8080-8080",
      "sg-sa-worker 10.11.204.0/22 tcp 8080-8080",
      "sg-us-api 10.10.204.0/22 tcp 8080-8080",
      "sg-us-worker 10.10.204.0/22 tcp 8080-8080",
    ])
    error_message = "more is let in than operators to health and metrics"
  }

  assert {
    condition = toset([
      for rule in [aws_vpc_security_group_egress_rule.requester, aws_vpc_security_group_egress_rule.accepter] :
      "${rule.security_group_id} ${rule.cidr_ipv4} ${rule.ip_protocol} ${rule.from_port}-${rule.to_port}"
      ]) == toset([
      "sg-sa-operators 10.11.0.0/16 tcp 8080-8080",
      "sg-us-operators 10.10.0.0/16 tcp 8080-8080",
    ])
    error_message = "operators get further than to health and metrics"
  }

  # Which AWS refuses of another region's group.
  assert {
    condition = alltrue([
      for rule in concat(
        values(aws_vpc_security_group_ingress_rule.requester), values(aws_vpc_security_group_ingress_rule.accepter),
      ) : rule.referenced_security_group_id == null
    ])
    error_message = "a rule cannot name a security group of another region"
  }
}

run "networks_that_overlap_are_refused" {
  command = plan

  variables {
    accepter = {
      region                      = "us-east-1"
      vpc_id                      = "vpc-us"
      cidr                        = "10.10.0.0/16"
      private_route_table_ids     = {}
      operators_cidr              = "10.10.204.0/22"
      operators_route_table_id    = "rtb-us-operators"
      operators_security_group_id = "sg-us-operators"
      service_port                = 8080
      service_security_group_ids  = {}
    }
  }

  expect_failures = [var.accepter]
}
