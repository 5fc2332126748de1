variable "regions" {
  description = "Names of the regions."
  type        = set(string)
}

variable "states" {
  description = "ACTIVE or PASSIVE for each region."
  type        = map(string)

  validation {
    condition     = toset(keys(var.states)) == var.regions
    error_message = "states must contain exactly these regions: ${join(", ", var.regions)}."
  }

  validation {
    condition     = alltrue([for state in values(var.states) : contains(["ACTIVE", "PASSIVE"], state)])
    error_message = "a state must be ACTIVE or PASSIVE."
  }

  validation {
    condition     = contains(values(var.states), "ACTIVE")
    error_message = "no region is ACTIVE: sales would wait until one is. At least one must be."
  }
}
