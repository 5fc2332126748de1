variable "name" {
  description = "Name of the vaults, of the plan and of the role."
  type        = string
}

variable "account" {
  description = "Number of the AWS account."
  type        = string
}

variable "key_arn" {
  description = "ARN of the key that encrypts backups in the home region."
  type        = string
}

variable "resources" {
  description = "ARNs of what is backed up: tables and buckets of the home region. The other regions have the same."
  type        = set(string)

  validation {
    condition     = length(var.resources) > 0
    error_message = "there must be something to back up."
  }
}

variable "retention_days" {
  description = "Days that a month's backup is kept in the other region."
  type        = number
  default     = 1095

  validation {
    condition     = var.retention_days >= 35 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be whole days, and at least 35: daily backups are kept as long as that."
  }
}

variable "lock" {
  description = "Whether the vault in the other region refuses to give up backups before their time (governance mode)."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether the vaults are deleted with their backups, which a lock would refuse."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_destroy && var.lock)
    error_message = "a locked vault gives up no backup: lock must be false where force_destroy is true."
  }
}
