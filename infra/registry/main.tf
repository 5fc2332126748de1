# What has to be in a region before images are copied into it: deployment itself comes too late, since it starts tasks
# from them. At home are the originals.
module "registry_replica" {
  source = "../../modules/registry-replica"

  prefix = module.names.prefix
}
