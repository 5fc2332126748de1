mock_provider "aws" {}

variables {
  table_arn           = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales"
  region              = "us-east-1"
  deletion_protection = true
  key_arn             = "arn:aws:kms:us-east-1:111122223333:key/mrk-1"
}

run "a_replica_is_as_safe_as_the_table" {
  command = plan

  assert {
    condition     = aws_dynamodb_table_replica.this.point_in_time_recovery
    error_message = "point-in-time recovery is per replica"
  }

  assert {
    condition     = aws_dynamodb_table_replica.this.deletion_protection_enabled
    error_message = "deletion protection is per replica"
  }

  assert {
    condition     = aws_dynamodb_table_replica.this.kms_key_arn == var.key_arn
    error_message = "a replica has the key of its own region"
  }
}

run "the_key_of_another_region_is_refused" {
  command = plan

  variables {
    key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }

  expect_failures = [var.key_arn]
}

run "a_replica_beside_its_table_is_refused" {
  command = plan

  variables {
    region  = "sa-east-1"
    key_arn = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }

  expect_failures = [aws_dynamodb_table_replica.this]
}
