mock_provider "aws" {
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:sa-east-1:111122223333:mocked" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  topic_name             = "sales-dev-sales"
  queue_name             = "sales-dev-sales"
  dead_letter_queue_name = "sales-dev-sales-dead-letters"
  key_arn                = "arn:aws:kms:sa-east-1:111122223333:key/mrk-1"
  sns_principals         = ["sns.amazonaws.com"]
  source_topic_arns = [
    "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales",
    "arn:aws:sns:us-east-1:111122223333:sales-dev-sales",
    "arn:aws:sns:eu-west-1:111122223333:sales-dev-sales",
  ]
}

run "dead_letters_are_kept_longer_than_messages" {
  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds > aws_sqs_queue.this.message_retention_seconds
    error_message = "a message that was retried for days would vanish on its way to the dead letters"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 10
    error_message = "ten tries"
  }

  assert {
    condition = (
      jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy).redrivePermission
      == "byQueue"
    )
    error_message = "no other queue may leave its dead letters here"
  }
}

run "the_topics_of_all_regions_may_send_and_nobody_else" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.queue["queue"].statement : statement.effect == "Deny" || (
        toset(one(statement.condition).values) == toset(var.source_topic_arns)
        && one(statement.condition).test == "ArnEquals"
        && one(statement.principals).type == "Service"
        && toset(one(statement.principals).identifiers) == toset(["sns.amazonaws.com"])
      )
    ])
    error_message = "the queue lets in somebody else"
  }

  assert {
    condition     = length(one(data.aws_iam_policy_document.queue["queue"].statement[0].condition).values) == 3
    error_message = "three regions have three topics"
  }
}

run "all_of_it_is_encrypted_and_asked_over_tls" {
  assert {
    condition = alltrue([
      for resource in [aws_sns_topic.this, aws_sqs_queue.this, aws_sqs_queue.dead_letters] :
      resource.kms_master_key_id == var.key_arn
    ])
    error_message = "SNS drops messages to a queue that has not our own key"
  }

  assert {
    condition = alltrue([
      for document in values(data.aws_iam_policy_document.queue) :
      anytrue([for statement in document.statement : statement.sid == "TlsOnly" && statement.effect == "Deny"])
    ])
    error_message = "a queue answers without TLS"
  }
}

run "the_queue_takes_what_the_topic_takes" {
  command = plan

  assert {
    condition = (
      aws_sqs_queue.this.max_message_size == 262144
      && aws_sqs_queue.dead_letters.max_message_size == 262144
    )
    error_message = "a queue that takes less than the topic loses messages"
  }
}

run "wildcards_are_refused" {
  command = plan

  variables {
    source_topic_arns = ["arn:aws:sns:sa-east-1:111122223333:*"]
  }

  expect_failures = [var.source_topic_arns]
}

run "sns_of_a_region_that_is_opted_in_to_is_let_in_by_its_name" {
  variables {
    source_topic_arns = [
      "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales",
      "arn:aws:sns:af-south-1:111122223333:sales-dev-sales",
    ]
    sns_principals = ["sns.amazonaws.com", "sns.af-south-1.amazonaws.com"]
  }

  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.queue :
      toset(one(document.statement[0].principals).identifiers) == toset(var.sns_principals)
      && toset(one(document.statement[0].condition).values) != toset([])
    ])
    error_message = "its messages would vanish, or anybody's could come"
  }
}

run "somebody_else_than_sns_is_refused" {
  command = plan

  variables {
    sns_principals = ["sns.amazonaws.com", "events.amazonaws.com"]
  }

  expect_failures = [var.sns_principals]
}
