variable "zone_id" {
  description = "Hosted zone of the domain."
  type        = string
}

variable "domain" {
  description = "Host of the one address in front of all regions: the accelerator."
  type        = string
}

variable "api_host" {
  description = "Host of API Gateway in front of all regions."
  type        = string

  validation {
    condition     = endswith(var.api_host, ".${var.domain}")
    error_message = "api_host must be below domain, for whose names there are certificates."
  }
}

variable "accelerator" {
  description = "Where the accelerator is: its DNS name and that name's hosted zone."
  type = object({
    dns_name = string
    zone_id  = string
  })
}

variable "regions" {
  description = "Each region's own host, and where its API Gateway answers that host and the shared one. Not its state: no record may depend on it."
  type = map(object({
    host   = string
    own    = object({ domain_name = string, zone_id = string })
    shared = object({ domain_name = string, zone_id = string })
  }))

  validation {
    condition     = length(var.regions) > 0
    error_message = "regions is empty: the names would lead nowhere."
  }

  # Route 53 calls the results of a health check unpredictable that asks for the name that it decides about.
  validation {
    condition     = alltrue([for region in values(var.regions) : region.host != var.api_host])
    error_message = "a region's own host must not be api_host, whose records its health checks decide about."
  }
}
