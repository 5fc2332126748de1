variable "name" {
  description = "Name of the service and its resources."
  type        = string
}

variable "cluster" {
  description = "Name and ARN of the ECS cluster."
  type = object({
    name = string
    arn  = string
  })
}

variable "network" {
  description = "IDs of the VPC, of private subnets in three zones, and of the security group of operators, who may read health and metrics."
  type = object({
    vpc_id                      = string
    subnet_ids                  = list(string)
    operators_security_group_id = string
  })
}

variable "image" {
  description = "Image by digest: REPOSITORY@sha256:..."
  type        = string

  validation {
    condition     = can(regex("^[^@:]+[^@]*@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be REPOSITORY@sha256:DIGEST, so that the tested image is the one that runs."
  }
}

variable "size" {
  description = "Per task: cpu in units of 1/1024 vCPU, memory in MiB, and architecture; minimum and maximum number of tasks, the same without scaling."
  type = object({
    architecture = string
    cpu          = number
    memory       = number
    minimum      = number
    maximum      = number
  })

  validation {
    condition     = var.scaling == null || (var.size.minimum >= 2 && var.size.maximum >= var.size.minimum)
    error_message = "a service needs at least two tasks, in different zones, and a maximum of at least its minimum."
  }

  validation {
    condition     = var.scaling != null || (var.size.minimum >= 1 && var.size.maximum == var.size.minimum)
    error_message = "without scaling, minimum and maximum must be the same number of tasks."
  }
}

variable "roles" {
  description = "ARNs of the task role and the execution role."
  type = object({
    task      = string
    execution = string
  })
}

variable "environment" {
  description = "The service's environment variables, except IMAGE."
  type        = map(string)
}

variable "health_check" {
  description = "Command and arguments that succeed in the container while the service is healthy; there is no shell."
  type        = list(string)
}

variable "stop_timeout" {
  description = "Seconds from SIGTERM until a task is killed; must exceed the service's shutdown time."
  type        = number

  validation {
    condition     = var.stop_timeout >= 2 && var.stop_timeout <= 120
    error_message = "stop_timeout must be 2 to 120 seconds, the limits of Fargate."
  }
}

variable "load_balancer" {
  description = "ARN of the tasks' target group, and ID of the security group that they accept traffic from."
  type = object({
    target_group_arn  = string
    security_group_id = string
  })
  default = null
}

variable "scaling" {
  description = "Targets for scaling: average CPU in percent, and requests or waiting messages per task. null for a fixed number of tasks, for a service that is late and loses nothing while its only task is replaced."
  type = object({
    cpu_percent = optional(number)
    requests = optional(object({
      per_task_and_minute = number
      # app/NAME/ID/targetgroup/NAME/ID
      resource_label = string
    }))
    backlog = optional(object({
      messages_per_task = number
      queue_name        = string
    }))
  })

  validation {
    condition = var.scaling == null ? true : (
      var.scaling.cpu_percent != null || var.scaling.requests != null || var.scaling.backlog != null
    )
    error_message = "scaling must set at least one of cpu_percent, requests and backlog, or be null."
  }
}

variable "logs" {
  description = "Retention of logs in days, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}

variable "wait_for_steady_state" {
  description = "Whether an apply waits until the new tasks run and the old ones have stopped."
  type        = bool
  default     = true
}
