variable "alias" {
  description = "Alias of the key in each region, such as alias/sales-dev."
  type        = string

  validation {
    condition     = startswith(var.alias, "alias/") && !startswith(var.alias, "alias/aws/")
    error_message = "alias must begin with alias/, and not with alias/aws/, which is AWS's own."
  }
}

variable "description" {
  description = "What the key encrypts."
  type        = string
}

variable "account" {
  description = "Number of the AWS account."
  type        = string
}

variable "region" {
  description = "Region in which this is applied."
  type        = string
}

variable "sns_principals" {
  description = "The names by which SNS delivers: sns.amazonaws.com, and one for each region that is opted in to."
  type        = list(string)
}

variable "primary_arn" {
  description = "ARN of the primary key of which a replica is made; null makes the primary."
  type        = string
  default     = null
}

variable "deletion_window_days" {
  description = "Days between the deletion of the key and the loss of all that it encrypts, 7 to 30."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days must be 7 to 30."
  }
}
