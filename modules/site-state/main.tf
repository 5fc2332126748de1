# The state of one region, and a guard that keeps an apply from silently undoing an operator's switch.
#
# An operator switches by writing the parameter in that region, and nothing else. Terraform would only see a value that differs
# from the map, and reset it. So it stores what it applied last in a second parameter:
#
# | parameter      | last applied         | reason                              | apply             |
# |----------------|----------------------|-------------------------------------|-------------------|
# | as in the map  | any, or none         | first or again; a switch that the   | records it        |
# |                |                      | map has followed                    |                   |
# | not there      | any, or none         | first; or it was deleted            | creates it        |
# | as last applied| as the parameter     | the map has changed                 | switches          |
# | otherwise      | otherwise, or none   | an operator has switched            | is refused        |

# Read while planning, so that the plan is refused already.
data "aws_ssm_parameters_by_path" "site" {
  path = dirname(var.parameter)
}

locals {
  # States are not secret, although the provider treats all parameters as sensitive.
  found   = zipmap(data.aws_ssm_parameters_by_path.site.names, nonsensitive(data.aws_ssm_parameters_by_path.site.values))
  actual  = lookup(local.found, var.parameter, null)
  applied = lookup(local.found, var.applied_parameter, null)

  is_switched = local.actual != null && local.actual != var.state && local.actual != local.applied
}

# Not encrypted with a customer-managed key, which could prevent a switch if it is unavailable.
resource "aws_ssm_parameter" "state" {
  #checkov:skip=CKV2_AWS_34:A state is no secret, and a key could stop the services from hearing of a switch
  name        = var.parameter
  description = "ACTIVE or PASSIVE: whether this region processes sales. Switch it with salesctl."
  type        = "String"
  # Plain text: `value` would be hidden in plans, and a plan should show a switch.
  insecure_value = var.state

  lifecycle {
    # Holds the reason for a switch.
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

# After the state itself: if an apply fails between the two, the state is already that of the map.
resource "aws_ssm_parameter" "applied" {
  #checkov:skip=CKV2_AWS_34:A state is no secret
  name           = var.applied_parameter
  description    = "The state of this region as Terraform last applied it. Not to be changed by hand."
  type           = "String"
  insecure_value = var.state

  depends_on = [aws_ssm_parameter.state]
}
