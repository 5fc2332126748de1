# Where a region's services run, and what they can reach from there.

locals {
  # As modules/service and its images have it.
  service_port = 8080

  # What modules want to know of logs.
  logs = {
    retention_days = var.retention.logs
    key_arn        = module.key.arn
  }
}

module "network" {
  source = "../../modules/network"

  name         = module.names.prefix
  cidr         = var.regions[local.region].cidr
  service_port = local.service_port
  logs         = local.logs
}

module "cluster" {
  source = "../../modules/cluster"

  name     = module.names.prefix
  logs     = local.logs
  insights = !var.teardown
}
