variable "topic_arn" {
  description = "ARN of the topic, in the provider's region."
  type        = string
}

variable "queue_arns" {
  description = "ARNs of the subscribed queues, by region."
  type        = map(string)

  validation {
    condition     = alltrue([for region, arn in var.queue_arns : startswith(arn, "arn:aws:sqs:${region}:")])
    error_message = "queue_arns must be ARNs of queues, by their region."
  }
}

variable "dead_letter_queue_arn" {
  description = "ARN of the queue for undeliverable messages; SNS requires it in the topic's region."
  type        = string

  validation {
    condition = (
      provider::aws::arn_parse(var.dead_letter_queue_arn).region
      == provider::aws::arn_parse(var.topic_arn).region
    )
    error_message = "dead_letter_queue_arn must be in the region of the topic."
  }
}
