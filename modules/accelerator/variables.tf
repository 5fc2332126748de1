variable "name" {
  description = "Name of the accelerator."
  type        = string
}

variable "regions" {
  description = "For each region, the ARN of its load balancer, and its traffic dial in percent."
  type = map(object({
    load_balancer_arn = string
    dial              = number
  }))

  validation {
    condition     = alltrue([for region in values(var.regions) : region.dial >= 0 && region.dial <= 100])
    error_message = "a dial must be 0 to 100 percent."
  }

  validation {
    condition     = anytrue([for region in values(var.regions) : region.dial > 0])
    error_message = "no region gets traffic: at least one dial must be above 0."
  }

  validation {
    condition     = alltrue([for name, region in var.regions : strcontains(region.load_balancer_arn, ":elasticloadbalancing:${name}:")])
    error_message = "the load balancer of a region must be in that region."
  }
}
