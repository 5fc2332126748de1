variable "name" {
  description = "Name of the workgroup, and of the database with underscores."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "name must be lower-case letters, digits and hyphens: it is the database's, too, with underscores."
  }
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "region" {
  description = "Name of the region."
  type        = string
}

variable "lake" {
  description = "Name and ARN of the region's bucket with the table."
  type = object({
    bucket = string
    arn    = string
  })
}

variable "results_bucket" {
  description = "Name of the bucket for results; unique among all AWS accounts."
  type        = string
}

variable "role_name" {
  description = "Name of the analysts' role. Roles are global, so it includes the region."
  type        = string
}

variable "principals" {
  description = "ARNs of those who may assume the role; without any, everyone in the account whose own permissions allow it."
  type        = list(string)
  default     = []

  validation {
    condition     = !anytrue([for principal in var.principals : strcontains(principal, "*")])
    error_message = "principals must be exact ARNs, without wildcards."
  }
}

variable "key_arn" {
  description = "ARN of the key that encrypts the table and the results."
  type        = string
}

variable "gigabytes_per_query" {
  description = "Limit of what one query may read; a query above it is stopped."
  type        = number

  validation {
    condition     = var.gigabytes_per_query >= 0.01
    error_message = "gigabytes_per_query must be at least 0.01, the least that Athena accepts."
  }
}

variable "retention_days" {
  description = "Retention in days of results."
  type        = number

  validation {
    condition     = var.retention_days >= 1 && floor(var.retention_days) == var.retention_days
    error_message = "retention_days must be a whole number of at least 1."
  }
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with its results."
  type        = bool
  default     = false
}
