variable "domain" {
  description = "DNS name that the certificate is for, together with all names one label below it."
  type        = string

  validation {
    condition     = !startswith(var.domain, "*.")
    error_message = "domain must be without *: names one label below it are covered anyway."
  }
}
