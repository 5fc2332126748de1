# How many tasks a region keeps at least. A PASSIVE one may keep fewer, by `standby`.
#
# It keeps fewer only where the map and the region's own parameter agree that it is PASSIVE. This stage comes before the
# states and the traffic, so that a region that becomes ACTIVE is brought to capacity first, and one that becomes PASSIVE
# gives nothing up before its traffic has gone: that is for the next run. And a region that an operator has switched on
# is not made smaller by a map that does not know of it yet.

data "aws_ssm_parameters_by_path" "site" {
  path = dirname(local.names.state_parameter)
}

locals {
  # States are no secrets, though the provider treats all parameters so.
  site = zipmap(
    data.aws_ssm_parameters_by_path.site.names, nonsensitive(data.aws_ssm_parameters_by_path.site.values)
  )

  stands_by = (
    var.states[local.region] == "PASSIVE"
    && lookup(local.site, local.names.state_parameter, "PASSIVE") == "PASSIVE"
  )

  # Two, in different zones, serve through the loss of a zone.
  minimum = {
    for name, service in { api = var.compute.api, worker = var.compute.worker } : name =>
    local.stands_by ? max(2, ceil(service.minimum * var.standby)) : service.minimum
  }
}
