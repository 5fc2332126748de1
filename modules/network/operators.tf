# Where an operator's shell stands who has to look at a service from within, when the ways in do not answer: subnets in
# which nothing runs, with a security group that reaches the services' port for health and metrics, and AWS's endpoints.
# There is no way out to the internet. modules/peering leads from here to the services of other regions, and from
# nowhere else.

locals {
  # The next 64th of the range, of which each zone has a quarter.
  operators_cidr = cidrsubnet(var.cidr, 6, 51)
  operators      = { for index, zone in local.zones : zone => cidrsubnet(local.operators_cidr, 2, index) }
}

resource "aws_subnet" "operators" {
  for_each = local.operators

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.name}-operators-${each.key}" }
}

resource "aws_route_table" "operators" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-operators" }
}

resource "aws_route_table_association" "operators" {
  for_each = local.operators

  subnet_id      = aws_subnet.operators[each.key].id
  route_table_id = aws_route_table.operators.id
}

resource "aws_security_group" "operators" {
  #checkov:skip=CKV2_AWS_5:an operator's shell is attached to it, such as one of CloudShell
  name        = "${var.name}-operators"
  description = "Operators: to health and metrics of services, and to endpoints of AWS; nothing inwards"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-operators" }
}

resource "aws_vpc_security_group_egress_rule" "operators" {
  for_each = { services = var.service_port, endpoints = 443 }

  security_group_id = aws_security_group.operators.id
  description       = "To ${each.key} within the VPC"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = var.cidr

  tags = { Name = "${var.name}-operators-${each.key}" }
}
