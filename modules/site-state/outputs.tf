output "parameter" {
  description = "Name of the parameter that holds the state."
  value       = aws_ssm_parameter.state.name
}

output "state" {
  description = "The region's state as it is applied: ACTIVE or PASSIVE."
  value       = var.state
}
