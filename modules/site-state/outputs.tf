output "parameter" {
  description = "Name of the parameter that holds the state."
  value       = aws_ssm_parameter.state.name
}

output "state" {
  description = "The applied state of the region: ACTIVE or PASSIVE."
  value       = var.state
}
