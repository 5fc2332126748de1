variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "replica_regions" {
  description = "The regions that images are replicated to."
  type        = set(string)

  validation {
    condition     = length(var.replica_regions) <= 25
    error_message = "replica_regions must be at most 25, the limit of ECR."
  }
}

variable "force_delete" {
  description = "Whether the repositories are deleted with their images."
  type        = bool
  default     = false
}
