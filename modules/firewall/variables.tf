variable "name" {
  description = "Prefix of all resource names."
  type        = string
}

variable "protected" {
  description = "ARNs of the protected load balancers and API Gateway stages, by name."
  type        = map(string)

  validation {
    condition     = length(var.protected) > 0
    error_message = "protected must not be empty: the firewall would protect nothing."
  }
}

variable "vpc_cidr" {
  description = "Address range of the VPC, which is exempt from the limit per address."
  type        = string
}

variable "requests_per_address" {
  description = "Requests in five minutes above which an address is blocked; all shops of a chain may share one."
  type        = number
  default     = 30000

  validation {
    condition     = var.requests_per_address >= 10 && var.requests_per_address <= 2000000000
    error_message = "requests_per_address must be 10 to 2,000,000,000, the limits of WAF."
  }
}

variable "has_tokens" {
  description = "Whether clients send tokens, which then must be in no log or sample."
  type        = bool
}

variable "requests_per_token" {
  description = "Requests in five minutes above which a token is blocked; null for no limit, as where clients have none."
  type        = number
  default     = null

  validation {
    condition     = var.has_tokens || var.requests_per_token == null
    error_message = "requests_per_token must be null without tokens: the rule would cost something and count nothing."
  }

  validation {
    condition     = var.requests_per_token == null ? true : var.requests_per_token >= 10 && var.requests_per_token <= 2000000000
    error_message = "requests_per_token must be 10 to 2,000,000,000, the limits of WAF."
  }
}

variable "logs" {
  description = "Retention of logs in days, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
