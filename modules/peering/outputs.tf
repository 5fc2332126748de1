output "id" {
  description = "Id of the connection."
  value       = aws_vpc_peering_connection.this.id
}
