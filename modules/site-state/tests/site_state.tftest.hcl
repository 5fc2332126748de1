mock_provider "aws" {}

variables {
  region            = "sa-east-1"
  state             = "ACTIVE"
  parameter         = "/sales-dev/site/state"
  applied_parameter = "/sales-dev/site/applied-state"
}

run "the_first_apply_creates_both_parameters" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = { names = [], values = [] }
  }

  assert {
    condition     = aws_ssm_parameter.state.name == "/sales-dev/site/state" && aws_ssm_parameter.state.insecure_value == "ACTIVE"
    error_message = "the state is not what the map says"
  }

  assert {
    condition     = aws_ssm_parameter.applied.insecure_value == "ACTIVE"
    error_message = "what is applied is not recorded"
  }
}

run "a_changed_map_switches" {
  command = plan

  variables {
    state = "PASSIVE"
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/applied-state", "/sales-dev/site/state"]
      values = ["ACTIVE", "ACTIVE"]
    }
  }

  assert {
    condition     = aws_ssm_parameter.state.insecure_value == "PASSIVE"
    error_message = "the state is not what the map says"
  }
}

run "what_an_operator_has_switched_is_not_undone" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/applied-state", "/sales-dev/site/state"]
      values = ["ACTIVE", "PASSIVE"]
    }
  }

  expect_failures = [aws_ssm_parameter.state]
}

run "it_is_undone_when_that_is_said" {
  command = plan

  variables {
    undo_switch = true
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/applied-state", "/sales-dev/site/state"]
      values = ["ACTIVE", "PASSIVE"]
    }
  }

  assert {
    condition     = aws_ssm_parameter.state.insecure_value == "ACTIVE"
    error_message = "the map does not win"
  }
}

run "a_switch_that_the_map_follows_is_recorded" {
  command = plan

  variables {
    state = "PASSIVE"
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/applied-state", "/sales-dev/site/state"]
      values = ["ACTIVE", "PASSIVE"]
    }
  }

  assert {
    condition     = aws_ssm_parameter.applied.insecure_value == "PASSIVE"
    error_message = "what is applied is not recorded"
  }
}

run "a_deleted_parameter_is_created_again" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/applied-state"]
      values = ["PASSIVE"]
    }
  }

  assert {
    condition     = aws_ssm_parameter.state.insecure_value == "ACTIVE"
    error_message = "the state is not what the map says"
  }
}

run "a_state_of_unknown_origin_is_not_overwritten" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.site
    values = {
      names  = ["/sales-dev/site/state"]
      values = ["PASSIVE"]
    }
  }

  expect_failures = [aws_ssm_parameter.state]
}

run "a_third_state_is_refused" {
  command = plan

  variables {
    state = "STANDBY"
  }

  expect_failures = [var.state]
}

run "a_record_that_would_not_be_found_is_refused" {
  command = plan

  variables {
    applied_parameter = "/elsewhere/applied-state"
  }

  expect_failures = [var.applied_parameter]
}
