output "health_checks" {
  description = "Identifier of each region's health check."
  value       = { for region, check in aws_route53_health_check.region : region => check.id }
}

output "weights" {
  description = "Weight of each region's record behind the shared host of API Gateway."
  value       = { for region, record in aws_route53_record.api : region => one(record.weighted_routing_policy).weight }
}
