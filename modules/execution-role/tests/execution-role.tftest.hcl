mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name         = "sales-dev-execution"
  account      = "111122223333"
  regions      = ["sa-east-1", "us-east-1"]
  repositories = ["sales-dev/sales-api", "sales-dev/sales-worker"]
  log_groups   = ["/ecs/sales-dev-api", "/ecs/sales-dev-worker"]
}

run "own_images_and_own_logs_in_each_region_and_nothing_else" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      length(statement.resources) == 4 || toset(statement.actions) == toset(["ecr:GetAuthorizationToken"])
    ])
    error_message = "two regions times two services"
  }

  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : strcontains(action, "*")
      ]
    ]))
    error_message = "an action with a wildcard"
  }
}

run "ecs_of_this_account_takes_the_role" {
  assert {
    condition = contains(flatten([
      for condition in data.aws_iam_policy_document.trust.statement[0].condition : condition.values
    ]), "111122223333")
    error_message = "ECS could be made to take the role for another account"
  }
}

run "log_groups_by_wildcard_are_refused" {
  command = plan

  variables {
    log_groups = ["/ecs/*"]
  }

  expect_failures = [var.log_groups]
}
