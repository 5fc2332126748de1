# Required in a region before images are replicated to it; infra/deployment would be too late, since it starts tasks. The
# home region has the original repositories.
module "registry_replica" {
  source = "../../modules/registry-replica"

  prefix = module.names.prefix
}
