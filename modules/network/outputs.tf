output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Address range of the VPC."
  value       = aws_vpc.this.cidr_block
}

# Tasks may need internet access as soon as they start.
output "private_subnet_ids" {
  description = "IDs of the private subnets, one in each of three zones."
  value       = values(aws_subnet.private)[*].id

  depends_on = [
    aws_route.private,
    aws_route_table_association.private,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
  ]
}

output "private_route_table_ids" {
  description = "IDs of the private subnets' route tables, by zone."
  value       = { for zone, table in aws_route_table.private : zone => table.id }
}

output "operators" {
  description = "Network of operators: address range and IDs of their subnets, their route table, and their security group."
  value = {
    cidr              = local.operators_cidr
    subnet_ids        = values(aws_subnet.operators)[*].id
    route_table_id    = aws_route_table.operators.id
    security_group_id = aws_security_group.operators.id
  }
}
