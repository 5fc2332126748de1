variable "name" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "protected" {
  description = "ARNs of what the firewall stands before, each under a name: load balancers and API Gateway's stages."
  type        = map(string)

  validation {
    condition     = length(var.protected) > 0
    error_message = "protected is empty: the firewall would stand before nothing."
  }
}

variable "vpc_cidr" {
  description = "Address range of the VPC, whose requests are not counted as one client's."
  type        = string
}

variable "requests_per_address" {
  description = "Requests in five minutes above which an address is refused; a chain of shops may have one."
  type        = number
  default     = 30000

  validation {
    condition     = var.requests_per_address >= 10 && var.requests_per_address <= 2000000000
    error_message = "requests_per_address must be 10 to 2,000,000,000, as WAF has it."
  }
}

variable "logs" {
  description = "How many days logs are kept, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
