module "dns" {
  source = "../../modules/dns"

  zone_id  = data.terraform_remote_state.pre_deployment.outputs.zone_id
  domain   = module.names.url_host
  api_host = module.names.api_host

  accelerator = {
    dns_name = module.accelerator.dns_name
    zone_id  = module.accelerator.zone_id
  }

  regions = {
    for region, deployment in local.deployments : region => {
      host   = module.names.regions[region].api_host
      own    = { domain_name = deployment.api_gateway_region_domain_name, zone_id = deployment.api_gateway_region_zone_id }
      shared = { domain_name = deployment.api_gateway_domain_name, zone_id = deployment.api_gateway_zone_id }
    }
  }
}
