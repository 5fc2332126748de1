# An environment's data for the scripts, validated by Terraform. It creates nothing, so it needs no provider, no credentials
# and no state.

terraform {
  required_version = "~> 1.11"
}

locals {
  passive = [for region, state in var.states : region if state == "PASSIVE"]
  active  = [for region, state in var.states : region if state == "ACTIVE"]
  names   = sort(keys(var.regions))
}

output "settings" {
  description = "Output of pipeline.sh --list: names, regions in rollout order, their pairs, and the architecture of the images."
  value = {
    project       = var.project
    environment   = var.environment
    domain        = var.domain
    home_region   = var.home_region
    backup_region = var.backup_region
    regions       = concat(local.passive, local.active)
    passive       = local.passive
    active        = local.active
    # Each pair once, in an order that does not depend on states.
    pairs = flatten([
      for index, region in local.names : [
        for peer in slice(local.names, index + 1, length(local.names)) : "${region}_${peer}"
      ]
    ])
    others       = [for region in concat(local.passive, local.active) : region if region != var.home_region]
    states       = var.states
    cidrs        = { for name, region in var.regions : name => region.cidr }
    architecture = var.compute.architecture
    soak_seconds = var.rollout.soak_seconds
    sign_in      = var.sign_in.mode
  }
}
