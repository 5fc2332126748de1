provider "aws" {
  alias  = "copies"
  region = var.backup_region

  s3_use_path_style           = var.emulated
  skip_credentials_validation = var.emulated
  skip_metadata_api_check     = var.emulated
  skip_region_validation      = var.emulated

  default_tags {
    tags = local.tags
  }
}

locals {
  home = module.names.regions[var.home_region]
}

# The home region has all data: tables and lake replicate to and from all regions.
module "backup" {
  source = "../../modules/backup"

  providers = {
    aws        = aws
    aws.copies = aws.copies
  }

  name           = module.names.prefix
  account        = data.aws_caller_identity.current.account_id
  key_arn        = data.terraform_remote_state.pre_deployment.outputs.key_arn
  resources      = [local.home.sales_table_arn, local.home.idempotency_table_arn, local.home.lake_arn]
  retention_days = var.retention.backups
  # Backups are protected if the tables are.
  lock          = var.deletion_protection && !var.teardown
  force_destroy = var.teardown
}
