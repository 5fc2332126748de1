output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Address range of the VPC."
  value       = aws_vpc.this.cidr_block
}

# What runs in them may need the way out as soon as it starts.
output "private_subnet_ids" {
  description = "Ids of the private subnets, one in each of three zones."
  value       = values(aws_subnet.private)[*].id

  depends_on = [
    aws_route.private,
    aws_route_table_association.private,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
  ]
}
