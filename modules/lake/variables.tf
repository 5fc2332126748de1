variable "name" {
  description = "Name of the bucket, which all accounts share."
  type        = string
}

variable "key_arn" {
  description = "ARN of the key that encrypts the objects."
  type        = string
}

variable "version_retention_days" {
  description = "Days that the old versions of overwritten and deleted objects are kept."
  type        = number

  validation {
    condition     = var.version_retention_days >= 1
    error_message = "version_retention_days must be at least 1."
  }
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with all that it holds."
  type        = bool
  default     = false
}
