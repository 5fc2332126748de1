# The network of a region's services.

locals {
  # As in modules/service and the images.
  service_port = 8080

  # Log settings for modules.
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
