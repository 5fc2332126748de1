variable "name" {
  description = "Prefix of all resource names."
  type        = string

  validation {
    condition     = length(var.name) <= 28
    error_message = "name must have at most 28 characters: the names of load balancers have at most 32, including -nlb or -alb."
  }
}

variable "network" {
  description = "ID and address range of the VPC, and the IDs of private subnets in three zones."
  type = object({
    vpc_id     = string
    cidr       = string
    subnet_ids = list(string)
  })
}

variable "hosts" {
  description = "Host names of the API."
  type        = list(string)

  validation {
    condition     = length(var.hosts) >= 1 && length(var.hosts) <= 3
    error_message = "hosts must be one to three: together with two paths they are the five values that a rule may have."
  }
}

variable "certificate_arn" {
  description = "ARN of the issued certificate that covers all hosts."
  type        = string
}

variable "access_log_retention_days" {
  description = "Retention of access logs in days."
  type        = number
}

variable "deletion_protection" {
  description = "Whether the load balancers have deletion protection."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "Whether the bucket of access logs is deleted with its objects."
  type        = bool
  default     = false
}
