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
  region        = "us-east-1"
  state_store   = { bucket = "sales-dev-terraform-111122223333", region = "us-west-2" }
}

run "a_topic_feeds_the_queues_of_three_regions" {
  assert {
    condition     = toset(keys(module.subscriptions.arns)) == toset(["eu-west-1", "sa-east-1", "us-east-1"])
    error_message = "a region does not hear of the sales of another"
  }
}

run "a_lake_is_replicated_to_the_two_others" {
  assert {
    condition     = toset(keys(module.lake_replication["us-east-1"].rules)) == toset(["eu-west-1", "sa-east-1"])
    error_message = "a lake lacks what others write"
  }

  assert {
    condition     = local.key_arns["eu-west-1"] == "arn:aws:kms:eu-west-1:111122223333:key/mrk-1"
    error_message = "each copy is encrypted with the key of its region"
  }

  assert {
    condition = output.lake_replication == {
      bucket = "sales-dev-lake-111122223333-us-east-1"
      prefix = "journal/"
      destinations = {
        eu-west-1 = "sales-dev-lake-111122223333-eu-west-1"
        sa-east-1 = "sales-dev-lake-111122223333-sa-east-1"
      }
    }
    error_message = "the pipeline tries it from here to both"
  }
}

run "one_region_alone_replicates_to_nobody" {
  variables {
    regions = { sa-east-1 = { cidr = "10.10.0.0/16" } }
    states  = { sa-east-1 = "ACTIVE" }
    region  = "sa-east-1"
  }

  assert {
    condition = (
      length(module.lake_replication) == 0 && length(module.subscriptions.arns) == 1 && output.lake_replication == null
    )
    error_message = "a region feeds its own queue"
  }
}

run "a_region_that_is_not_there_is_refused" {
  command = plan

  variables {
    region = "ap-south-1"
  }

  expect_failures = [var.region]
}
