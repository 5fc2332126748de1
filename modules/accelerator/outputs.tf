output "arn" {
  description = "ARN of the accelerator."
  value       = aws_globalaccelerator_accelerator.this.arn
}

output "dns_name" {
  description = "Its own DNS name."
  value       = aws_globalaccelerator_accelerator.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of that name, for alias records."
  value       = aws_globalaccelerator_accelerator.this.hosted_zone_id
}
