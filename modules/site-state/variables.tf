variable "region" {
  description = "Name of the region, for messages."
  type        = string
}

variable "state" {
  description = "The region's state in the map of states: ACTIVE or PASSIVE."
  type        = string

  validation {
    condition     = contains(["ACTIVE", "PASSIVE"], var.state)
    error_message = "state must be ACTIVE or PASSIVE."
  }
}

variable "parameter" {
  description = "Name of the parameter that the services read and salesctl switches."
  type        = string

  validation {
    condition     = startswith(var.parameter, "/")
    error_message = "parameter must be a path that starts with /."
  }
}

variable "applied_parameter" {
  description = "Name of the parameter that holds the last applied state, in the same path as parameter."
  type        = string

  validation {
    condition     = dirname(var.applied_parameter) == dirname(var.parameter) && var.applied_parameter != var.parameter
    error_message = "applied_parameter must be in the same path as parameter."
  }
}

variable "undo_switch" {
  description = "Whether the map of states overrides switches by operators since it was last applied."
  type        = bool
  default     = false
}
