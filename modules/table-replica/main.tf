# A replica of a global table in the provider's region.

resource "aws_dynamodb_table_replica" "this" {
  global_table_arn            = var.table_arn
  kms_key_arn                 = var.key_arn
  point_in_time_recovery      = true
  deletion_protection_enabled = var.deletion_protection

  lifecycle {
    # The provider replaces a replica if its key differs, which deletes the region's data. A region's key never changes;
    # emulators do not report it, which must not cause a replacement.
    ignore_changes = [kms_key_arn]

    precondition {
      condition     = provider::aws::arn_parse(var.table_arn).region != var.region
      error_message = "the table is in ${var.region} already: a replica must be in another region."
    }
  }
}
