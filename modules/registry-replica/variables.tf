variable "prefix" {
  description = "Prefix of the repository names, up to the slash."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.prefix))
    error_message = "prefix must be lower-case letters and digits with single hyphens; ECR adds the slash."
  }
}
