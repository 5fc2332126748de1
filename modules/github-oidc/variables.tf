variable "repository" {
  description = "The repository whose workflows may assume the roles, as in the subject of its tokens: OWNER/NAME, or OWNER@ID/NAME@ID if GitHub includes the IDs."
  type        = string

  validation {
    condition     = can(regex("^([A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", var.repository))
    error_message = "repository must be OWNER/NAME or, with both ids, OWNER@ID/NAME@ID; without wildcards."
  }
}

variable "branch" {
  description = "Branch whose runs may plan without a GitHub environment."
  type        = string
  default     = "main"
}

variable "environment" {
  description = "GitHub environment whose jobs may apply and switch, according to its protection rules."
  type        = string
}

variable "prefix" {
  description = "Prefix of all resource names."
  type        = string
}

variable "tags" {
  description = "Tags that only the keys of this environment have."
  type        = map(string)
}

variable "account" {
  description = "ID of the AWS account."
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
  description = "ARNs of the resources that salesctl uses, by region."
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
