variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "logs" {
  description = "How many days the logs of Container Insights are kept, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
