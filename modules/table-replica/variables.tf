variable "table_arn" {
  description = "ARN of the table of which a replica is made, in its first region."
  type        = string
}

variable "region" {
  description = "Region in which this is applied."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the replica refuses to be deleted."
  type        = bool
}

variable "key_arn" {
  description = "ARN of the key that encrypts the table in this region."
  type        = string

  validation {
    condition     = strcontains(var.key_arn, ":kms:${var.region}:")
    error_message = "a replica is encrypted with a key of its own region."
  }
}
