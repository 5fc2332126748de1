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
  description = "The two services: name in ECS and log group."
  type = object({
    api    = object({ service_name = string, log_group_name = string })
    worker = object({ service_name = string, log_group_name = string })
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
    # Seconds that the oldest pending sale may wait. What the queue did not bring is swept after 30 s, every 5 s
    # (DESIGN 5, PENDING_GRACE_SECONDS), some thousand sales in seconds: four times that is no delay but a fault.
    pending_age = optional(number, 120)
    # Seconds that the oldest message may wait. A message that fails comes back with growing delay, and its sale is swept
    # meanwhile: only a queue that nobody empties gets older than minutes (DESIGN 5).
    queue_age = optional(number, 300)
    # Seconds since a service last heard of its region's state. It asks every 5 s (DESIGN 6); until this alarms, a dozen
    # times in vain.
    state_age = optional(number, 60)
    # Percent of requests answered by 5xx, of at least so many a minute. The API answers 503 only when the table cannot
    # take a sale (DESIGN 2), which clients retry: one in a hundred is more than the table's own retries leave over.
    server_errors          = optional(number, 1)
    server_errors_requests = optional(number, 50)
    # Tasks that must run, in different zones: the least that issue and environment allow.
    tasks = optional(number, 2)
    # Milliseconds that an item may take to another region; usually under a second. At 30 s of it the other region's
    # workers begin to adopt sales (DESIGN 5).
    table_replication = optional(number, 10000)
    # Seconds that an object may take to another region: what S3 Replication Time Control promises.
    lake_replication = optional(number, 900)
  })
  default = {}

  validation {
    condition     = alltrue([for threshold in values(var.thresholds) : threshold > 0])
    error_message = "a threshold must be above 0."
  }

  validation {
    condition     = var.thresholds.pending_age > 35 && var.thresholds.state_age > 6
    error_message = "pending_age must be above 35 s, the longest time until a sweep, and state_age above 6 s, the longest time between two reads."
  }
}
