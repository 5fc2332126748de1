mock_provider "aws" {}

variables {
  name          = "sales-dev"
  monthly_limit = 700
  emails        = ["operators@example.com"]
}

run "it_tells_what_is_forecast_and_what_is_spent" {
  command = plan

  assert {
    condition     = aws_budgets_budget.monthly.limit_amount == "700.0" && aws_budgets_budget.monthly.time_unit == "MONTHLY"
    error_message = "the limit is another one"
  }

  assert {
    condition     = toset([for n in aws_budgets_budget.monthly.notification : n.notification_type]) == toset(["ACTUAL", "FORECASTED"])
    error_message = "a notification is missing"
  }

  assert {
    condition     = alltrue([for n in aws_budgets_budget.monthly.notification : contains(n.subscriber_email_addresses, "operators@example.com")])
    error_message = "somebody is not told"
  }
}

run "without_addresses_it_is_there_and_tells_nobody" {
  command = plan

  variables {
    emails = []
  }

  assert {
    condition     = length(aws_budgets_budget.monthly.notification) == 0
    error_message = "a notification without anybody to tell would be refused by AWS"
  }
}

run "a_budget_of_nothing_is_refused" {
  command = plan

  variables {
    monthly_limit = 0
  }

  expect_failures = [var.monthly_limit]
}
