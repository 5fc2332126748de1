# Subscriptions of the queues of all regions, including its own, to one topic.

resource "aws_sns_topic_subscription" "this" {
  for_each = var.queue_arns

  topic_arn = var.topic_arn
  protocol  = "sqs"
  endpoint  = each.value

  # Message attributes stay attributes.
  raw_message_delivery = true

  # SNS gives up at once if a queue does not exist or denies access. The dead letters raise an alarm.
  redrive_policy = jsonencode({ deadLetterTargetArn = var.dead_letter_queue_arn })
}
