variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "logs" {
  description = "Retention of the logs of Container Insights in days, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}

variable "insights" {
  description = "Whether Container Insights is enabled. Disabled before a destruction, because late logs would recreate its log group."
  type        = bool
  default     = true
}
