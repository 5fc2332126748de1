variable "zone_id" {
  description = "Hosted zone of the domain."
  type        = string
}

variable "domain" {
  description = "Host name of the accelerator, for all regions."
  type        = string
}

variable "api_host" {
  description = "Host name of API Gateway, for all regions."
  type        = string

  validation {
    condition     = endswith(var.api_host, ".${var.domain}")
    error_message = "api_host must be below domain, which the certificates cover."
  }
}

variable "accelerator" {
  description = "DNS name of the accelerator, and the hosted zone of that name."
  type = object({
    dns_name = string
    zone_id  = string
  })
}

variable "regions" {
  description = "For each region, its own host name, and the targets of its API Gateway for that and for the shared one. Not its state: records must not depend on it."
  type = map(object({
    host   = string
    own    = object({ domain_name = string, zone_id = string })
    shared = object({ domain_name = string, zone_id = string })
  }))

  validation {
    condition     = length(var.regions) > 0
    error_message = "regions must not be empty: the names would have no target."
  }

  # Route 53 warns of unpredictable results if a health check requests the name whose records depend on it.
  validation {
    condition     = alltrue([for region in values(var.regions) : region.host != var.api_host])
    error_message = "a region's own host must not be api_host, whose records depend on the region's health checks."
  }
}
