# For an operator's shell, to inspect services from within if the entry points do not respond: empty subnets with a security
# group that allows traffic to the services' port for health and metrics and to AWS endpoints. They have no internet access.
# modules/peering connects these subnets, and no others, to the services of other regions.

locals {
  # The next 64th of the range, a quarter of it per zone.
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
