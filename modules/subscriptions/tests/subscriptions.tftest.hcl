mock_provider "aws" {}

variables {
  topic_arn             = "arn:aws:sns:sa-east-1:111122223333:sales-dev-sales"
  dead_letter_queue_arn = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales-dead-letters"
  queue_arns = {
    sa-east-1 = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales"
    us-east-1 = "arn:aws:sqs:us-east-1:111122223333:sales-dev-sales"
    eu-west-1 = "arn:aws:sqs:eu-west-1:111122223333:sales-dev-sales"
  }
}

run "each_region_gets_the_message_as_it_was_sent" {
  command = plan

  assert {
    condition = toset([
      for subscription in aws_sns_topic_subscription.this : subscription.endpoint
    ]) == toset(values(var.queue_arns))
    error_message = "the queue of a region is missing"
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.this : subscription.raw_message_delivery])
    error_message = "the attributes would be lost in the envelope of SNS"
  }

  assert {
    condition = alltrue([
      for subscription in aws_sns_topic_subscription.this :
      jsondecode(subscription.redrive_policy).deadLetterTargetArn == var.dead_letter_queue_arn
    ])
    error_message = "what cannot be delivered would vanish unseen"
  }
}

run "dead_letters_of_another_region_are_refused" {
  command = plan

  variables {
    dead_letter_queue_arn = "arn:aws:sqs:us-east-1:111122223333:sales-dev-sales-dead-letters"
  }

  expect_failures = [var.dead_letter_queue_arn]
}

run "a_queue_under_the_wrong_region_is_refused" {
  command = plan

  variables {
    queue_arns = { us-east-1 = "arn:aws:sqs:sa-east-1:111122223333:sales-dev-sales" }
  }

  expect_failures = [var.queue_arns]
}
