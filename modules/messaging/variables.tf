variable "topic_name" {
  description = "Name of the topic."
  type        = string
}

variable "queue_name" {
  description = "Name of the worker's queue."
  type        = string
}

variable "dead_letter_queue_name" {
  description = "Name of its dead-letter queue."
  type        = string
}

variable "source_topic_arns" {
  description = "ARNs of the topics of all regions; only these may send to the queue. They need not exist yet."
  type        = list(string)

  validation {
    condition = length(var.source_topic_arns) > 0 && alltrue([
      for arn in var.source_topic_arns : can(regex("^arn:aws:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))
    ])
    error_message = "source_topic_arns must be the exact ARNs of topics, without wildcards."
  }
}

variable "sns_principals" {
  description = "Service principals of SNS: sns.amazonaws.com, and one for each opt-in region."
  type        = list(string)

  validation {
    condition = contains(var.sns_principals, "sns.amazonaws.com") && alltrue([
      for name in var.sns_principals : can(regex("^sns\\.([a-z0-9-]+\\.)?amazonaws\\.com$", name))
    ])
    error_message = "sns_principals must be sns.amazonaws.com and names like sns.af-south-1.amazonaws.com."
  }
}

variable "key_arn" {
  description = "ARN of the key that encrypts topic and queues; its policy must allow SNS to use it."
  type        = string
}
