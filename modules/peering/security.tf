# Allowed traffic: operators to the port of each service. By address, since rules cannot refer to security groups of another
# region.

resource "aws_vpc_security_group_ingress_rule" "requester" {
  provider = aws.requester
  for_each = var.requester.service_security_group_ids

  security_group_id = each.value
  description       = "Health and metrics for operators in ${var.accepter.region}"
  ip_protocol       = "tcp"
  from_port         = var.requester.service_port
  to_port           = var.requester.service_port
  cidr_ipv4         = var.accepter.operators_cidr

  tags = { Name = local.name }
}

resource "aws_vpc_security_group_ingress_rule" "accepter" {
  provider = aws.accepter
  for_each = var.accepter.service_security_group_ids

  security_group_id = each.value
  description       = "Health and metrics for operators in ${var.requester.region}"
  ip_protocol       = "tcp"
  from_port         = var.accepter.service_port
  to_port           = var.accepter.service_port
  cidr_ipv4         = var.requester.operators_cidr

  tags = { Name = local.name }
}

resource "aws_vpc_security_group_egress_rule" "requester" {
  provider = aws.requester

  security_group_id = var.requester.operators_security_group_id
  description       = "To services in ${var.accepter.region}"
  ip_protocol       = "tcp"
  from_port         = var.accepter.service_port
  to_port           = var.accepter.service_port
  cidr_ipv4         = var.accepter.cidr

  tags = { Name = local.name }
}

resource "aws_vpc_security_group_egress_rule" "accepter" {
  provider = aws.accepter

  security_group_id = var.accepter.operators_security_group_id
  description       = "To services in ${var.requester.region}"
  ip_protocol       = "tcp"
  from_port         = var.requester.service_port
  to_port           = var.requester.service_port
  cidr_ipv4         = var.requester.cidr

  tags = { Name = local.name }
}
