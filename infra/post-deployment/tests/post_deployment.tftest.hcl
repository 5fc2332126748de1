# Without credentials: what this stage does with the map of states and with what the other stages have made.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sales-dev-backup" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:sa-east-1:111122223333:backup-vault:sales-dev" }
  }
}

mock_provider "aws" {
  alias = "us_west_2"

  mock_resource "aws_globalaccelerator_accelerator" {
    defaults = {
      arn      = "arn:aws:globalaccelerator::111122223333:accelerator/1234abcd-abcd-1234-abcd-1234abcdefgh"
      dns_name = "a1234567890abcdef.awsglobalaccelerator.com"
    }
  }
  mock_resource "aws_globalaccelerator_listener" {
    defaults = {
      arn = "arn:aws:globalaccelerator::111122223333:accelerator/1234abcd-abcd-1234-abcd-1234abcdefgh/listener/0123vxyz"
    }
  }
}

mock_provider "aws" {
  alias = "copies"

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:111122223333:key/11111111-2222-3333-4444-555555555555" }
  }
  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:us-west-2:111122223333:backup-vault:sales-dev-copies" }
  }
}

override_data {
  target = data.terraform_remote_state.pre_deployment
  values = {
    outputs = {
      zone_id = "Z0123456789ABCDEFGHIJ"
      key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-00000000000000000000000000000000"
    }
  }
}

override_data {
  target = data.terraform_remote_state.deployment["eu-west-1"]
  values = {
    outputs = {
      region = {
        nlb_arn                        = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
        nlb_dns_name                   = "sales-dev-0123456789abcdef.elb.eu-west-1.amazonaws.com"
        nlb_zone_id                    = "Z00000000000000000001"
        api_gateway_domain_name        = "d-cccccccccc.execute-api.eu-west-1.amazonaws.com"
        api_gateway_zone_id            = "Z10000000000000000001"
        api_gateway_region_domain_name = "d-ccccccccc1.execute-api.eu-west-1.amazonaws.com"
        api_gateway_region_zone_id     = "Z10000000000000000001"
        api_url                        = "https://api-eu-west-1.sales.example.com"
        queue_url                      = "https://sqs.eu-west-1.amazonaws.com/111122223333/sales-dev-sales"
        dead_letter_queue_url          = "https://sqs.eu-west-1.amazonaws.com/111122223333/sales-dev-sales-dead-letters"
        images                         = {}
        services                       = {}
      }
    }
  }
}

override_data {
  target = data.terraform_remote_state.deployment["sa-east-1"]
  values = {
    outputs = {
      region = {
        nlb_arn                        = "arn:aws:elasticloadbalancing:sa-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
        nlb_dns_name                   = "sales-dev-0123456789abcdef.elb.sa-east-1.amazonaws.com"
        nlb_zone_id                    = "Z00000000000000000002"
        api_gateway_domain_name        = "d-aaaaaaaaaa.execute-api.sa-east-1.amazonaws.com"
        api_gateway_zone_id            = "Z10000000000000000002"
        api_gateway_region_domain_name = "d-aaaaaaaaa1.execute-api.sa-east-1.amazonaws.com"
        api_gateway_region_zone_id     = "Z10000000000000000002"
        api_url                        = "https://api-sa-east-1.sales.example.com"
        queue_url                      = "https://sqs.sa-east-1.amazonaws.com/111122223333/sales-dev-sales"
        dead_letter_queue_url          = "https://sqs.sa-east-1.amazonaws.com/111122223333/sales-dev-sales-dead-letters"
        images                         = {}
        services                       = {}
      }
    }
  }
}

override_data {
  target = data.terraform_remote_state.deployment["us-east-1"]
  values = {
    outputs = {
      region = {
        nlb_arn                        = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/sales-dev/0123456789abcdef"
        nlb_dns_name                   = "sales-dev-0123456789abcdef.elb.us-east-1.amazonaws.com"
        nlb_zone_id                    = "Z00000000000000000003"
        api_gateway_domain_name        = "d-bbbbbbbbbb.execute-api.us-east-1.amazonaws.com"
        api_gateway_zone_id            = "Z10000000000000000003"
        api_gateway_region_domain_name = "d-bbbbbbbbb1.execute-api.us-east-1.amazonaws.com"
        api_gateway_region_zone_id     = "Z10000000000000000003"
        api_url                        = "https://api-us-east-1.sales.example.com"
        queue_url                      = "https://sqs.us-east-1.amazonaws.com/111122223333/sales-dev-sales"
        dead_letter_queue_url          = "https://sqs.us-east-1.amazonaws.com/111122223333/sales-dev-sales-dead-letters"
        images                         = {}
        services                       = {}
      }
    }
  }
}

variables {
  project       = "sales"
  environment   = "dev"
  domain        = "sales.example.com"
  home_region   = "sa-east-1"
  backup_region = "us-west-2"
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
  regions = {
    sa-east-1 = { cidr = "10.10.0.0/16" }
    us-east-1 = { cidr = "10.11.0.0/16" }
  }
  states = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE" }
}

run "a_passive_region_gets_no_traffic" {
  command = plan

  assert {
    condition     = module.traffic.dials == { sa-east-1 = 100, us-east-1 = 0 }
    error_message = "the dials do not follow the map"
  }

  assert {
    condition     = module.accelerator.dials == { sa-east-1 = 100, us-east-1 = 0 }
    error_message = "the accelerator's dials are not the map's"
  }
}

run "its_endpoint_is_as_ready_as_the_other" {
  command = plan

  assert {
    condition     = module.accelerator.endpoint_weights == { sa-east-1 = 128, us-east-1 = 128 }
    error_message = "PASSIVE is the dial's 0 and never an endpoint's weight: that would keep the region from taking over"
  }
}

run "a_flipped_map_flips_the_dials" {
  command = plan

  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE" }
  }

  assert {
    condition     = module.accelerator.dials == { sa-east-1 = 0, us-east-1 = 100 }
    error_message = "the accelerator's dials are not the map's"
  }

  assert {
    condition     = output.states == tomap({ sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE" })
    error_message = "the map is told otherwise"
  }
}

run "regions_that_are_active_side_by_side_share_alike" {
  command = plan

  variables {
    states = { sa-east-1 = "ACTIVE", us-east-1 = "ACTIVE" }
  }

  assert {
    condition     = module.accelerator.dials == { sa-east-1 = 100, us-east-1 = 100 }
    error_message = "a dial is not open"
  }
}

run "a_map_without_an_active_region_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "PASSIVE" }
  }

  expect_failures = [var.states]
}

run "a_map_with_an_unknown_region_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE", eu-west-1 = "ACTIVE" }
  }

  expect_failures = [var.states]
}

run "a_third_region_is_a_change_of_data" {
  command = plan

  variables {
    regions = {
      eu-west-1 = { cidr = "10.12.0.0/16" }
      sa-east-1 = { cidr = "10.10.0.0/16" }
      us-east-1 = { cidr = "10.11.0.0/16" }
    }
    states = { eu-west-1 = "ACTIVE", sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE" }
  }

  assert {
    condition     = module.accelerator.dials == { eu-west-1 = 100, sa-east-1 = 100, us-east-1 = 0 }
    error_message = "the third region has no dial of its own"
  }

  assert {
    condition     = toset(keys(module.dns.health_checks)) == toset(["eu-west-1", "sa-east-1", "us-east-1"])
    error_message = "the third region is no choice of DNS"
  }
}

run "both_regions_are_behind_both_choices" {
  assert {
    condition = {
      for name, answer in output.dns.answers : name => "${answer.target}: ${join(", ", answer.rules)}"
      } == {
      "api.sales.example.com active"           = "active.api.sales.example.com: failover PRIMARY"
      "api.sales.example.com ready"            = "ready.api.sales.example.com: failover SECONDARY"
      "active.api.sales.example.com sa-east-1" = "d-aaaaaaaaaa.execute-api.sa-east-1.amazonaws.com: latency sa-east-1"
      "active.api.sales.example.com us-east-1" = "d-bbbbbbbbbb.execute-api.us-east-1.amazonaws.com: latency us-east-1"
      "ready.api.sales.example.com sa-east-1"  = "d-aaaaaaaaaa.execute-api.sa-east-1.amazonaws.com: latency sa-east-1"
      "ready.api.sales.example.com us-east-1"  = "d-bbbbbbbbbb.execute-api.us-east-1.amazonaws.com: latency us-east-1"
    }
    error_message = "the PASSIVE region is not a choice as the ACTIVE one is"
  }
}

# With the state of the run before, so that a record that is left as it is keeps its health check.
run "a_flipped_map_changes_no_record" {
  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE" }
  }

  assert {
    condition     = output.dns.answers == run.both_regions_are_behind_both_choices.dns.answers
    error_message = "a record follows the map: after a switch by salesctl it would lead where it did before"
  }
}

run "what_dns_answers_by_can_be_looked_up" {
  assert {
    condition = (
      output.dns.zone_id == "Z0123456789ABCDEFGHIJ" && output.dns.host == "api.sales.example.com"
      && output.dns.choices == { first = "active.api.sales.example.com", second = "ready.api.sales.example.com" }
      && alltrue([for region in keys(var.regions) : length(distinct(values(output.dns.health_checks[region]))) == 2])
    )
    error_message = "salesctl needs the zone, the names and the health checks"
  }
}

run "the_operators_command_is_told_where_everything_is" {
  assert {
    condition     = output.salesctl_toml == file("tests/salesctl.toml")
    error_message = "salesctl.toml is another one:\n${output.salesctl_toml}"
  }
}

# The lock is taken off with what is to be emptied, or the vault would refuse.
run "what_is_to_be_destroyed_is_not_protected" {
  command = plan

  variables {
    deletion_protection = true
    teardown            = true
  }

  assert {
    condition     = output.states == var.states
    error_message = "nothing else changes before all is destroyed"
  }
}
