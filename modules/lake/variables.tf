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

variable "journal_retention_days" {
  description = "Retention in days of the journal's objects. What has expired cannot be folded into a table again."
  type        = number
  default     = 1095

  validation {
    condition     = var.journal_retention_days >= 180 && floor(var.journal_retention_days) == var.journal_retention_days
    error_message = "journal_retention_days must be a whole number of at least 180: the cold class, from day 90 on, is billed for 90 days at least."
  }
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with its objects."
  type        = bool
  default     = false
}
