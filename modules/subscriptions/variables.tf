variable "topic_arn" {
  description = "ARN of the topic, in the region in which this is applied."
  type        = string
}

variable "queue_arns" {
  description = "ARNs of the queues that get its messages, by region."
  type        = map(string)

  validation {
    condition     = alltrue([for region, arn in var.queue_arns : startswith(arn, "arn:aws:sqs:${region}:")])
    error_message = "queue_arns must be the ARNs of queues, each under its own region."
  }
}

variable "dead_letter_queue_arn" {
  description = "ARN of the queue for what cannot be delivered; SNS wants it in the topic's own region."
  type        = string

  validation {
    condition = (
      provider::aws::arn_parse(var.dead_letter_queue_arn).region
      == provider::aws::arn_parse(var.topic_arn).region
    )
    error_message = "dead_letter_queue_arn must be in the region of the topic."
  }
}
