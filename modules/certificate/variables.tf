variable "domain" {
  description = "DNS name of the certificate, which also covers all names one label below it."
  type        = string

  validation {
    condition     = !startswith(var.domain, "*.")
    error_message = "domain must not contain *: names one label below it are always covered."
  }
}
