variable "role_name" {
  description = "Name of the role by which S3 replicates; roles are of all regions, so that it names this one."
  type        = string
}

variable "source_lake" {
  description = "The lake that is replicated: its region, the bucket's name and ARN, and the ARN of its key."
  type = object({
    region  = string
    bucket  = string
    arn     = string
    key_arn = string
  })
}

variable "destinations" {
  description = "The lakes of all other regions, by region: the bucket's ARN, and the ARN of its key."
  type = map(object({
    arn     = string
    key_arn = string
  }))

  validation {
    condition     = length(var.destinations) > 0 && !contains(keys(var.destinations), var.source_lake.region)
    error_message = "destinations must be other regions than the lake's own, and at least one."
  }

  validation {
    condition     = alltrue([for region, lake in var.destinations : strcontains(lake.key_arn, ":kms:${region}:")])
    error_message = "a lake is encrypted with a key of its own region."
  }
}
