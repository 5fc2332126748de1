# The state of one region, and the guard that does not let an apply undo silently what an operator has switched.
#
# An operator switches by writing the parameter in the region itself: nothing else may have a say in it. Terraform sees
# only that the value is not the one of the map, and would set it back. So it keeps beside it what it applied last:
#
# | parameter      | last applied         | what happened                       | apply             |
# |----------------|----------------------|-------------------------------------|-------------------|
# | as in the map  | any, or none         | first or again; a switch that the   | records it        |
# |                |                      | map has followed                    |                   |
# | not there      | any, or none         | first; or it was deleted            | creates it        |
# | as last applied| as the parameter     | the map has changed                 | switches          |
# | otherwise      | otherwise, or none   | somebody has switched               | is refused        |

# Read while planning, so that a plan is refused, too.
data "aws_ssm_parameters_by_path" "site" {
  path = dirname(var.parameter)
}

locals {
  # States are no secrets, though the provider treats all parameters so.
  found   = zipmap(data.aws_ssm_parameters_by_path.site.names, nonsensitive(data.aws_ssm_parameters_by_path.site.values))
  actual  = lookup(local.found, var.parameter, null)
  applied = lookup(local.found, var.applied_parameter, null)

  is_switched = local.actual != null && local.actual != var.state && local.actual != local.applied
}

# Not encrypted with a customer key: that key would be one more thing that could stop a switch.
resource "aws_ssm_parameter" "state" {
  #checkov:skip=CKV2_AWS_34:A state is no secret, and a key could stop the services from hearing of a switch
  name        = var.parameter
  description = "ACTIVE or PASSIVE: whether this region processes sales. Switch it with salesctl."
  type        = "String"
  # Not insecure, but plain: the other attribute would be hidden in plans, and a plan should show a switch.
  insecure_value = var.state

  lifecycle {
    # Who switches says there what for.
    ignore_changes = [description]

    precondition {
      condition     = var.undo_switch || !local.is_switched
      error_message = <<-TEXT
        ${var.region} has been switched since the map of states was last applied, and applying would undo that.
          last applied:   ${coalesce(local.applied, "nothing")}
          now:            ${coalesce(local.actual, "nothing")}   (${var.parameter})
          by the map:     ${var.state}
        Either change states in environment/ENVIRONMENT/pipeline.tfvars to the current state and apply again, or override
        the switch with pipeline.sh --undo-switch.
      TEXT
    }
  }
}

# After the state itself: an apply that fails between the two leaves a state that the map agrees with.
resource "aws_ssm_parameter" "applied" {
  #checkov:skip=CKV2_AWS_34:A state is no secret
  name           = var.applied_parameter
  description    = "The state of this region as Terraform last applied it. Not to be changed by hand."
  type           = "String"
  insecure_value = var.state

  depends_on = [aws_ssm_parameter.state]
}
