output "arn" {
  description = "ARN of the accelerator."
  value       = aws_globalaccelerator_accelerator.this.arn
}

output "dns_name" {
  description = "DNS name of the accelerator."
  value       = aws_globalaccelerator_accelerator.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of that name, for alias records."
  value       = aws_globalaccelerator_accelerator.this.hosted_zone_id
}

output "dials" {
  description = "Traffic dial of each region, in percent."
  value       = { for region, group in aws_globalaccelerator_endpoint_group.region : region => group.traffic_dial_percentage }
}

output "endpoint_weights" {
  description = "Weight of each region's only endpoint. Traffic is switched by the dial."
  value = {
    for region, group in aws_globalaccelerator_endpoint_group.region : region => one(group.endpoint_configuration).weight
  }
}
