output "health_checks" {
  description = "Identifier of each region's health check."
  value       = { for region, check in aws_route53_health_check.region : region => check.id }
}
