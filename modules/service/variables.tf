variable "name" {
  description = "Name of the service and of what belongs to it."
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
  description = "Id of the VPC, the ids of private subnets in three zones, and of the security group of operators who look at health and metrics."
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
    error_message = "image must be REPOSITORY@sha256:DIGEST, so that what was tested is what runs."
  }
}

variable "size" {
  description = "A task's 1/1024 vCPU, its MiB of memory, its architecture; least and most number of tasks."
  type = object({
    architecture = string
    cpu          = number
    memory       = number
    minimum      = number
    maximum      = number
  })

  validation {
    condition     = var.size.minimum >= 2 && var.size.maximum >= var.size.minimum
    error_message = "a service needs at least two tasks, in different zones, and a maximum not below its minimum."
  }
}

variable "roles" {
  description = "ARN of the role that the service acts as, and of the one with which ECS starts it."
  type = object({
    task      = string
    execution = string
  })
}

variable "environment" {
  description = "The service's environment variables, but for IMAGE."
  type        = map(string)
}

variable "health_check" {
  description = "Command and arguments that succeed in the container while the service is healthy; there is no shell."
  type        = list(string)
}

variable "stop_timeout" {
  description = "Seconds from SIGTERM until a task is killed: longer than the service takes to finish its work."
  type        = number

  validation {
    condition     = var.stop_timeout >= 2 && var.stop_timeout <= 120
    error_message = "stop_timeout must be 2 to 120 seconds, as Fargate has it."
  }
}

variable "load_balancer" {
  description = "ARN of the target group that the tasks join, and id of the security group that they take traffic from."
  type = object({
    target_group_arn  = string
    security_group_id = string
  })
  default = null
}

variable "scaling" {
  description = "What the number of tasks follows: average CPU in percent, requests or messages that wait per task."
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
    condition     = var.scaling.cpu_percent != null || var.scaling.requests != null || var.scaling.backlog != null
    error_message = "scaling must follow at least one of cpu_percent, requests and backlog."
  }
}

variable "logs" {
  description = "How many days logs are kept, and the ARN of the KMS key that encrypts them."
  type = object({
    retention_days = number
    key_arn        = string
  })
}

variable "wait_for_steady_state" {
  description = "Whether an apply ends only when the new tasks run and the old ones are gone."
  type        = bool
  default     = true
}
