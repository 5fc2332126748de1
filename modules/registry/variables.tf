variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)
}

variable "account" {
  description = "Number of the AWS account."
  type        = string
}

variable "replica_regions" {
  description = "The regions to which images are copied."
  type        = set(string)

  validation {
    condition     = length(var.replica_regions) <= 25
    error_message = "ECR replicates to at most 25 regions."
  }
}

variable "force_delete" {
  description = "Whether the repositories are deleted with their images."
  type        = bool
  default     = false
}
