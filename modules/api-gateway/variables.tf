variable "name" {
  description = "Name of the API and of what belongs to it."
  type        = string
}

variable "openapi" {
  description = "The API's description as the code writes it: OpenAPI in JSON."
  type        = string

  validation {
    condition     = can(jsondecode(var.openapi).paths)
    error_message = "openapi must be a JSON document with paths."
  }
}

variable "paths" {
  description = "Paths of the description that are published. What is for operators alone stays inside."
  type        = set(string)
  default     = ["/sales", "/sales/{id}", "/active", "/healthcheck", "/readiness", "/version"]

  validation {
    condition = length(var.paths) > 0 && alltrue([
      for path in var.paths : can(jsondecode(var.openapi).paths[path])
    ])
    error_message = "paths must be paths that the description has."
  }

  validation {
    condition     = length(setintersection(var.paths, ["/metrics", "/liveness"])) == 0
    error_message = "/metrics and /liveness are for operators inside."
  }
}

variable "nlb_arn" {
  description = "ARN of the network load balancer that requests are handed to."
  type        = string
}

variable "backend_host" {
  description = "Host by which the load balancers are asked, which their certificate covers."
  type        = string
}

variable "timeout_ms" {
  description = "Milliseconds that an answer may take; the API's own deadline is 4,800 (sales-api/src/routes/sale.rs)."
  type        = number
  default     = 10000

  validation {
    condition     = var.timeout_ms > 5000 && var.timeout_ms <= 29000
    error_message = "timeout_ms must be above 5000, as the API takes up to 4,800, and at most 29000."
  }
}

variable "hosts" {
  description = "Hosts under which clients ask, each under a name."
  type        = map(string)
}

variable "certificate_arn" {
  description = "ARN of the issued certificate that covers all hosts."
  type        = string
}

variable "throttle" {
  description = "Requests a second, and in a burst, that are let through."
  type = object({
    rate  = number
    burst = number
  })
}

variable "logs" {
  description = "How many days logs are kept, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
