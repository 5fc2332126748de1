# Peering between the VPCs of two regions, so that an operator in one can inspect the services of the other. Accepting and
# processing sales does not use it, and could not: routes lead from the operators' subnets to the other region and back, and
# from the services' subnets only to operators.

locals {
  name = "${var.name}-${var.requester.region}-${var.accepter.region}"

  # Both directions, where they can share a definition: Terraform cannot select a provider by a value.
  requester_routes = merge(
    { operators = { table = var.requester.operators_route_table_id, to = var.accepter.cidr } },
    { for zone, table in var.requester.private_route_table_ids : zone => { table = table, to = var.accepter.operators_cidr } },
  )
  accepter_routes = merge(
    { operators = { table = var.accepter.operators_route_table_id, to = var.requester.cidr } },
    { for zone, table in var.accepter.private_route_table_ids : zone => { table = table, to = var.requester.operators_cidr } },
  )
}

resource "aws_vpc_peering_connection" "this" {
  provider = aws.requester

  vpc_id      = var.requester.vpc_id
  peer_vpc_id = var.accepter.vpc_id
  peer_region = var.accepter.region
  # Between regions, only the accepter's side can do this.
  auto_accept = false

  tags = { Name = local.name }
}

resource "aws_vpc_peering_connection_accepter" "this" {
  provider = aws.accepter

  vpc_peering_connection_id = aws_vpc_peering_connection.this.id
  auto_accept               = true

  tags = { Name = local.name }
}

# Host names resolve to private addresses on the other side. Each side sets its own option, after the connection is active.
resource "aws_vpc_peering_connection_options" "requester" {
  provider = aws.requester

  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id

  requester {
    allow_remote_vpc_dns_resolution = true
  }
}

resource "aws_vpc_peering_connection_options" "accepter" {
  provider = aws.accepter

  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id

  accepter {
    allow_remote_vpc_dns_resolution = true
  }
}

resource "aws_route" "requester" {
  provider = aws.requester
  for_each = local.requester_routes

  route_table_id            = each.value.table
  destination_cidr_block    = each.value.to
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
}

resource "aws_route" "accepter" {
  provider = aws.accepter
  for_each = local.accepter_routes

  route_table_id            = each.value.table
  destination_cidr_block    = each.value.to
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
}
