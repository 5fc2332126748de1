# The region's state follows from the map of states. That a switch by an operator is not undone, modules/site-state tests:
# what a module expects to fail cannot be named from outside.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
  }
}

override_data {
  target = data.terraform_remote_state.pre_deployment
  values = {
    outputs = { key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1" }
  }
}

# As it was last applied, and as it still is.
override_data {
  target = module.site_state.data.aws_ssm_parameters_by_path.site
  values = {
    names  = ["/sales-dev/site/applied-state", "/sales-dev/site/state"]
    values = ["PASSIVE", "PASSIVE"]
  }
}

variables {
  project     = "sales"
  environment = "dev"
  domain      = "sales.example.com"
  regions = {
    sa-east-1 = { cidr = "10.10.0.0/16" }
    us-east-1 = { cidr = "10.11.0.0/16" }
  }
  home_region   = "sa-east-1"
  backup_region = "us-west-2"
  states        = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE" }
  region        = "us-east-1"
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
}

run "a_region_has_its_own_state_of_the_map" {
  command = plan

  assert {
    condition     = output.state == "PASSIVE" && module.site_state.parameter == module.names.regions["us-east-1"].state_parameter
    error_message = "the state is another region's"
  }
}

run "a_flipped_map_switches" {
  command = plan

  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE" }
  }

  assert {
    condition     = output.state == "ACTIVE"
    error_message = "the state does not follow the map"
  }
}

run "it_is_undone_on_request" {
  command = plan

  variables {
    undo_switch = true
  }

  override_data {
    target = module.site_state.data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/applied-state", "/sales-dev/site/state"]
      values = ["PASSIVE", "ACTIVE"]
    }
  }

  assert {
    condition     = output.state == "PASSIVE"
    error_message = "the map does not win"
  }
}

run "a_map_without_an_active_region_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "PASSIVE" }
  }

  expect_failures = [var.states]
}
