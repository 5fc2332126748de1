variable "name" {
  description = "Name of the table in all regions."
  type        = string
}

variable "index" {
  description = "Sparse index of the keys alone: its name, and the name and type (S or N) of its hash and range keys."
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
  description = "Attribute that holds when an item expires, in seconds since 1970; null keeps all items."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  type        = bool
}

variable "key_arn" {
  description = "ARN of the key that encrypts the table in this region."
  type        = string
}
