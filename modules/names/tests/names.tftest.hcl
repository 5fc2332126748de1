variables {
  project     = "sales"
  environment = "dev"
  account     = "111122223333"
  domain      = "sales.example.com"
  regions     = ["sa-east-1", "us-east-1"]
}

run "names_are_the_same_in_every_region_and_arns_are_not" {
  command = plan

  assert {
    condition     = output.regions["sa-east-1"].sales_table == output.regions["us-east-1"].sales_table
    error_message = "the replicas of a global table have one name"
  }

  assert {
    condition     = output.regions["us-east-1"].queue_arn == "arn:aws:sqs:us-east-1:111122223333:sales-dev-sales"
    error_message = "an ARN is in its own region"
  }

  assert {
    condition     = output.regions["sa-east-1"].lake != output.regions["us-east-1"].lake
    error_message = "all regions share the names of buckets"
  }

  assert {
    condition     = output.regions["sa-east-1"].queries != output.regions["us-east-1"].queries
    error_message = "all regions share the names of buckets"
  }
}

run "sns_has_one_name_in_regions_that_every_account_has" {
  command = plan

  assert {
    condition     = output.sns_principals == ["sns.amazonaws.com"]
    error_message = "a policy with the name of a region that the account does not have is refused"
  }
}

run "sns_has_a_name_of_its_own_for_a_region_that_is_opted_in_to" {
  command = plan

  variables {
    regions = ["us-east-1", "me-central-1", "af-south-1"]
  }

  assert {
    condition = output.sns_principals == [
      "sns.amazonaws.com", "sns.af-south-1.amazonaws.com", "sns.me-central-1.amazonaws.com",
    ]
    error_message = "messages to and from Cape Town would vanish"
  }
}

run "an_account_has_twelve_digits" {
  command = plan

  variables {
    account = "1111"
  }

  expect_failures = [var.account]
}
