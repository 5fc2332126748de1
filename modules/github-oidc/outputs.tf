output "role_arns" {
  description = "ARNs of the roles plan, apply and operator, by these names."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
