variable "region" {
  description = "Name of the region, for messages."
  type        = string
}

variable "state" {
  description = "The region's state by the map of states: ACTIVE or PASSIVE."
  type        = string

  validation {
    condition     = contains(["ACTIVE", "PASSIVE"], var.state)
    error_message = "state must be ACTIVE or PASSIVE."
  }
}

variable "parameter" {
  description = "Name of the parameter that the services read and operators switch."
  type        = string

  validation {
    condition     = startswith(var.parameter, "/")
    error_message = "parameter must be a path that begins with /."
  }
}

variable "applied_parameter" {
  description = "Name of the parameter that keeps what was last applied; in the same folder as the other."
  type        = string

  validation {
    condition     = dirname(var.applied_parameter) == dirname(var.parameter) && var.applied_parameter != var.parameter
    error_message = "applied_parameter must be beside parameter: both are looked up in one folder."
  }
}

variable "undo_switch" {
  description = "Whether the map of states overrides what an operator has switched since it was last applied."
  type        = bool
  default     = false
}
