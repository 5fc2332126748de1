# Peering between the networks of two regions, for operators. One state per pair of regions, since it needs both sides: see
# docs/decisions/0010-a-state-for-each-pair-of-regions.md. It is applied last, so that nothing waits for it, and accepting and
# processing sales does not depend on it.

variable "peer" {
  description = "The other region of the pair, alphabetically after region; set by pipeline.sh."
  type        = string

  validation {
    condition     = contains(keys(var.regions), var.peer)
    error_message = "peer must be one of regions."
  }

  # So that a pair has one name.
  validation {
    condition     = var.region != null && var.region != var.peer && try(sort([var.region, var.peer])[0] == var.region, false)
    error_message = "region must come before peer alphabetically: each pair of regions has one state."
  }
}

provider "aws" {
  alias  = "peer"
  region = var.peer

  s3_use_path_style           = var.emulated
  skip_credentials_validation = var.emulated
  skip_metadata_api_check     = var.emulated
  skip_region_validation      = var.emulated

  default_tags {
    tags = local.tags
  }
}

data "terraform_remote_state" "deployment" {
  for_each = toset([local.region, var.peer])

  backend = "s3"
  config  = merge(local.remote_state, { key = "deployment/${each.key}.tfstate" })
}

locals {
  networks = {
    for region, state in data.terraform_remote_state.deployment : region => merge(state.outputs.region.network, { region = region })
  }
}

module "peering" {
  source = "../../modules/peering"

  providers = {
    aws.requester = aws
    aws.accepter  = aws.peer
  }

  name      = module.names.prefix
  requester = local.networks[local.region]
  accepter  = local.networks[var.peer]
}

output "id" {
  description = "ID of the peering connection."
  value       = module.peering.id
}
