mock_provider "aws" {}

variables {
  name                = "sales-dev-sales"
  deletion_protection = true
  key_arn             = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
}

run "a_table_can_be_replicated_restored_and_not_deleted" {
  command = plan

  assert {
    condition = (
      aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
      && aws_dynamodb_table.this.stream_enabled
    )
    error_message = "global tables need a stream of both images"
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "no point-in-time recovery"
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the table can be deleted"
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.key_arn
    error_message = "the table must have our own key"
  }

  assert {
    condition = (
      aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
      && aws_dynamodb_table.this.hash_key == "id"
    )
    error_message = "on demand, by id"
  }

  assert {
    condition = (
      length(aws_dynamodb_table.this.global_secondary_index) == 0
      && length(aws_dynamodb_table.this.ttl) == 0
    )
    error_message = "nothing that was not asked for"
  }
}

run "an_index_holds_keys_alone" {
  command = plan

  variables {
    index = {
      name  = "pending-index"
      hash  = { name = "pending", type = "S" }
      range = { name = "timestamp", type = "N" }
    }
  }

  assert {
    condition     = one(aws_dynamodb_table.this.global_secondary_index).projection_type == "KEYS_ONLY"
    error_message = "each write to the index costs by its size"
  }

  assert {
    condition = (
      { for attribute in aws_dynamodb_table.this.attribute : attribute.name => attribute.type }
      == { id = "S", pending = "S", timestamp = "N" }
    )
    error_message = "the keys of table and index, with their types"
  }
}

run "items_expire_by_their_own_attribute" {
  command = plan

  variables {
    ttl_attribute = "expires_at"
  }

  assert {
    condition = (
      one(aws_dynamodb_table.this.ttl).enabled
      && one(aws_dynamodb_table.this.ttl).attribute_name == "expires_at"
    )
    error_message = "items do not expire"
  }
}

run "other_types_of_keys_are_refused" {
  command = plan

  variables {
    index = {
      name  = "pending-index"
      hash  = { name = "pending", type = "BOOL" }
      range = { name = "timestamp", type = "N" }
    }
  }

  expect_failures = [var.index]
}
