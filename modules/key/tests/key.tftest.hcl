mock_provider "aws" {
  override_data {
    target = data.aws_iam_policy_document.this
    values = { json = "{}" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1", key_id = "mrk-1" }
  }
  mock_resource "aws_kms_replica_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1", key_id = "mrk-1" }
  }
}

variables {
  alias       = "alias/sales-dev"
  description = "Sales"
  account     = "111122223333"
  region      = "sa-east-1"

  sns_principals = ["sns.amazonaws.com", "sns.af-south-1.amazonaws.com"]
}

run "the_primary_is_a_multi_region_key_that_rotates" {
  assert {
    condition     = aws_kms_key.primary[0].multi_region && aws_kms_key.primary[0].enable_key_rotation
    error_message = "only a multi-region key can have replicas, and keys rotate"
  }

  assert {
    condition     = length(aws_kms_replica_key.this) == 0 && aws_kms_alias.this[0].target_key_id == "mrk-1"
    error_message = "the alias is the primary's"
  }
}

run "elsewhere_it_is_a_replica" {
  variables {
    region      = "us-east-1"
    primary_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }

  assert {
    condition     = length(aws_kms_key.primary) == 0
    error_message = "there is one primary"
  }

  assert {
    condition     = output.arn == "arn:aws:kms:us-east-1:111122223333:key/mrk-1"
    error_message = "a region's key is its own"
  }
}

run "in_its_own_region_the_primary_is_the_key" {
  command = plan

  variables {
    primary_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }

  assert {
    condition     = output.arn == var.primary_arn && length(aws_kms_replica_key.this) + length(aws_kms_alias.this) == 0
    error_message = "nothing is made twice"
  }
}

run "services_are_let_in_for_this_account_alone" {
  command = plan

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      statement.sid == "RolesOfTheAccount" || length(statement.condition) > 0
    ])
    error_message = "a statement lets in others without a condition"
  }

  assert {
    condition = anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for principal in statement.principals : length(setsubtract(var.sns_principals, principal.identifiers)) == 0
      ]
    ]))
    error_message = "without each of its names, SNS drops messages to encrypted queues silently"
  }
}

run "the_names_of_aws_are_refused" {
  command = plan

  variables {
    alias = "alias/aws/dynamodb"
  }

  expect_failures = [var.alias]
}
