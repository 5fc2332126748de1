# The region's state. It is here and not in an earlier stage, so that the map is applied in one place: see
# docs/decisions/0006-state-parameters-live-with-the-wiring.md.
module "site_state" {
  source = "../../modules/site-state"

  region            = local.region
  state             = var.states[local.region]
  parameter         = module.names.regions[local.region].state_parameter
  applied_parameter = module.names.regions[local.region].applied_state_parameter
  undo_switch       = var.undo_switch
}

output "state" {
  description = "The applied state of the region: ACTIVE or PASSIVE."
  value       = module.site_state.state
}
