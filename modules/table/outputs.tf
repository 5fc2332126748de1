output "arn" {
  description = "ARN of the table in this region."
  value       = aws_dynamodb_table.this.arn
}

output "name" {
  description = "Name of the table in all regions."
  value       = aws_dynamodb_table.this.name
}
