output "name" {
  description = "Name of the API, as metrics call it."
  value       = aws_api_gateway_rest_api.this.name
}

output "stage" {
  description = "Name of the stage that is served."
  value       = aws_api_gateway_stage.this.stage_name
}

output "stage_arn" {
  description = "ARN of the stage that is served."
  value       = aws_api_gateway_stage.this.arn
}

output "domains" {
  description = "For each of hosts, the DNS name that a record must lead to, and that name's hosted zone."
  value = {
    for name, domain in aws_api_gateway_domain_name.this : name => {
      domain_name = domain.regional_domain_name
      zone_id     = domain.regional_zone_id
    }
  }

  depends_on = [aws_api_gateway_base_path_mapping.this]
}
