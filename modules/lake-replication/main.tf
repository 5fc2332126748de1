# From one region's lake to those of all others. Each lake does this, so that whatever any region writes is in all of
# them; what has been replicated is not replicated again. What was there before its rule is not replicated by it: where
# a region is added, S3 Batch Replication copies that once.

resource "aws_s3_bucket_replication_configuration" "this" {
  bucket = var.source_lake.bucket
  role   = aws_iam_role.this.arn

  dynamic "rule" {
    for_each = local.rules

    content {
      id       = "to-${rule.value.region}"
      priority = rule.value.priority
      status   = "Enabled"

      filter {
        prefix = local.prefix
      }

      # Nobody deletes from a lake but by hand, and then not in all regions at once.
      delete_marker_replication {
        status = "Disabled"
      }

      source_selection_criteria {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }

        # Tags that are set on a copy come back to the original.
        replica_modifications {
          status = "Enabled"
        }
      }

      destination {
        bucket        = rule.value.arn
        storage_class = "STANDARD"

        encryption_configuration {
          replica_kms_key_id = rule.value.key_arn
        }

        # What is not replicated when a region is lost is missing elsewhere until it returns. Fifteen minutes at most
        # cost less than a cent for a million sales, and the metrics show what is late.
        replication_time {
          status = "Enabled"

          time {
            minutes = 15
          }
        }

        metrics {
          status = "Enabled"

          event_threshold {
            minutes = 15
          }
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

locals {
  # Everything; an object that begins otherwise stays in its region.
  prefix = ""

  regions = sort(keys(var.destinations))
  rules = [for region in local.regions : merge(var.destinations[region], {
    region   = region
    priority = index(local.regions, region) + 1
  })]
}
