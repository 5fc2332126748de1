# A replica of a global table in the region in which this is applied.

resource "aws_dynamodb_table_replica" "this" {
  global_table_arn            = var.table_arn
  kms_key_arn                 = var.key_arn
  point_in_time_recovery      = true
  deletion_protection_enabled = var.deletion_protection

  lifecycle {
    # The provider replaces a replica whose key differs, that is, it deletes the region's data. A region's key never
    # changes; where AWS does not tell it (emulators do not), nothing is to be done about it.
    ignore_changes = [kms_key_arn]

    precondition {
      condition     = provider::aws::arn_parse(var.table_arn).region != var.region
      error_message = "the table is in ${var.region} already: a replica must be in another region."
    }
  }
}
