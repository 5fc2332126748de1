# From one topic to the queues of all regions, its own included.

resource "aws_sns_topic_subscription" "this" {
  for_each = var.queue_arns

  topic_arn = var.topic_arn
  protocol  = "sqs"
  endpoint  = each.value

  # The attributes of an event arrive as attributes.
  raw_message_delivery = true

  # SNS gives up at once where a queue is gone or refuses; here that is seen, since dead letters raise an alarm.
  redrive_policy = jsonencode({ deadLetterTargetArn = var.dead_letter_queue_arn })
}
