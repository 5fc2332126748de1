variable "table_arn" {
  description = "ARN of the table to replicate, in its first region."
  type        = string
}

variable "region" {
  description = "Region of the provider."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the replica has deletion protection."
  type        = bool
}

variable "key_arn" {
  description = "ARN of the key that encrypts the table in this region."
  type        = string

  validation {
    condition     = strcontains(var.key_arn, ":kms:${var.region}:")
    error_message = "the key of a replica must be in the replica's region."
  }
}
