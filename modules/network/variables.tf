variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "cidr" {
  description = "Address range of the VPC, a /16."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "cidr must be a /16, such as 10.0.0.0/16."
  }
}

variable "service_port" {
  description = "Port of the services for health and metrics."
  type        = number
}

variable "single_nat_gateway" {
  description = "Whether a single NAT gateway serves all zones: cheaper, but if its zone fails, all zones lose internet access."
  type        = bool
  default     = false
}

variable "logs" {
  description = "Retention of flow logs in days, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
