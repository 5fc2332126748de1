# What only the services know, they log once a minute in one line; the line becomes metrics here, so that they need no
# permission to write metrics, and no agent. What a service does not know, its line does not have.

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
