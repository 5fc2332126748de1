output "prefix" {
  description = "Prefix of the repositories that are created from the template."
  value       = aws_ecr_repository_creation_template.this.prefix
}
