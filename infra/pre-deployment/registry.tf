# Images are pushed here once; ECR copies them to the other regions, which then need nothing from this one.
module "registry" {
  source = "../../modules/registry"

  repositories    = [module.names.api_repository, module.names.worker_repository]
  account         = data.aws_caller_identity.current.account_id
  replica_regions = setsubtract(keys(var.regions), [var.home_region])
  force_delete    = var.teardown
}
