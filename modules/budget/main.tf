# The costs of the whole account: a budget by tag counts nothing until the tag is activated in the paying account, and a budget
# that counts nothing never alarms. So each environment should have its own account.

locals {
  # In percent of the limit. A forecast alarms days before actual costs.
  notifications = {
    "forecast to exceed it" = { type = "FORECASTED", threshold = 100 }
    "most of it spent"      = { type = "ACTUAL", threshold = 80 }
    "all of it spent"       = { type = "ACTUAL", threshold = 100 }
  }
}

resource "aws_budgets_budget" "monthly" {
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = format("%.1f", var.monthly_limit)
  limit_unit   = "USD"

  dynamic "notification" {
    # A notification needs at least one address.
    for_each = length(var.emails) == 0 ? {} : local.notifications

    content {
      notification_type          = notification.value.type
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value.threshold
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.emails
    }
  }
}
