variable "name" {
  description = "Name of the budget."
  type        = string
}

variable "monthly_limit" {
  description = "US dollars that a month may cost."
  type        = number

  validation {
    condition     = var.monthly_limit > 0
    error_message = "monthly_limit must be above 0."
  }
}

variable "emails" {
  description = "Who is told. Nobody is when it is empty; the budget can be looked at all the same."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.emails) <= 10
    error_message = "AWS Budgets tells at most ten addresses."
  }
}
