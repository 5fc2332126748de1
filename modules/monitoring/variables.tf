variable "prefix" {
  description = "Prefix of the names of alarms, topic and dashboard, and namespace of the services' metrics."
  type        = string
}

variable "region" {
  description = "Name of the monitored region."
  type        = string
}

variable "account" {
  description = "ID of the AWS account."
  type        = string
}

variable "other_regions" {
  description = "Names of the regions that this one replicates to."
  type        = set(string)
}

variable "key_arn" {
  description = "ARN of the region's key, which encrypts notifications; CloudWatch must be allowed to use it."
  type        = string
}

variable "emails" {
  description = "E-mail addresses for alarms; each must confirm once."
  type        = set(string)
  default     = []
}

variable "cluster" {
  description = "Name of the ECS cluster, with Container Insights."
  type        = string
}

variable "services" {
  description = "The services: name in ECS and log group."
  type = object({
    api    = object({ service_name = string, log_group_name = string })
    worker = object({ service_name = string, log_group_name = string })
    lake   = object({ service_name = string, log_group_name = string })
  })
}

variable "entrance" {
  description = "Identifiers of load balancer and target group in CloudWatch, and name and stage of API Gateway."
  type = object({
    alb_arn_suffix          = string
    target_group_arn_suffix = string
    api_name                = string
    api_stage               = string
  })
}

variable "queues" {
  description = "Names of the worker's queue and of its dead-letter queue."
  type = object({
    sales        = string
    dead_letters = string
  })
}

variable "tables" {
  description = "Names of the global tables."
  type        = set(string)
}

variable "lake" {
  description = "The region's bucket, and for each other region its bucket and the name of the replication rule."
  type = object({
    bucket = string
    replication = map(object({
      bucket = string
      rule   = string
    }))
  })
}

variable "thresholds" {
  description = "Thresholds of the alarms."
  type = object({
    # Maximum age of the oldest pending sale in seconds. The sweep processes sales after 30 s, every 5 s
    # (PENDING_GRACE_SECONDS), thousands of sales in seconds: four times that is a fault.
    pending_age = optional(number, 120)
    # Maximum age of the oldest message in seconds. A failed message is retried with growing delay, and its sale is swept
    # meanwhile: messages get older than minutes only in a queue that is not drained.
    queue_age = optional(number, 300)
    # Seconds since a service last read its region's state, every 5 s. The alarm is raised after a dozen failures.
    state_age = optional(number, 60)
    # Alarm threshold for 5xx responses, in percent, and the minimum requests per minute for it to apply. The API responds
    # with 503 only if the table cannot accept a sale, and clients retry: 1 % is more than the API's own retries leave.
    server_errors          = optional(number, 1)
    server_errors_requests = optional(number, 50)
    # Minimum number of running tasks of the API and of the worker, in different zones. The lake has one.
    tasks = optional(number, 2)
    # Maximum age of the lake's table in seconds. It is folded once a minute, and a fold takes seconds: ten minutes are as many
    # folds that failed.
    table_age = optional(number, 600)
    # Maximum replication time of an item in milliseconds; usually under a second. From 30 s on, the other region's workers
    # adopt sales.
    table_replication = optional(number, 10000)
    # Maximum replication time of an object in seconds: the limit of S3 Replication Time Control.
    lake_replication = optional(number, 900)
  })
  default = {}

  validation {
    condition     = alltrue([for threshold in values(var.thresholds) : threshold > 0])
    error_message = "a threshold must be above 0."
  }

  validation {
    condition     = var.thresholds.table_age >= 180
    error_message = "table_age must be at least 180 s: between two folds the table is up to two minutes old."
  }

  validation {
    condition     = var.thresholds.pending_age > 35 && var.thresholds.state_age > 6
    error_message = "pending_age must be above 35 s, the longest time until a sweep, and state_age above 6 s, the longest time between two reads."
  }
}
