variable "name" {
  description = "Name of the budget."
  type        = string
}

variable "monthly_limit" {
  description = "Limit in US dollars per month."
  type        = number

  validation {
    condition     = var.monthly_limit > 0
    error_message = "monthly_limit must be above 0."
  }
}

variable "emails" {
  description = "E-mail addresses for notifications. If empty, the budget exists without notifications."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.emails) <= 10
    error_message = "emails must be at most ten addresses, the limit of AWS Budgets."
  }
}
