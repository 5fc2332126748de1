# The data of a region: key, replicas of the tables, topic and queues, lake, and the services' permissions for them.

data "terraform_remote_state" "pre_deployment" {
  backend = "s3"
  config  = merge(local.remote_state, { key = "pre-deployment.tfstate" })
}

locals {
  names          = module.names.regions[local.region]
  pre_deployment = data.terraform_remote_state.pre_deployment.outputs
}

module "key" {
  source = "../../modules/key"

  alias       = local.names.key_alias
  description = "Sales, events and logs of ${module.names.prefix}."
  account     = data.aws_caller_identity.current.account_id
  region      = local.region
  primary_arn = local.pre_deployment.key_arn

  sns_principals = module.names.sns_principals
}

# For a region that is added again while its replica was pending deletion: there cannot be a second one. No change if the
# state has it already.
import {
  for_each = toset(var.kept_key[*])

  to = module.key.aws_kms_replica_key.this[0]
  id = each.value
}

# The home region has the primary tables.
module "table_replica" {
  source = "../../modules/table-replica"
  for_each = local.region == var.home_region ? {} : {
    sales       = local.pre_deployment.sales_table_arn
    idempotency = local.pre_deployment.idempotency_table_arn
  }

  table_arn           = each.value
  region              = local.region
  deletion_protection = var.deletion_protection && !var.teardown
  key_arn             = module.key.arn
}

module "messaging" {
  source = "../../modules/messaging"

  topic_name             = local.names.topic
  queue_name             = local.names.queue
  dead_letter_queue_name = local.names.dead_letter_queue
  source_topic_arns      = [for names in values(module.names.regions) : names.topic_arn]
  key_arn                = module.key.arn
  sns_principals         = module.names.sns_principals
}

module "lake" {
  source = "../../modules/lake"

  name                   = local.names.lake
  key_arn                = module.key.arn
  journal_retention_days = var.retention.journal
  version_retention_days = var.retention.lake_versions
  force_destroy          = var.teardown
}

locals {
  task_resources = {
    sales_table_arn       = local.names.sales_table_arn
    idempotency_table_arn = local.names.idempotency_table_arn
    topic_arn             = local.names.topic_arn
    queue_arn             = local.names.queue_arn
    dead_letter_queue_arn = local.names.dead_letter_queue_arn
    lake_arn              = local.names.lake_arn
    state_parameter_arn   = local.names.state_parameter_arn
    key_arn               = module.key.arn
  }
}

module "api_role" {
  source = "../../modules/task-role"

  name      = "${module.names.prefix}-api-${local.region}"
  service   = "api"
  account   = data.aws_caller_identity.current.account_id
  region    = local.region
  resources = local.task_resources
}

module "worker_role" {
  source = "../../modules/task-role"

  name      = "${module.names.prefix}-worker-${local.region}"
  service   = "worker"
  account   = data.aws_caller_identity.current.account_id
  region    = local.region
  resources = local.task_resources
}

module "lake_role" {
  source = "../../modules/task-role"

  name      = "${module.names.prefix}-lake-${local.region}"
  service   = "lake"
  account   = data.aws_caller_identity.current.account_id
  region    = local.region
  resources = local.task_resources
}

module "lake_queries" {
  source = "../../modules/lake-queries"

  name                = module.names.prefix
  account             = data.aws_caller_identity.current.account_id
  region              = local.region
  results_bucket      = local.names.queries
  role_name           = "${module.names.prefix}-analysts-${local.region}"
  principals          = var.analysts.principals
  key_arn             = module.key.arn
  gigabytes_per_query = var.analysts.gigabytes_per_query
  retention_days      = var.retention.queries
  force_destroy       = var.teardown

  lake = {
    bucket = module.lake.bucket
    arn    = module.lake.arn
  }
}
