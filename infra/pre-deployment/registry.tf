# Images are pushed here and replicated by ECR to the other regions, which then do not depend on this one.
module "registry" {
  source = "../../modules/registry"

  repositories    = [module.names.api_repository, module.names.worker_repository, module.names.lake_repository]
  account         = data.aws_caller_identity.current.account_id
  replica_regions = setsubtract(keys(var.regions), [var.home_region])
  force_delete    = var.teardown
}
