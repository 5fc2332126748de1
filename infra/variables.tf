# The inputs of all roots, with validation, shared through symbolic links. pipeline.sh validates them in infra/settings before
# any AWS call. The values are in environment/<name>/pipeline.tfvars.

variable "project" {
  description = "First part of all names, followed by the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.project))
    error_message = "project must be 3 to 16 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "environment" {
  description = "Name of the environment: dev, staging, prod, or another directory in infra/environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "environment must be 2 to 10 lower-case letters and digits, starting with a letter."
  }
}

variable "domain" {
  description = "DNS name of the pipeline, such as sales.example.com; its zone is created by pre-deployment, and the parent zone must delegate to it."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a lower-case DNS name without a trailing dot."
  }
}

variable "regions" {
  description = "The regions by name. To add, move or remove one, change only this and states."
  type = map(object({
    # Address range of the region's VPC, a /16; those of two regions may not overlap.
    cidr = string
  }))

  validation {
    condition     = alltrue([for region in keys(var.regions) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "the keys of regions must be names of AWS regions, such as sa-east-1."
  }

  validation {
    condition     = alltrue([for region in values(var.regions) : can(cidrhost(region.cidr, 0)) && endswith(region.cidr, "/16")])
    error_message = "the cidr of a region must be a /16, such as 10.0.0.0/16."
  }

  # Only private address ranges: the networks of the regions are peered, and a route to another region must not replace one
  # to the internet.
  validation {
    condition = alltrue([
      for region in values(var.regions) : try(cidrsubnet(region.cidr, 0, 0) == region.cidr && anytrue([
        for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] :
        cidrhost("${cidrhost(region.cidr, 0)}/${split("/", private)[1]}", 0) == cidrhost(private, 0)
      ]), false)
    ])
    error_message = "the cidr of a region must be the whole /16 in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10, such as 10.0.0.0/16."
  }

  # All are a /16, so two of them overlap only if they are equal.
  validation {
    condition     = length(distinct([for region in values(var.regions) : try(cidrsubnet(region.cidr, 0, 0), region.cidr)])) == length(var.regions)
    error_message = "the cidrs of two regions overlap: their networks are peered, so each needs its own range."
  }
}

variable "home_region" {
  description = "The region in which the global tables and other global resources are created."
  type        = string

  validation {
    condition     = contains(keys(var.regions), var.home_region)
    error_message = "home_region must be one of regions."
  }
}

variable "states" {
  description = "ACTIVE or PASSIVE for each region. It alone determines where traffic goes: state parameters and traffic dials follow from it, and health checks from the parameters."
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
  description = "The region to apply, for the stages that exist once per region; set by pipeline.sh."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || contains(keys(var.regions), coalesce(var.region, "none"))
    error_message = "region must be one of regions."
  }
}

variable "state_store" {
  description = "S3 bucket that holds the state of all stages, and its region; set by pipeline.sh."
  type = object({
    bucket = string
    region = string
  })
  default = null

  # Terraform is needed most when a region is lost: to replace it, or to make another one ACTIVE permanently.
  validation {
    condition     = !contains(keys(var.regions), try(var.state_store.region, "none"))
    error_message = "Terraform's state would be lost with ${try(var.state_store.region, "its region")}, where services run. In environment/NAME/backend.hcl, region must be none of regions, such as backup_region: ${var.backup_region}."
  }
}

variable "images" {
  description = "Digests (sha256:...) of the services' images; set by pipeline.sh."
  type = object({
    api    = string
    worker = string
    lake   = string
  })
  default = null

  validation {
    condition     = var.images == null || alltrue([for digest in values(coalesce(var.images, { api = "", worker = "", lake = "" })) : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "images must be digests: sha256: and 64 hexadecimal digits."
  }
}

variable "kept_key" {
  description = "ID of the environment's key, if the region already has a replica of it; set by pipeline.sh."
  type        = string
  default     = null
}

variable "undo_switch" {
  description = "Whether the map of states overrides switches by operators since it was last applied."
  type        = bool
  default     = false
}

variable "compute" {
  description = "Size of the services: cpu in units of 1/1024 vCPU, memory in MiB, in a combination that Fargate supports."
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
    # One task in each region builds the lake's table.
    lake = optional(object({
      cpu    = optional(number, 256)
      memory = optional(number, 1024)
    }), {})
  })
  default = {}

  validation {
    condition     = contains(["ARM64", "X86_64"], var.compute.architecture)
    error_message = "compute.architecture must be ARM64 (Graviton) or X86_64."
  }

  validation {
    condition     = alltrue([for service in [var.compute.api, var.compute.worker] : service.minimum >= 2 && service.maximum >= service.minimum])
    error_message = "a service needs at least two tasks, in different zones, and a maximum of at least its minimum."
  }
}

variable "standby" {
  description = "Share of the minimum number of tasks that a PASSIVE region keeps, at least two tasks. With 1 it can take over the load of another region at once; with less, it starts tasks while clients wait."
  type        = number
  default     = 1

  validation {
    condition     = var.standby > 0 && var.standby <= 1
    error_message = "standby must be above 0 and at most 1: a PASSIVE region without tasks could not accept sales."
  }
}

variable "pending_shards" {
  description = "Partitions of the pending index, each for about 500 sales a second. Can be raised at any time; if it is lowered, items in the removed partitions stay pending."
  type        = number
  default     = 16

  validation {
    condition     = var.pending_shards >= 1 && var.pending_shards <= 256 && floor(var.pending_shards) == var.pending_shards
    error_message = "pending_shards must be a whole number from 1 to 256."
  }
}

variable "pending_grace_seconds" {
  description = "Age at which the sweep processes a pending sale, and time after which a sale that has not replicated is adopted."
  type        = number
  default     = 30

  validation {
    condition     = var.pending_grace_seconds >= 1 && var.pending_grace_seconds <= 3600 && floor(var.pending_grace_seconds) == var.pending_grace_seconds
    error_message = "pending_grace_seconds must be a whole number from 1 to 3600."
  }
}

variable "requests" {
  description = "Rate in requests per second, and burst, that API Gateway accepts in each region; and requests in five minutes that the firewall accepts from one address and, where sign-in is on, with one token (null: no limit)."
  type = object({
    rate        = optional(number, 1000)
    burst       = optional(number, 2000)
    per_address = optional(number, 30000)
    per_token   = optional(number, 30000)
  })
  default = {}
}

variable "sign_in" {
  description = "Who may use the API: docs/sign-in.md. mode off: everyone; oidc: clients with tokens of these issuers; cognito: these clients and people, with tokens of a user pool in each region."
  type = object({
    mode = optional(string, "off")

    # oidc
    issuers          = optional(list(string), [])
    audiences        = optional(list(string), [])
    jwks_urls        = optional(list(string), [])
    scope_prefix     = optional(string, "sales/")
    separate_issuers = optional(bool, false)

    # cognito; modules/sign-in has the rules
    clients = optional(map(object({
      scopes        = set(string)
      token_minutes = optional(number, 60)
    })), {})
    people = optional(object({
      callback_urls = set(string)
      logout_urls   = optional(set(string), [])
      scopes        = optional(set(string), ["read"])
    }))
  })
  default = {}

  validation {
    condition     = contains(["off", "oidc", "cognito"], var.sign_in.mode)
    error_message = "sign_in.mode must be off, oidc or cognito."
  }

  validation {
    condition     = var.environment != "prod" || var.sign_in.mode != "off"
    error_message = "prod without sign-in is refused: its API is on the internet, and everyone who finds it could post, read and cancel every sale. Set sign_in.mode to oidc, with the issuers of your identity provider, or to cognito."
  }

  validation {
    condition     = (var.sign_in.mode == "oidc") == (length(var.sign_in.issuers) > 0) && (var.sign_in.mode == "oidc") == (length(var.sign_in.audiences) > 0)
    error_message = "sign_in.issuers and sign_in.audiences belong to mode oidc, which needs both."
  }

  validation {
    condition = length(var.sign_in.issuers) <= 16 && alltrue([
      for url in concat(var.sign_in.issuers, var.sign_in.jwks_urls) : can(regex("^https://[^,?#[:space:]]+$", url))
    ])
    error_message = "sign_in.issuers and jwks_urls must be URLs with https, without a query, and at most 16."
  }

  validation {
    condition     = contains([0, length(var.sign_in.issuers)], length(var.sign_in.jwks_urls))
    error_message = "sign_in.jwks_urls must have an address for each of sign_in.issuers, in the same order, or none."
  }

  validation {
    condition     = alltrue([for audience in var.sign_in.audiences : can(regex("^[^,[:space:]]+$", audience))])
    error_message = "sign_in.audiences must not be empty, or contain commas or spaces."
  }

  validation {
    condition     = var.sign_in.mode == "cognito" || (length(var.sign_in.clients) == 0 && var.sign_in.people == null)
    error_message = "sign_in.clients and sign_in.people belong to mode cognito."
  }

  # In the environment of a task, with an id of each region.
  validation {
    condition     = length(var.sign_in.clients) <= 200
    error_message = "sign_in.clients must be at most 200: beyond that, use an identity provider whose tokens have an audience, by mode oidc."
  }

  validation {
    condition     = var.sign_in.mode != "cognito" || length(setsubtract(["write", "read", "cancel"], try(var.sign_in.clients["operator"].scopes, []))) == 0
    error_message = "sign_in.clients must have a client operator with the scopes write, read and cancel: the test sale of each rollout is its."
  }
}

variable "retention" {
  description = "Retention in days of logs, the journal, deleted and overwritten objects of the lake, results of queries, and backups."
  type = object({
    logs          = optional(number, 30)
    journal       = optional(number, 1095)
    lake_versions = optional(number, 90)
    queries       = optional(number, 30)
    backups       = optional(number, 1095)
  })
  default = {}

  validation {
    condition     = var.retention.journal >= 365
    error_message = "retention.journal must be at least 365: the table can only be rebuilt from what the journal still holds."
  }
}

variable "analysts" {
  description = "Who queries the lake's table. principals: ARNs of those who may assume the analysts' role; without any, everyone in the account whose own permissions allow it. gigabytes_per_query: limit of what one query may read."
  type = object({
    principals          = optional(list(string), [])
    gigabytes_per_query = optional(number, 10)
  })
  default = {}

  validation {
    condition     = alltrue([for principal in var.analysts.principals : can(regex("^arn:aws:(iam|sts)::[0-9]{12}:[a-z-]+/[^*]+$", principal))])
    error_message = "analysts.principals must be ARNs of roles or users, without wildcards."
  }

  # The least that Athena accepts is ten million bytes.
  validation {
    condition     = var.analysts.gigabytes_per_query >= 0.01 && var.analysts.gigabytes_per_query <= 7000
    error_message = "analysts.gigabytes_per_query must be 0.01 to 7000."
  }
}

variable "deletion_protection" {
  description = "Whether tables and load balancers have deletion protection."
  type        = bool
  default     = true
}

variable "teardown" {
  description = "Whether resources may be deleted with their data: removes all deletion protection, and stops Container Insights. Set by pipeline-destroy.sh --force, which applies it before destroying; never in the data of an environment."
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
  description = "Region of the backups, not one of regions."
  type        = string

  validation {
    condition     = !contains(keys(var.regions), var.backup_region)
    error_message = "backup_region must be none of regions: a lost region is restored from there."
  }
}

variable "alerts" {
  description = "E-mail addresses for alarms, and the expected monthly cost in US dollars."
  type = object({
    emails         = optional(list(string), [])
    monthly_budget = optional(number, 1500)
  })
  default = {}
}

variable "github_repository" {
  description = "The repository whose workflows may plan and apply, OWNER/NAME or OWNER@ID/NAME@ID as in its OIDC subject; without it, none may."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^([A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", coalesce(var.github_repository, "none")))
    error_message = "github_repository must be OWNER/NAME or, with both ids, OWNER@ID/NAME@ID."
  }
}

variable "emulated" {
  description = "Whether AWS is an emulator (AWS_ENDPOINT_URL): path-style buckets, no lookup of credentials; set by pipeline.sh."
  type        = bool
  default     = false
}
