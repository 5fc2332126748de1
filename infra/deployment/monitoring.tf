module "monitoring" {
  source = "../../modules/monitoring"

  prefix        = module.names.prefix
  region        = local.region
  account       = data.aws_caller_identity.current.account_id
  other_regions = local.other_regions
  key_arn       = module.key.arn
  emails        = toset(var.alerts.emails)
  cluster       = module.cluster.name
  services = {
    api    = { service_name = module.api.service_name, log_group_name = module.api.log_group_name }
    worker = { service_name = module.worker.service_name, log_group_name = module.worker.log_group_name }
    lake   = { service_name = module.builder.service_name, log_group_name = module.builder.log_group_name }
  }
  entrance = {
    alb_arn_suffix          = module.load_balancers.alb_arn_suffix
    target_group_arn_suffix = module.load_balancers.target_group_arn_suffix
    api_name                = module.api_gateway.name
    api_stage               = module.api_gateway.stage
  }
  queues = {
    sales        = module.messaging.queue_name
    dead_letters = module.messaging.dead_letter_queue_name
  }
  tables = [module.names.regions[local.region].sales_table, module.names.regions[local.region].idempotency_table]
  lake = {
    bucket = module.lake.bucket
    # infra/wiring creates the rules; modules/lake-replication defines their names.
    replication = {
      for region in local.other_regions : region => { bucket = module.names.regions[region].lake, rule = "to-${region}" }
    }
  }
}

locals {
  other_regions = setsubtract(keys(var.regions), [local.region])
}
