# Global Accelerator for all regions, and each region's share of its traffic.

# The only region with the API of Global Accelerator.
provider "aws" {
  alias  = "us_west_2"
  region = "us-west-2"

  s3_use_path_style           = var.emulated
  skip_credentials_validation = var.emulated
  skip_metadata_api_check     = var.emulated
  skip_region_validation      = var.emulated

  default_tags {
    tags = local.tags
  }
}

data "terraform_remote_state" "pre_deployment" {
  backend = "s3"
  config  = merge(local.remote_state, { key = "pre-deployment.tfstate" })
}

data "terraform_remote_state" "deployment" {
  for_each = var.regions

  backend = "s3"
  config  = merge(local.remote_state, { key = "deployment/${each.key}.tfstate" })
}

locals {
  deployments = { for region, state in data.terraform_remote_state.deployment : region => state.outputs.region }
}

module "traffic" {
  source = "../../modules/traffic"

  regions = keys(var.regions)
  states  = var.states
}

module "accelerator" {
  source = "../../modules/accelerator"

  providers = {
    aws = aws.us_west_2
  }

  name = module.names.prefix
  regions = {
    for region, deployment in local.deployments : region => {
      load_balancer_arn = deployment.nlb_arn
      dial              = module.traffic.dials[region]
    }
  }
}
