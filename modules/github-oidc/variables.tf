variable "repository" {
  description = "The repository whose workflows get the roles, as the subject of its tokens begins: OWNER/NAME, or OWNER@ID/NAME@ID where GitHub puts the ids into it."
  type        = string

  validation {
    condition     = can(regex("^([A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", var.repository))
    error_message = "repository must be OWNER/NAME or, with both ids, OWNER@ID/NAME@ID; without wildcards."
  }
}

variable "branch" {
  description = "Branch whose runs may plan without an environment."
  type        = string
  default     = "main"
}

variable "environment" {
  description = "GitHub environment whose jobs may apply and switch, once its rules have let them through."
  type        = string
}

variable "prefix" {
  description = "What the names of all resources begin with."
  type        = string
}

variable "tags" {
  description = "Tags that the keys of this environment bear, and those of no other."
  type        = map(string)
}

variable "account" {
  description = "Number of the AWS account."
  type        = string
}

variable "state_bucket_arn" {
  description = "ARN of the bucket that holds Terraform's state."
  type        = string
}

variable "state_key_alias" {
  description = "Alias of the key that encrypts Terraform's state."
  type        = string
}

variable "regions" {
  description = "ARNs of what the operator's command works on, by region."
  type = map(object({
    sales_table_arn       = string
    idempotency_table_arn = string
    queue_arn             = string
    dead_letter_queue_arn = string
    lake_arn              = string
    state_parameter_arn   = string
    key_arn               = string
  }))
}
