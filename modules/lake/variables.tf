variable "name" {
  description = "Name of the bucket; unique among all AWS accounts."
  type        = string
}

variable "key_arn" {
  description = "ARN of the key that encrypts the objects."
  type        = string
}

variable "version_retention_days" {
  description = "Retention in days of overwritten and deleted objects."
  type        = number

  validation {
    condition     = var.version_retention_days >= 1
    error_message = "version_retention_days must be at least 1."
  }
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with its objects."
  type        = bool
  default     = false
}
