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
  description = "Each region's own host, where its API Gateway answers that host and the shared one, and its weight there."
  type = map(object({
    host   = string
    own    = object({ domain_name = string, zone_id = string })
    shared = object({ domain_name = string, zone_id = string })
    weight = number
  }))

  validation {
    condition     = alltrue([for region in values(var.regions) : region.weight >= 0 && region.weight <= 255])
    error_message = "a weight must be 0 to 255."
  }

  validation {
    condition     = anytrue([for region in values(var.regions) : region.weight > 0])
    error_message = "no region gets traffic: at least one weight must be above 0."
  }
}
