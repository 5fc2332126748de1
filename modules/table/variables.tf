variable "name" {
  description = "Name of the table in all regions."
  type        = string
}

variable "index" {
  description = "Sparse index with keys only: its name, and the name and type (S or N) of its hash and range keys."
  type = object({
    name  = string
    hash  = object({ name = string, type = string })
    range = object({ name = string, type = string })
  })
  default = null

  validation {
    condition = var.index == null || alltrue([
      for key in [try(var.index.hash, null), try(var.index.range, null)] : contains(["S", "N"], try(key.type, "S"))
    ])
    error_message = "the type of a key must be S or N."
  }
}

variable "ttl_attribute" {
  description = "Attribute with the expiry time of an item, in seconds since 1970; null: items do not expire."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the table has deletion protection."
  type        = bool
}

variable "key_arn" {
  description = "ARN of the key that encrypts the table in this region."
  type        = string
}
