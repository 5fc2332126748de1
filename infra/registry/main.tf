# Required in a region before images are replicated to it; infra/deployment would be too late, since it starts tasks. The
# home region has the original repositories.
module "registry_replica" {
  source = "../../modules/registry-replica"

  prefix = module.names.prefix
}

# Before any deployment, since each region's API accepts the tokens of all regions' pools.
module "sign_in" {
  source   = "../../modules/sign-in"
  for_each = toset(var.sign_in.mode == "cognito" ? [local.region] : [])

  name                = module.names.prefix
  region              = each.value
  domain_prefix       = module.names.regions[each.value].sign_in_domain
  clients             = var.sign_in.clients
  people              = var.sign_in.people
  deletion_protection = var.deletion_protection && !var.teardown
}

output "sign_in" {
  description = "The region's user pool: issuer, IDs of pool and clients, and where tokens come from; null without one."
  value       = one(values(module.sign_in))
}
