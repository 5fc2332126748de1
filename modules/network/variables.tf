variable "name" {
  description = "What the names of all resources begin with."
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
  description = "Port on which services answer operators for health and metrics."
  type        = number
}

variable "single_nat_gateway" {
  description = "Whether one zone's NAT gateway serves all zones: cheaper, and all lose their way out with that zone."
  type        = bool
  default     = false
}

variable "logs" {
  description = "How many days flow logs are kept, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
