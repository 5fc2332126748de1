variable "name" {
  description = "Name of the vaults, the plan and the role."
  type        = string
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "key_arn" {
  description = "ARN of the key that encrypts backups in the home region."
  type        = string
}

variable "resources" {
  description = "ARNs of the tables and buckets to back up, in the home region; those of the other regions have the same content."
  type        = set(string)

  validation {
    condition     = length(var.resources) > 0
    error_message = "resources must not be empty."
  }
}

variable "retention_days" {
  description = "Retention in days of monthly backups in the backup region."
  type        = number
  default     = 1095

  validation {
    condition     = var.retention_days >= 35 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number of at least 35, the retention of daily backups."
  }
}

variable "lock" {
  description = "Whether the vault in the backup region is locked, so that backups cannot be deleted early (governance mode)."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether the vaults are deleted with their backups, which requires that they are not locked."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_destroy && var.lock)
    error_message = "lock must be false if force_destroy is true: backups in a locked vault cannot be deleted."
  }
}
