output "prefix" {
  description = "The prefix of the repositories that are made by the template."
  value       = aws_ecr_repository_creation_template.this.prefix
}
