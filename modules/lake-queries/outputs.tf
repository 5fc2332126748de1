output "workgroup" {
  description = "Name of Athena's workgroup."
  value       = aws_athena_workgroup.this.name
}

output "database" {
  description = "Name of the database in the catalog."
  value       = aws_glue_catalog_database.this.name
}

output "role_arn" {
  description = "ARN of the analysts' role."
  value       = aws_iam_role.analysts.arn
}

output "results_bucket" {
  description = "Name of the bucket for results."
  value       = aws_s3_bucket.results.bucket
}
