variable "name" {
  description = "Name of the API and its resources."
  type        = string
}

variable "openapi" {
  description = "The OpenAPI document in JSON, as generated from the code."
  type        = string

  validation {
    condition     = can(jsondecode(var.openapi).paths)
    error_message = "openapi must be a JSON document with paths."
  }
}

variable "paths" {
  description = "Published paths of the OpenAPI document. Paths for operators stay internal."
  type        = set(string)
  default     = ["/sales", "/sales/{id}", "/active", "/healthcheck", "/readiness", "/version"]

  validation {
    condition = length(var.paths) > 0 && alltrue([
      for path in var.paths : can(jsondecode(var.openapi).paths[path])
    ])
    error_message = "paths must be in the OpenAPI document."
  }

  validation {
    condition     = length(setintersection(var.paths, ["/metrics", "/liveness"])) == 0
    error_message = "/metrics and /liveness must not be published: they are for operators."
  }
}

variable "nlb_arn" {
  description = "ARN of the network load balancer that requests are forwarded to."
  type        = string
}

variable "backend_host" {
  description = "Host name of the load balancers, covered by their certificate."
  type        = string
}

variable "timeout_ms" {
  description = "Timeout of a response in milliseconds; the API's own deadline is 4,800 (sales-api/src/routes/sale.rs)."
  type        = number
  default     = 10000

  validation {
    condition     = var.timeout_ms > 5000 && var.timeout_ms <= 29000
    error_message = "timeout_ms must be above 5000, as the API takes up to 4,800, and at most 29000."
  }
}

variable "hosts" {
  description = "Host names for clients, by name."
  type        = map(string)
}

variable "certificate_arn" {
  description = "ARN of the issued certificate that covers all hosts."
  type        = string
}

variable "throttle" {
  description = "Accepted rate in requests per second, and burst."
  type = object({
    rate  = number
    burst = number
  })
}

variable "logs" {
  description = "Retention of logs in days, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}
