# The primary replica of a global table; modules/table-replica adds the others, each in its region.

resource "aws_dynamodb_table" "this" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.deletion_protection

  # Replication reads this stream.
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "id"
    type = "S"
  }

  dynamic "attribute" {
    for_each = var.index == null ? [] : [var.index.hash, var.index.range]

    content {
      name = attribute.value.name
      type = attribute.value.type
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.index == null ? [] : [var.index]

    content {
      name            = global_secondary_index.value.name
      hash_key        = global_secondary_index.value.hash.name
      range_key       = global_secondary_index.value.range.name
      projection_type = "KEYS_ONLY"
    }
  }

  dynamic "ttl" {
    for_each = var.ttl_attribute == null ? [] : [var.ttl_attribute]

    content {
      enabled        = true
      attribute_name = ttl.value
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.key_arn
  }

  lifecycle {
    # Managed in their regions.
    ignore_changes = [replica]
  }
}
