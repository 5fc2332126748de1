variable "name" {
  description = "What the names of all resources begin with."
  type        = string

  validation {
    condition     = length(var.name) <= 28
    error_message = "name must have at most 28 characters: load balancers have 32, and four of them are -nlb or -alb."
  }
}

variable "network" {
  description = "Id and address range of the VPC, and the ids of private subnets in three zones."
  type = object({
    vpc_id     = string
    cidr       = string
    subnet_ids = list(string)
  })
}

variable "hosts" {
  description = "Hosts under which the API is asked."
  type        = list(string)

  validation {
    condition     = length(var.hosts) >= 1 && length(var.hosts) <= 3
    error_message = "hosts must be one to three: with two paths they make up a rule's five values."
  }
}

variable "certificate_arn" {
  description = "ARN of the issued certificate that covers all hosts."
  type        = string
}

variable "access_log_retention_days" {
  description = "Days that access logs are kept."
  type        = number
}

variable "deletion_protection" {
  description = "Whether the load balancers refuse to be deleted."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "Whether the access logs are deleted with their bucket."
  type        = bool
  default     = false
}
