output "region" {
  description = "Values of the region for later stages, operators and tests."
  value = {
    nlb_arn      = module.load_balancers.nlb_arn
    nlb_dns_name = module.load_balancers.nlb_dns_name
    nlb_zone_id  = module.load_balancers.nlb_zone_id

    # Targets of the DNS records: of the host for all regions, and of this region's own host.
    api_gateway_domain_name        = module.api_gateway.domains.all.domain_name
    api_gateway_zone_id            = module.api_gateway.domains.all.zone_id
    api_gateway_region_domain_name = module.api_gateway.domains.region.domain_name
    api_gateway_region_zone_id     = module.api_gateway.domains.region.zone_id

    api_url               = "https://${local.names.api_host}"
    queue_url             = module.messaging.queue_url
    dead_letter_queue_url = module.messaging.dead_letter_queue_url
    minimum               = local.minimum

    # For infra/peering.
    network = {
      vpc_id                      = module.network.vpc_id
      cidr                        = module.network.cidr
      private_route_table_ids     = module.network.private_route_table_ids
      operators_cidr              = module.network.operators.cidr
      operators_route_table_id    = module.network.operators.route_table_id
      operators_security_group_id = module.network.operators.security_group_id
      service_port                = local.service_port
      service_security_group_ids = {
        api    = module.api.security_group_id
        worker = module.worker.security_group_id
        lake   = module.builder.security_group_id
      }
    }

    services = {
      api    = module.api.environment
      worker = module.worker.environment
      lake   = module.builder.environment
    }

    # For analysts.
    queries = {
      workgroup = module.lake_queries.workgroup
      database  = module.lake_queries.database
      role_arn  = module.lake_queries.role_arn
    }
  }
}
