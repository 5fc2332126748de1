mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name    = "sales-dev-worker-sa-east-1"
  service = "worker"
  account = "111122223333"
  region  = "sa-east-1"
  resources = {
    sales_table_arn       = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales"
    idempotency_table_arn = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales-idempotency"
    topic_arn             = "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales"
    queue_arn             = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales"
    dead_letter_queue_arn = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales-dead-letters"
    lake_arn              = "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"
    state_parameter_arn   = "arn:aws:ssm:sa-east-1:111122223333:parameter/sales-dev/site/state"
    key_arn               = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  }
}

run "the_worker_may_do_what_the_list_says_and_nothing_with_a_wildcard" {
  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : strcontains(action, "*")
      ]
    ]))
    error_message = "an action with a wildcard"
  }

  assert {
    condition = alltrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for arn in statement.resources : startswith(arn, "arn:aws:") && (!strcontains(arn, "*") || endswith(arn, "/*"))
      ]
    ]))
    error_message = "a resource that is not an exact ARN, the objects of one bucket, or the indexes of one table"
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement :
      one(statement.resources) => toset(statement.actions) if strcontains(one(statement.resources), ":s3:")
      } == {
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"           = toset(["s3:ListBucket"])
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/journal/*" = toset(["s3:PutObject"])
    }
    error_message = "the worker asks whether the bucket is there and puts objects into the journal, reads none, and puts none elsewhere"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement :
      one(statement.resources) if contains(statement.actions, "dynamodb:PartiQLUpdate")
    ] == [var.resources.sales_table_arn]
    error_message = "the worker changes items of the sales table by PartiQL, in neither its indexes nor another table"
  }

  # It may insert, select or delete nothing by PartiQL.
  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for action in statement.actions : startswith(action, "dynamodb:PartiQL") && action != "dynamodb:PartiQLUpdate"
      ]
    ]))
    error_message = "a statement other than UPDATE"
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.this.statement :
      toset(one(statement.condition).values) if statement.sid == "Key"
      ][0] == toset([
        "dynamodb.sa-east-1.amazonaws.com", "s3.sa-east-1.amazonaws.com", "sqs.sa-east-1.amazonaws.com",
    ])
    error_message = "the key is used through the services alone that the worker calls"
  }
}

run "tasks_of_this_account_and_region_take_the_role" {
  assert {
    condition = (
      one(data.aws_iam_policy_document.trust.statement[0].principals).identifiers
      == toset(["ecs-tasks.amazonaws.com"])
    )
    error_message = "somebody else may take the role"
  }

  assert {
    condition = {
      for condition in data.aws_iam_policy_document.trust.statement[0].condition :
      condition.variable => one(condition.values)
      } == {
      "aws:SourceAccount" = "111122223333"
      "aws:SourceArn"     = "arn:aws:ecs:sa-east-1:111122223333:*"
    }
    error_message = "ECS could be made to take the role for another account"
  }
}

run "the_api_neither_reads_the_queue_nor_touches_the_lake" {
  variables {
    name    = "sales-dev-api-sa-east-1"
    service = "api"
  }

  assert {
    condition = toset(flatten([for statement in data.aws_iam_policy_document.this.statement : [
      for action in statement.actions : split(":", action)[0]
    ]])) == toset(["dynamodb", "kms", "sns", "ssm"])
    error_message = "the API calls DynamoDB, SNS and SSM"
  }

  assert {
    condition = !anytrue(flatten([
      for statement in data.aws_iam_policy_document.this.statement : [
        for arn in statement.resources : arn == var.resources.idempotency_table_arn
      ]
    ]))
    error_message = "marks are the worker's"
  }
}

run "the_builder_reads_the_journal_and_changes_the_table_alone" {
  variables {
    name    = "sales-dev-lake-sa-east-1"
    service = "lake"
  }

  assert {
    condition = {
      for statement in data.aws_iam_policy_document.this.statement :
      one(statement.resources) => toset(statement.actions) if statement.sid != "Key"
      } == {
      "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales-idempotency" = toset(["dynamodb:DeleteItem", "dynamodb:PutItem"])
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"                        = toset(["s3:ListBucket"])
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/journal/*"              = toset(["s3:GetObject"])
      "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1/table/sales/*"          = toset(["s3:DeleteObject", "s3:GetObject", "s3:PutObject"])
    }
    error_message = "the builder could change the journal, which all tables are made from, or does something else"
  }
}

run "an_unknown_service_is_refused" {
  command = plan

  variables {
    service = "operator"
  }

  expect_failures = [var.service]
}

run "wildcards_are_refused" {
  command = plan

  variables {
    resources = {
      sales_table_arn       = "arn:aws:dynamodb:*:111122223333:table/sales-dev-sales"
      idempotency_table_arn = "arn:aws:dynamodb:sa-east-1:111122223333:table/sales-dev-sales-idempotency"
      topic_arn             = "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales"
      queue_arn             = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales"
      dead_letter_queue_arn = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales-dead-letters"
      lake_arn              = "arn:aws:s3:::sales-dev-lake-111122223333-sa-east-1"
      state_parameter_arn   = "arn:aws:ssm:sa-east-1:111122223333:parameter/sales-dev/site/state"
      key_arn               = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
    }
  }

  expect_failures = [var.resources]
}
