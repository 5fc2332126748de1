variable "role_name" {
  description = "Name of the replication role. Roles are global, so it includes the region."
  type        = string
}

variable "source_lake" {
  description = "The lake to replicate: region, name and ARN of the bucket, and ARN of its key."
  type = object({
    region  = string
    bucket  = string
    arn     = string
    key_arn = string
  })
}

variable "destinations" {
  description = "The lakes of all other regions, by region: ARN of the bucket and ARN of its key."
  type = map(object({
    arn     = string
    key_arn = string
  }))

  validation {
    condition     = length(var.destinations) > 0 && !contains(keys(var.destinations), var.source_lake.region)
    error_message = "destinations must be at least one region, other than the lake's own."
  }

  validation {
    condition     = alltrue([for region, lake in var.destinations : strcontains(lake.key_arn, ":kms:${region}:")])
    error_message = "the key of a lake must be in the lake's region."
  }
}
