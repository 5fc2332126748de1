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

variable "insights" {
  description = "Whether ECS counts the tasks. Off before all is destroyed: what it still writes would make its log group again."
  type        = bool
  default     = true
}
