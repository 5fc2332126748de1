# The API, the worker, and the builder of the lake's table. Regions differ only in their environment variables.

locals {
  # Without digests there is no image, and modules/service rejects it.
  images = {
    api    = "${local.names.api_repository}@${try(var.images.api, "none")}"
    worker = "${local.names.worker_repository}@${try(var.images.worker, "none")}"
    lake   = "${local.names.lake_repository}@${try(var.images.lake, "none")}"
  }
}

module "api" {
  source = "../../modules/service"

  name  = "${module.names.prefix}-api"
  image = local.images.api
  size = merge(var.compute.api, {
    architecture = var.compute.architecture
    minimum      = local.minimum.api
  })

  cluster = {
    name = module.cluster.name
    arn  = module.cluster.arn
  }

  network = {
    vpc_id                      = module.network.vpc_id
    subnet_ids                  = module.network.private_subnet_ids
    operators_security_group_id = module.network.operators.security_group_id
  }

  roles = {
    task      = module.api_role.arn
    execution = module.names.execution_role_arn
  }

  environment = merge(local.oidc, {
    AWS_REGION                 = local.region
    DYNAMO_SALES_TABLE         = local.names.sales_table
    PENDING_SHARDS             = tostring(var.pending_shards)
    SNS_SALES_PROCESSING_TOPIC = module.messaging.topic_arn
    SSM_PARAMETER_STORE_STATE  = local.names.state_parameter
    # Encrypted up to the task. Load balancers do not validate a target's certificate.
    TLS = "self-signed"
  })

  health_check = ["/usr/local/bin/sales-api", "--healthcheck"]

  # Requests in flight may take 8 s (DRAIN_TIME in sales-service/src/http/server.rs), then announcements 6 s
  # (FLUSH_TIME in sales-api/src/sales.rs).
  stop_timeout = 30

  load_balancer = {
    target_group_arn  = module.load_balancers.target_group_arn
    security_group_id = module.load_balancers.alb_security_group_id
  }

  scaling = {
    # The rest of the CPU is for the minutes until new tasks serve, and for taking over another region's load.
    cpu_percent = 50
    requests = {
      # 500 a second, far below the limit of a quarter of a core.
      per_task_and_minute = 30000
      resource_label = join("/", [
        module.load_balancers.alb_arn_suffix, module.load_balancers.target_group_arn_suffix
      ])
    }
  }

  logs                  = local.logs
  wait_for_steady_state = local.tasks_run
}

module "worker" {
  source = "../../modules/service"

  name  = "${module.names.prefix}-worker"
  image = local.images.worker
  size = merge(var.compute.worker, {
    architecture = var.compute.architecture
    minimum      = local.minimum.worker
  })

  cluster = {
    name = module.cluster.name
    arn  = module.cluster.arn
  }

  network = {
    vpc_id                      = module.network.vpc_id
    subnet_ids                  = module.network.private_subnet_ids
    operators_security_group_id = module.network.operators.security_group_id
  }

  roles = {
    task      = module.worker_role.arn
    execution = module.names.execution_role_arn
  }

  environment = {
    AWS_REGION                     = local.region
    DYNAMO_SALES_IDEMPOTENCY_TABLE = local.names.idempotency_table
    DYNAMO_SALES_TABLE             = local.names.sales_table
    PENDING_GRACE_SECONDS          = tostring(var.pending_grace_seconds)
    PENDING_SHARDS                 = tostring(var.pending_shards)
    S3_SALES_BUCKET                = module.lake.bucket
    SQS_SALES_QUEUE                = module.messaging.queue_url
    SSM_PARAMETER_STORE_STATE      = local.names.state_parameter
  }

  health_check = ["/usr/local/bin/sales-worker", "--healthcheck"]

  # Work in progress may take 25 s (DRAIN_TIME in sales-worker/src/worker.rs), then the health check's server 8 s
  # (DRAIN_TIME in sales-service/src/http/server.rs).
  stop_timeout = 60

  scaling = {
    backlog = {
      # Some seconds of work for one task.
      messages_per_task = 500
      queue_name        = module.messaging.queue_name
    }
  }

  logs                  = local.logs
  wait_for_steady_state = local.tasks_run
}

# One task, whatever the region's state: each region builds its own table. While it is replaced or down, the table is late, and
# nothing is lost.
module "builder" {
  source = "../../modules/service"

  name  = "${module.names.prefix}-lake"
  image = local.images.lake
  size = merge(var.compute.lake, {
    architecture = var.compute.architecture
    minimum      = 1
    maximum      = 1
  })
  scaling = null

  cluster = {
    name = module.cluster.name
    arn  = module.cluster.arn
  }

  network = {
    vpc_id                      = module.network.vpc_id
    subnet_ids                  = module.network.private_subnet_ids
    operators_security_group_id = module.network.operators.security_group_id
  }

  roles = {
    task      = module.lake_role.arn
    execution = module.names.execution_role_arn
  }

  environment = {
    AWS_REGION                     = local.region
    DYNAMO_SALES_IDEMPOTENCY_TABLE = local.names.idempotency_table
    S3_SALES_BUCKET                = module.lake.bucket
  }

  health_check = ["/usr/local/bin/sales-lake", "--healthcheck"]

  # A fold in progress may take 25 s (DRAIN_TIME in sales-lake/src/service.rs), then the health check's server 8 s (DRAIN_TIME in
  # sales-service/src/http/server.rs).
  stop_timeout = 60

  logs                  = local.logs
  wait_for_steady_state = local.tasks_run
}

locals {
  # Emulators store services, but do not start tasks.
  tasks_run = !var.emulated
}
