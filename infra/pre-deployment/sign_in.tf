# The user pool of the home region; infra/registry has those of the others. Before any deployment, since each region's API accepts
# the tokens of all regions' pools.

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
