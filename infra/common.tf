# Shared by all roots through symbolic links. The inputs are in variables.tf.

terraform {
  required_version = "~> 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # pipeline.sh sets bucket, key and encryption key; environment/<name>/backend.hcl the rest.
  backend "s3" {}
}

provider "aws" {
  region = local.region

  s3_use_path_style           = var.emulated
  skip_credentials_validation = var.emulated
  skip_metadata_api_check     = var.emulated
  skip_region_validation      = var.emulated

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}

locals {
  region = coalesce(var.region, var.home_region)

  tags = {
    project     = var.project
    environment = var.environment
    managed-by  = "terraform"
  }

  # Location of the states of other stages.
  remote_state = {
    bucket                      = try(var.state_store.bucket, null)
    region                      = try(var.state_store.region, null)
    use_path_style              = var.emulated
    skip_credentials_validation = var.emulated
    skip_metadata_api_check     = var.emulated
    skip_region_validation      = var.emulated
  }
}

module "names" {
  source = "../../modules/names"

  project     = var.project
  environment = var.environment
  account     = data.aws_caller_identity.current.account_id
  domain      = var.domain
  regions     = keys(var.regions)
}
