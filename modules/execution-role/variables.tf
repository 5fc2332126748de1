variable "name" {
  description = "Name of the role."
  type        = string
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "regions" {
  description = "Regions in which tasks run."
  type        = set(string)
}

variable "repositories" {
  description = "Names of the image repositories, the same in all regions."
  type        = set(string)
}

variable "log_groups" {
  description = "Names of the services' log groups, the same in all regions."
  type        = set(string)

  validation {
    condition     = !anytrue([for name in var.log_groups : strcontains(name, "*")])
    error_message = "log_groups must be exact names, without wildcards."
  }
}
