# The minimum number of tasks of a region. A PASSIVE one may keep fewer, by `standby`.
#
# It keeps fewer only if the map and the region's own parameter agree that it is PASSIVE. This stage is applied before states
# and traffic, so that a region that becomes ACTIVE is scaled out first, and one that becomes PASSIVE is scaled in by the next
# run, after its traffic has gone. A region that an operator has switched on is not scaled in by a map that does not show it.

data "aws_ssm_parameters_by_path" "site" {
  path = dirname(local.names.state_parameter)
}

locals {
  # States are not secret, although the provider treats all parameters as sensitive.
  site = zipmap(
    data.aws_ssm_parameters_by_path.site.names, nonsensitive(data.aws_ssm_parameters_by_path.site.values)
  )

  stands_by = (
    var.states[local.region] == "PASSIVE"
    && lookup(local.site, local.names.state_parameter, "PASSIVE") == "PASSIVE"
  )

  # Two tasks, in different zones, survive the loss of a zone.
  minimum = {
    for name, service in { api = var.compute.api, worker = var.compute.worker } : name =>
    local.stands_by ? max(2, ceil(service.minimum * var.standby)) : service.minimum
  }
}
