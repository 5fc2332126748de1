# Replication of the journal from one region's lake to all others. Each lake replicates, so that all lakes have the journals of
# all regions; replicas are not replicated again. Objects older than their rule are not replicated: when a region is added, S3
# Batch Replication can copy them once.

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

      # S3 wants this element beside a filter. Objects are only deleted by hand, and then not in all regions at once.
      delete_marker_replication {
        status = "Disabled"
      }

      source_selection_criteria {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }

        # Tags set on a replica are replicated back.
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

        # If a region is lost, objects that were not replicated are missing elsewhere until it returns. The limit of fifteen
        # minutes costs less than a cent per million sales, and its metrics show delays.
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
  # FOLDER in sales/src/journal.rs. Other objects stay in their region.
  prefix = "journal/"

  regions = sort(keys(var.destinations))
  rules = [for region in local.regions : merge(var.destinations[region], {
    region   = region
    priority = index(local.regions, region) + 1
  })]
}
