# Services log their own metrics once a minute in one line; metric filters convert it, so that they need neither a permission
# to write metrics nor an agent. Unknown values are missing from the line.

locals {
  vital_signs = {
    api-state-age = {
      log_group = var.services.api.log_group_name
      field     = "state_age_seconds"
      metric    = "ApiStateAge"
      unit      = "Seconds"
    }
    worker-state-age = {
      log_group = var.services.worker.log_group_name
      field     = "state_age_seconds"
      metric    = "WorkerStateAge"
      unit      = "Seconds"
    }
    pending = {
      log_group = var.services.worker.log_group_name
      field     = "pending"
      metric    = "Pending"
      unit      = "Count"
    }
    pending-oldest-age = {
      log_group = var.services.worker.log_group_name
      field     = "pending_oldest_age_seconds"
      metric    = "PendingOldestAge"
      unit      = "Seconds"
    }
    table-age = {
      log_group = var.services.lake.log_group_name
      field     = "table_age_seconds"
      metric    = "TableAge"
      unit      = "Seconds"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "vital_sign" {
  for_each = local.vital_signs

  name           = "${var.prefix}-${each.key}"
  log_group_name = each.value.log_group
  pattern        = "{ ($.message = \"vital signs\") && ($.${each.value.field} >= 0) }"

  metric_transformation {
    namespace = var.prefix
    name      = each.value.metric
    value     = "$.${each.value.field}"
    unit      = each.value.unit
  }
}
