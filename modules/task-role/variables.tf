variable "name" {
  description = "Name of the role. Roles are global, so it includes the region."
  type        = string
}

variable "service" {
  description = "The service whose tasks assume the role: api, worker or lake."
  type        = string

  validation {
    condition     = contains(["api", "worker", "lake"], var.service)
    error_message = "service must be api, worker or lake."
  }
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "region" {
  description = "Region in which the tasks run."
  type        = string
}

variable "resources" {
  description = "ARNs of the resources that the region's services use."
  type = object({
    sales_table_arn       = string
    idempotency_table_arn = string
    topic_arn             = string
    queue_arn             = string
    dead_letter_queue_arn = string
    lake_arn              = string
    state_parameter_arn   = string
    key_arn               = string
  })

  validation {
    condition     = !anytrue([for arn in values(var.resources) : strcontains(arn, "*")])
    error_message = "resources must be exact ARNs, without wildcards."
  }
}
