mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_resource "aws_vpc_peering_connection" {
    defaults = { id = "pcx-1" }
  }
}

mock_provider "aws" {
  alias = "peer"

  mock_resource "aws_vpc_peering_connection_accepter" {
    defaults = { id = "pcx-1" }
  }
}

override_data {
  target = data.terraform_remote_state.deployment["eu-west-1"]
  values = {
    outputs = {
      region = {
        network = {
          vpc_id                      = "vpc-eu"
          cidr                        = "10.12.0.0/16"
          private_route_table_ids     = { eu-west-1a = "rtb-eu-a" }
          operators_cidr              = "10.12.204.0/22"
          operators_route_table_id    = "rtb-eu-operators"
          operators_security_group_id = "sg-eu-operators"
          service_port                = 8080
          service_security_group_ids  = { api = "sg-eu-api", worker = "sg-eu-worker" }
        }
      }
    }
  }
}

override_data {
  target = data.terraform_remote_state.deployment["us-east-1"]
  values = {
    outputs = {
      region = {
        network = {
          vpc_id                      = "vpc-us"
          cidr                        = "10.11.0.0/16"
          private_route_table_ids     = { us-east-1a = "rtb-us-a" }
          operators_cidr              = "10.11.204.0/22"
          operators_route_table_id    = "rtb-us-operators"
          operators_security_group_id = "sg-us-operators"
          service_port                = 8080
          service_security_group_ids  = { api = "sg-us-api", worker = "sg-us-worker" }
        }
      }
    }
  }
}

variables {
  project     = "sales"
  environment = "dev"
  domain      = "sales.example.com"
  regions = {
    sa-east-1 = { cidr = "10.10.0.0/16" }
    us-east-1 = { cidr = "10.11.0.0/16" }
    eu-west-1 = { cidr = "10.12.0.0/16" }
  }
  home_region   = "sa-east-1"
  backup_region = "us-west-2"
  states        = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE", eu-west-1 = "PASSIVE" }
  region        = "eu-west-1"
  peer          = "us-east-1"
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
}

run "two_regions_are_connected_though_neither_is_home" {
  assert {
    condition     = output.id == "pcx-1" && toset(keys(data.terraform_remote_state.deployment)) == toset(["eu-west-1", "us-east-1"])
    error_message = "it reads of its own two regions, and needs no other"
  }
}

run "a_pair_the_other_way_round_is_refused" {
  command = plan

  variables {
    region = "us-east-1"
    peer   = "eu-west-1"
  }

  expect_failures = [var.peer]
}

run "a_region_with_itself_is_refused" {
  command = plan

  variables {
    peer = "eu-west-1"
  }

  expect_failures = [var.peer]
}
