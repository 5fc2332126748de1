# The entry points: Global Accelerator and API Gateway, both to the same network load balancer.

locals {
  # Requests through Global Accelerator, through API Gateway in any region, and to this region only.
  hosts = [module.names.url_host, module.names.api_host, local.names.api_host]
}

module "certificate" {
  source = "../../modules/certificate"

  domain = var.domain
}

module "load_balancers" {
  source = "../../modules/load-balancers"

  name                      = module.names.prefix
  hosts                     = local.hosts
  certificate_arn           = module.certificate.arn
  access_log_retention_days = var.retention.logs
  deletion_protection       = var.deletion_protection && !var.teardown
  force_destroy             = var.teardown

  network = {
    vpc_id     = module.network.vpc_id
    cidr       = module.network.cidr
    subnet_ids = module.network.private_subnet_ids
  }
}

module "api_gateway" {
  source = "../../modules/api-gateway"

  name            = module.names.prefix
  openapi         = file("${path.module}/openapi.json")
  nlb_arn         = module.load_balancers.nlb_arn
  backend_host    = local.names.api_host
  certificate_arn = module.certificate.arn
  throttle        = { rate = var.requests.rate, burst = var.requests.burst }
  logs            = local.logs

  hosts = {
    all    = module.names.api_host
    region = local.names.api_host
  }
}

module "firewall" {
  source = "../../modules/firewall"

  name     = module.names.prefix
  vpc_cidr = module.network.cidr
  logs     = local.logs

  requests_per_address = var.requests.per_address
  requests_per_token   = var.sign_in.mode == "off" ? null : var.requests.per_token
  has_tokens           = var.sign_in.mode != "off"

  protected = {
    alb = module.load_balancers.alb_arn
    api = module.api_gateway.stage_arn
  }
}
