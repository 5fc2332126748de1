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

variable "images_kept" {
  description = "How many images each repository keeps, the newest; each architecture counts, and their index."
  type        = number
  default     = 300

  validation {
    condition     = var.images_kept >= 50
    error_message = "images_kept must be at least 50, or what runs could be deleted."
  }
}

variable "force_delete" {
  description = "Whether the repositories are deleted with their images."
  type        = bool
  default     = false
}
