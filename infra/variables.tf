# The inputs of all stages, and what is refused. Each stage has them by a symbolic link, as has infra/settings, in which
# pipeline.sh has them checked before anything is touched. The values are data: environment/<name>/pipeline.tfvars.

variable "project" {
  description = "What all names begin with, together with the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "environment" {
  description = "Name of the environment: dev, staging, prod, or another directory in infra/environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, and begin with a letter."
  }
}

variable "domain" {
  description = "DNS name of the pipeline, such as sales.example.com; its zone is created by pre-deployment and must be delegated to."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a DNS name in lower case without a dot at its end."
  }
}

variable "regions" {
  description = "The regions by name. One is added, moved or removed here and in states, and nowhere else."
  type = map(object({
    # Address range of the region's VPC, a /16; those of two regions may not overlap.
    cidr = string
  }))

  validation {
    condition     = alltrue([for region in keys(var.regions) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "regions must have the names of AWS regions, such as sa-east-1."
  }

  validation {
    condition     = alltrue([for region in values(var.regions) : can(cidrhost(region.cidr, 0)) && endswith(region.cidr, "/16")])
    error_message = "the cidr of a region must be a /16, such as 10.0.0.0/16."
  }

  # The address ranges that no network of the internet has: the networks of the regions are connected, and a route to
  # another region must not take the place of one to somebody else.
  validation {
    condition = alltrue([
      for region in values(var.regions) : try(cidrsubnet(region.cidr, 0, 0) == region.cidr && anytrue([
        for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] :
        cidrhost("${cidrhost(region.cidr, 0)}/${split("/", private)[1]}", 0) == cidrhost(private, 0)
      ]), false)
    ])
    error_message = "the cidr of a region must be the whole /16 in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10, such as 10.0.0.0/16."
  }

  # All are a /16, so that two of them overlap only if they are the same.
  validation {
    condition     = length(distinct([for region in values(var.regions) : try(cidrsubnet(region.cidr, 0, 0), region.cidr)])) == length(var.regions)
    error_message = "the cidrs of two regions overlap: their networks are connected, and each needs its own."
  }
}

variable "home_region" {
  description = "The region in which the global tables are created and from which the rest of what exists once is managed."
  type        = string

  validation {
    condition     = contains(keys(var.regions), var.home_region)
    error_message = "home_region must be one of regions."
  }
}

variable "states" {
  description = "ACTIVE or PASSIVE for each region: the only place that says where traffic goes. Parameters and traffic dials follow from it, and health checks from the parameters."
  type        = map(string)

  validation {
    condition     = length(setsubtract(keys(var.states), keys(var.regions))) == 0
    error_message = "states names a region that is not in regions: ${join(", ", setsubtract(keys(var.states), keys(var.regions)))}."
  }

  validation {
    condition     = length(setsubtract(keys(var.regions), keys(var.states))) == 0
    error_message = "states lacks a region: ${join(", ", setsubtract(keys(var.regions), keys(var.states)))}."
  }

  validation {
    condition     = alltrue([for state in values(var.states) : contains(["ACTIVE", "PASSIVE"], state)])
    error_message = "a state must be ACTIVE or PASSIVE."
  }

  validation {
    condition     = contains(values(var.states), "ACTIVE")
    error_message = "no region is ACTIVE: sales would wait until one is. At least one must be."
  }
}

variable "region" {
  description = "The region that is applied, for the stages that exist once per region; given by pipeline.sh."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || contains(keys(var.regions), coalesce(var.region, "none"))
    error_message = "region must be one of regions."
  }
}

variable "state_store" {
  description = "S3 bucket that holds the state of all stages, and its region; given by pipeline.sh."
  type = object({
    bucket = string
    region = string
  })
  default = null

  # Terraform is wanted most when a region is lost: to replace it, or to make another one ACTIVE for good.
  validation {
    condition     = !contains(keys(var.regions), try(var.state_store.region, "none"))
    error_message = "Terraform's state would be lost with ${try(var.state_store.region, "its region")}, where services run. In environment/NAME/backend.hcl, region must be none of regions, such as backup_region: ${var.backup_region}."
  }
}

variable "images" {
  description = "Digests (sha256:...) of the images that the services run; given by pipeline.sh."
  type = object({
    api    = string
    worker = string
  })
  default = null

  validation {
    condition     = var.images == null || alltrue([for digest in values(coalesce(var.images, { api = "", worker = "" })) : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "images must be digests: sha256: and 64 hexadecimal digits."
  }
}

variable "kept_key" {
  description = "Id of the environment's key, where a replica of it is in the region already; given by pipeline.sh."
  type        = string
  default     = null
}

variable "undo_switch" {
  description = "Whether the map of states overrides what an operator has switched since it was last applied."
  type        = bool
  default     = false
}

variable "compute" {
  description = "Size of the services. cpu in units of 1/1024 vCPU, memory in MiB, as Fargate combines them."
  type = object({
    architecture = optional(string, "ARM64")
    api = optional(object({
      cpu     = optional(number, 256)
      memory  = optional(number, 512)
      minimum = optional(number, 2)
      maximum = optional(number, 20)
    }), {})
    worker = optional(object({
      cpu     = optional(number, 256)
      memory  = optional(number, 512)
      minimum = optional(number, 2)
      maximum = optional(number, 20)
    }), {})
  })
  default = {}

  validation {
    condition     = contains(["ARM64", "X86_64"], var.compute.architecture)
    error_message = "compute.architecture must be ARM64 (Graviton) or X86_64."
  }

  validation {
    condition     = alltrue([for service in [var.compute.api, var.compute.worker] : service.minimum >= 2 && service.maximum >= service.minimum])
    error_message = "a service needs at least two tasks, in different zones, and a maximum that is not below its minimum."
  }
}

variable "standby" {
  description = "Share of its least number of tasks that a PASSIVE region keeps, two at the least. 1 is what an ACTIVE one has, and what a region needs that takes over another's load at once; with less, tasks are started while clients wait."
  type        = number
  default     = 1

  validation {
    condition     = var.standby > 0 && var.standby <= 1
    error_message = "standby must be above 0 and at most 1: a PASSIVE region without tasks would accept no sale."
  }
}

variable "pending_shards" {
  description = "Partitions of the index of what is owed to the lake, for some 500 sales a second each. More can be added at any time; with fewer, what is pending in the others is left."
  type        = number
  default     = 16

  validation {
    condition     = var.pending_shards >= 1 && var.pending_shards <= 256 && floor(var.pending_shards) == var.pending_shards
    error_message = "pending_shards must be a whole number from 1 to 256."
  }
}

variable "pending_grace_seconds" {
  description = "Age from which the sweep brings a pending sale to the lake, and time after which one that has not replicated is adopted."
  type        = number
  default     = 30

  validation {
    condition     = var.pending_grace_seconds >= 1 && var.pending_grace_seconds <= 3600 && floor(var.pending_grace_seconds) == var.pending_grace_seconds
    error_message = "pending_grace_seconds must be a whole number from 1 to 3600."
  }
}

variable "requests" {
  description = "Requests a second and in a burst that each region's API Gateway lets through."
  type = object({
    rate  = optional(number, 1000)
    burst = optional(number, 2000)
  })
  default = {}
}

variable "retention" {
  description = "Days that logs, old versions of objects in the lake, and backups are kept."
  type = object({
    logs          = optional(number, 30)
    lake_versions = optional(number, 90)
    backups       = optional(number, 1095)
  })
  default = {}
}

variable "deletion_protection" {
  description = "Whether tables and load balancers refuse to be deleted."
  type        = bool
  default     = true
}

variable "teardown" {
  description = "Whether all may be deleted with what it holds: nothing is protected, and nothing writes what would be left. Given by pipeline-destroy.sh --force, which applies it before it destroys; never data of an environment."
  type        = bool
  default     = false
}

variable "rollout" {
  description = "Checks of a region before the rollout continues with the next one. soak_seconds: how long no new alarm may be raised. Alarms evaluate up to five minutes of metrics, which arrive up to two minutes late, so that some are raised only after the default of 120; 480 waits for all of them."
  type = object({
    soak_seconds = optional(number, 120)
  })
  default = {}

  validation {
    condition     = var.rollout.soak_seconds >= 0 && var.rollout.soak_seconds <= 3600 && floor(var.rollout.soak_seconds) == var.rollout.soak_seconds
    error_message = "rollout.soak_seconds must be a whole number from 0 to 3600."
  }
}

variable "backup_region" {
  description = "Region of the backups, which is none of regions."
  type        = string

  validation {
    condition     = !contains(keys(var.regions), var.backup_region)
    error_message = "backup_region must be none of regions: what a region takes with it is restored from there."
  }
}

variable "alerts" {
  description = "Who is told of alarms, and how many US dollars a month are expected."
  type = object({
    emails         = optional(list(string), [])
    monthly_budget = optional(number, 1500)
  })
  default = {}
}

variable "github_repository" {
  description = "The repository whose workflows may plan and apply, OWNER/NAME or OWNER@ID/NAME@ID, as its OIDC subject says; none may without it."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^([A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", coalesce(var.github_repository, "none")))
    error_message = "github_repository must be OWNER/NAME or, with both ids, OWNER@ID/NAME@ID."
  }
}

variable "emulated" {
  description = "Whether AWS is an emulator, found by AWS_ENDPOINT_URL: buckets by path, credentials not looked up; given by pipeline.sh."
  type        = bool
  default     = false
}
