mock_provider "aws" {
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name                   = "sales-dev-lake-111122223333-sa-east-1"
  key_arn                = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  version_retention_days = 90
}

run "objects_can_be_taken_back" {
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "replication needs versions"
  }


  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days
      == 90
    )
    error_message = "old versions go after the days asked for"
  }

  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.this.rule[3].abort_incomplete_multipart_upload[0].days_after_initiation
      == 1
    )
    error_message = "unfinished uploads cost for ever"
  }
}

run "the_journal_gets_cold_after_three_months_and_ends_after_three_years" {
  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : one(rule.filter[*].prefix) => one(rule.expiration).days
      if try(one(rule.expiration).days, 0) > 0
    } == { "journal/" = 1095 }
    error_message = "the journal ends, and nothing else does: current files are the table"
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      one(rule.filter[*].prefix) => "${one(rule.transition).storage_class} ${one(rule.transition).days}"
      if length(rule.transition) > 0
    } == { "journal/" = "GLACIER_IR 90" }
    error_message = "the journal is read at once where a table is rebuilt, and the table is read every day"
  }
}

run "removed_files_of_the_table_are_kept_for_a_week" {
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      one(rule.noncurrent_version_expiration).noncurrent_days if one(rule.filter[*].prefix) == "table/"
    ] == [7]
    error_message = "rewritten files would be kept for months, several times the table"
  }
}

run "removed_files_are_kept_no_longer_than_what_else_is_removed" {
  variables {
    version_retention_days = 3
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      one(rule.noncurrent_version_expiration).noncurrent_days if one(rule.filter[*].prefix) == "table/"
    ] == [3]
    error_message = "the environment's own limit is the upper one"
  }
}

run "a_journal_that_ends_before_cold_storage_pays_is_refused" {
  command = plan

  variables {
    journal_retention_days = 100
  }

  expect_failures = [var.journal_retention_days]
}

run "nobody_from_outside_gets_in_and_nobody_without_tls" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "public access is possible"
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "access lists are off"
  }

  assert {
    condition = (
      data.aws_iam_policy_document.this.statement[0].effect == "Deny"
      && length(data.aws_iam_policy_document.this.statement[0].resources) == 2
    )
    error_message = "the bucket and its objects are asked over TLS"
  }
}

run "objects_are_encrypted_with_our_key_cheaply" {
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.key_arn
    ])
    error_message = "not our key"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    error_message = "without it, KMS is asked for each object"
  }
}

run "versions_are_kept_for_a_day_at_least" {
  command = plan

  variables {
    version_retention_days = 0
  }

  expect_failures = [var.version_retention_days]
}

run "a_lake_that_holds_sales_is_deleted_only_where_that_is_said" {
  command = plan

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "sales would be deleted with the bucket"
  }
}

run "a_lake_can_be_deleted_with_what_it_holds" {
  command = plan

  variables {
    force_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy
    error_message = "it would have to be emptied by hand"
  }
}
