variable "alias" {
  description = "Alias of the key in each region, such as alias/sales-dev."
  type        = string

  validation {
    condition     = startswith(var.alias, "alias/") && !startswith(var.alias, "alias/aws/")
    error_message = "alias must start with alias/, but not with alias/aws/, which is reserved for AWS."
  }
}

variable "description" {
  description = "Description of the key: what it encrypts."
  type        = string
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "region" {
  description = "Region of the provider."
  type        = string
}

variable "sns_principals" {
  description = "Service principals of SNS: sns.amazonaws.com, and one for each opt-in region."
  type        = list(string)
}

variable "primary_arn" {
  description = "ARN of the primary key to replicate; null creates the primary key."
  type        = string
  default     = null
}

variable "deletion_window_days" {
  description = "Waiting period in days before the key is deleted, 7 to 30. After that, everything that it encrypts is lost."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days must be 7 to 30."
  }
}
