output "role_arns" {
  description = "ARNs of the roles, by name: plan, apply and operator."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
