# The key of the environment. infra/deployment creates its replicas, each in its region.
module "key" {
  source = "../../modules/key"

  alias       = local.names.key_alias
  description = "Sales, events and logs of ${module.names.prefix}."
  account     = data.aws_caller_identity.current.account_id
  region      = local.region

  sns_principals = module.names.sns_principals
}

locals {
  # Global resources are created in the home region.
  names = module.names.regions[var.home_region]

  # The replicas of a multi-region key have the same ID.
  key_arns = {
    for region in keys(var.regions) : region => replace(module.key.arn, ":${var.home_region}:", ":${region}:")
  }
}
