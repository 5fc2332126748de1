variable "project" {
  description = "First part of all names."
  type        = string
}

variable "environment" {
  description = "Second part of all names."
  type        = string
}

variable "account" {
  description = "ID of the AWS account."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "account must have 12 digits."
  }
}

variable "domain" {
  description = "DNS name of the pipeline."
  type        = string
}

variable "regions" {
  description = "Names of the regions."
  type        = set(string)
}
