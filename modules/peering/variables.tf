variable "name" {
  description = "Prefix of all resource names, followed by the names of the two regions."
  type        = string
}

variable "requester" {
  description = "The network of the requesting region, as in the output of infra/deployment; its provider is aws.requester."
  type = object({
    region                      = string
    vpc_id                      = string
    cidr                        = string
    private_route_table_ids     = map(string)
    operators_cidr              = string
    operators_route_table_id    = string
    operators_security_group_id = string
    service_port                = number
    service_security_group_ids  = map(string)
  })
}

variable "accepter" {
  description = "The network of the accepting region; its provider is aws.accepter."
  type = object({
    region                      = string
    vpc_id                      = string
    cidr                        = string
    private_route_table_ids     = map(string)
    operators_cidr              = string
    operators_route_table_id    = string
    operators_security_group_id = string
    service_port                = number
    service_security_group_ids  = map(string)
  })

  validation {
    condition     = var.accepter.region != var.requester.region
    error_message = "requester and accepter must be different regions."
  }

  # All are a /16: two are either equal or do not overlap.
  validation {
    condition     = cidrhost(var.accepter.cidr, 0) != cidrhost(var.requester.cidr, 0)
    error_message = "the cidrs of ${var.requester.region} and ${var.accepter.region} overlap: AWS cannot peer such VPCs."
  }
}
