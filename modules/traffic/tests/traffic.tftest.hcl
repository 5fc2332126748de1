variables {
  regions = ["sa-east-1", "us-east-1"]
  states  = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE" }
}

run "a_passive_region_gets_nothing" {
  command = plan

  assert {
    condition     = output.dials == { sa-east-1 = 100, us-east-1 = 0 }
    error_message = "the dials do not follow the map"
  }
}

run "a_flipped_map_flips_the_traffic" {
  command = plan

  variables {
    states = { sa-east-1 = "PASSIVE", us-east-1 = "ACTIVE" }
  }

  assert {
    condition     = output.dials == { sa-east-1 = 0, us-east-1 = 100 }
    error_message = "the dials do not follow the map"
  }
}

run "regions_that_are_active_side_by_side_share_alike" {
  command = plan

  variables {
    regions = ["eu-west-1", "sa-east-1", "us-east-1"]
    states  = { eu-west-1 = "ACTIVE", sa-east-1 = "ACTIVE", us-east-1 = "ACTIVE" }
  }

  assert {
    condition     = alltrue([for dial in values(output.dials) : dial == 100])
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

run "a_region_that_is_not_there_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "ACTIVE", us-east-1 = "PASSIVE", eu-west-1 = "ACTIVE" }
  }

  expect_failures = [var.states]
}

run "a_region_without_a_state_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "ACTIVE" }
  }

  expect_failures = [var.states]
}

run "a_third_state_is_refused" {
  command = plan

  variables {
    states = { sa-east-1 = "ACTIVE", us-east-1 = "standby" }
  }

  expect_failures = [var.states]
}
